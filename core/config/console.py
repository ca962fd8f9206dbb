"""The settings of the screen itself, and the keys that its user binds anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from core.config.fields import Section
from core.config.layers import Layer

KEYS = "keys"
"""The file's table of keys: binding ids to keys; no section, for its keys are as many as there are bindings."""
_MOST = 500


class ConsoleSettings(Section):
    """How the screen looks and speaks. A change in the file is taken up while the console runs."""

    section: ClassVar[str] = "console"

    theme: Literal["auto", "dark", "light", "contrast", "ansi", "mono"] = Field(
        default="auto",
        description="colours: `ansi` are the terminal's own 16, `mono` none; `auto`: what was last chosen, "
        "else what the terminal can do",
    )
    glyphs: Literal["auto", "unicode", "ascii"] = Field(
        default="auto",
        description="`ascii` draws with plain characters; `auto`: where the locale is not UTF-8, or on a Linux console",
    )
    plain: bool = Field(
        default=False, description="lines of text instead of a screen, for screen readers; flag `--plain`"
    )
    remember: bool = Field(default=True, description="whether pane, sort, filter, clock and theme are remembered")
    bell: bool = Field(default=False, description="whether the terminal's bell rings for an alert")
    notify: Literal["off", "osc9", "osc777"] = Field(
        default="off", description="whether the terminal shows alerts on the desktop, and by which sequence"
    )
    notify_every_s: float = Field(
        default=10.0, ge=1, le=3600, description="seconds between two bells or desktop messages at the least"
    )


def take_keys(layer: Layer) -> tuple[Layer, dict[str, str], list[str]]:
    """Return a file's layer without its table of keys, the keys by binding id, and what is wrong with them."""
    if KEYS not in layer.values or layer.variables:
        return layer, {}, []
    keys: dict[str, str] = {}
    problems: list[str] = []
    for name, value in _flat(layer.values[KEYS]):
        words = [value] if isinstance(value, str) else value if isinstance(value, list) else None
        if not words or not all(isinstance(word, str) and word.strip() and len(word) <= 40 for word in words):
            problems.append(f'{layer.label}: {KEYS}.{name} must be a key or a list of keys, such as "o" or ["o", "f5"]')
        elif len(keys) < _MOST:
            keys[name] = ",".join(word if len(word) == 1 else word.strip() for word in words)
    rest = {section: values for section, values in layer.values.items() if section != KEYS}
    return Layer(layer.label, rest, layer.variables), keys, problems


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the table's entries: ``fleet.sort = "o"`` is a table within the table, as TOML reads it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value
