"""Colours by meaning, made once a theme; widgets draw with these and never name a colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.app import App
from textual.color import Color

from console.widgets.themes import MIX
from core.models import HostState


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles by meaning. Each colour goes with a glyph and a word, so none is needed to read the screen."""

    text: Style
    strong: Style
    dim: Style
    faint: Style
    head: Style
    ok: Style
    warn: Style
    bad: Style
    info: Style
    plot: Style
    key: Style
    cursor: Style
    cursor_idle: Style
    badge_ok: Style
    badge_warn: Style
    badge_idle: Style

    def level(self, severity: int) -> Style:
        """Return the style of a severity: 0 plain, 1 warning, 2 bad."""
        return (self.text, self.warn, self.bad)[severity]

    def state(self, state: HostState) -> Style:
        """Return the style of a host's state."""
        return {
            HostState.ONLINE: self.ok,
            HostState.DEGRADED: self.warn,
            HostState.OFFLINE: self.bad,
            HostState.MAINTENANCE: self.info,
        }.get(state, self.dim)


def palette_of(app: App[object]) -> Palette:
    """Return the palette of the app's present theme."""
    colours = app.theme_variables
    names = ("foreground", "background", "surface", "panel", "success", "warning", "error", "primary")
    return _make(*(colours.get(name, "#808080") for name in names), colours.get(MIX, "1"))


@lru_cache(maxsize=32)
def _make(
    foreground: str,
    background: str,
    surface: str,
    panel: str,
    success: str,
    warning: str,
    error: str,
    primary: str,
    mix: str = "1",
) -> Palette:
    fore, back = Color.parse(foreground), Color.parse(background)

    # The terminal's own colours cannot be mixed: they are dimmed by the terminal instead.
    native = fore.ansi is not None or back.ansi is not None

    def ink(colour: str | Color, bold: bool = False, dim: bool = False) -> Style:
        parsed = colour if isinstance(colour, Color) else Color.parse(colour)
        return Style(color=parsed.rich_color, bold=bold or None, dim=(dim and native) or None)

    def mixed(part: float) -> Color:
        return fore if native else fore.blend(back, part * float(mix))

    def ground(colour: str) -> Style:
        # A colour of the terminal's own may be any: turning ink and ground over is always seen.
        if native:
            return Style(color="default", dim=False, reverse=True)
        return Style(bgcolor=Color.parse(colour).rich_color)

    plain = native and Color.parse(error) == fore  # no colour at all: weight tells what colour would

    return Palette(
        text=ink(fore),
        strong=ink(fore, bold=True),
        dim=ink(mixed(0.42), dim=True),
        faint=ink(mixed(0.68), dim=True),
        head=ink(mixed(0.35), bold=True),
        ok=ink(success),
        warn=ink(warning, bold=plain),
        bad=ink(error, bold=plain),
        info=ink(primary),
        plot=ink(primary if native else Color.parse(primary).blend(back, 0.3)),
        key=ink(primary, bold=True),
        cursor=ground(panel),
        cursor_idle=Style(underline=True) if native else ground(surface),
        badge_ok=ink(success, bold=True),
        badge_warn=ink(warning, bold=True),
        badge_idle=ink(mixed(0.42), bold=True),
    )
