"""What leaves the program towards the terminal: theme and glyphs, toasts, the bell, desktop messages, the clipboard."""

from __future__ import annotations

import base64
from time import monotonic
from typing import TYPE_CHECKING

from textual.app import App
from textual.filter import ANSIToTruecolor, Monochrome, NoColor
from textual.notifications import Notify

from console.formatting import clean
from console.terminal import Terminal, copying, telling
from console.widgets.filters import AsciiGlyphs
from console.widgets.themes import MONO, make_theme

if TYPE_CHECKING:
    from console.messages import AttentionWanted
    from core.models.console import ConsoleOptions

MOST_TOASTS = 3
MOST_COPIED = 100_000
"""Bytes of a text that terminals are known to take by OSC 52 (xterm's own limit is near it)."""


class OutwardApp(App[None]):
    """The app's ways out; sequences go through the driver, as Textual's own do."""

    def __init__(self, terminal: Terminal | None = None, theme: str = "") -> None:
        super().__init__()
        # Textual has read NO_COLOR: it holds too where nobody looked at the terminal.
        self.terminal = terminal or (Terminal("mono", colour=False) if self.no_color else Terminal())
        self._told_at: float | None = None
        first = make_theme(self._suited(theme or "auto"))
        self._glyphs = AsciiGlyphs(enabled=not self.terminal.unicode)
        self._colourless = NoColor(enabled=first.name == MONO)
        # Where NO_COLOR is set Textual greys what it draws; we draw without any colour, whatever asks for it.
        self._filters = [each for each in self._filters if not isinstance(each, Monochrome | NoColor)]
        self._filters += [self._glyphs, self._colourless]
        self.register_theme(first)
        # Set before the start, so that the style sheets are read once.
        self.set_reactive(App.theme, first.name)
        self.stylesheet.set_variables(self.get_css_variables())
        for line_filter in self._filters:
            if isinstance(line_filter, ANSIToTruecolor):
                line_filter.enabled = not first.ansi

    @property
    def options(self) -> ConsoleOptions | None:
        """The settings of the screen, None until they are read."""
        raise NotImplementedError

    def _suited(self, wished: str) -> str:
        """A wish for colours gives way to a terminal that has none."""
        return self.terminal.theme if wished == "auto" or not self.terminal.colour else wished

    def dress(self, theme: str, glyphs: str) -> None:
        """Draw in that theme and with those glyphs from now on; ``auto`` is what suits the terminal."""
        plain = glyphs == "ascii" or (glyphs == "auto" and not self.terminal.unicode)
        if plain != self._glyphs.enabled:
            self._glyphs.enabled = plain
            for screen in self.screen_stack:
                for widget in (screen, *screen.query("*")):
                    widget.notify_style_update()  # what is kept of it was drawn with the other glyphs
                    widget.refresh()
        new = make_theme(self._suited(theme))
        if new.name != self.theme:
            self.register_theme(new)
            self._colourless.enabled = new.name == MONO
            self.theme = new.name

    def _on_notify(self, event: Notify) -> None:
        """Make room for a toast: the same one again takes the first one's place, and only the newest few stay.

        Textual's own handler, which runs after this one, shows it.
        """
        new = event.notification
        waiting = []
        for old in list(self._notifications):
            if (old.message, old.title) == (new.message, new.title):
                del self._notifications[old]
            else:
                waiting.append(old)
        # What went wrong stays longest: it goes only where nothing else is left to go.
        waiting.sort(key=lambda each: (each.severity == "error", each.raised_at))
        for old in waiting[: max(0, len(waiting) - MOST_TOASTS + 1)]:
            del self._notifications[old]

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by OSC 52, through tmux and screen too."""
        self._clipboard = text
        data = text.encode("utf-8")
        if len(data) > MOST_COPIED:
            self.notify(
                f"{len(data)} bytes are more than terminals take: the first {MOST_COPIED} were sent",
                severity="warning",
                timeout=6,
                markup=False,
            )
            data = data[:MOST_COPIED].decode("utf-8", "ignore").encode("utf-8")
        if self._driver is not None:
            self._driver.write(copying(base64.b64encode(data).decode("ascii"), self.terminal.inside))

    def on_attention_wanted(self, message: AttentionWanted) -> None:
        """Ring and tell the desktop, where the settings want it, and not oftener than they say."""
        options = self.options
        if options is None or self._driver is None or not (options.bell or options.notify != "off"):
            return
        now = monotonic()
        if self._told_at is not None and now - self._told_at < options.notify_every_s:
            return
        self._told_at = now
        if options.bell:
            self._driver.write("\a")
        if options.notify != "off":
            self._driver.write(telling(clean(message.text, 200), options.notify, self.terminal.inside))
