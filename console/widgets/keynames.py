"""Keys as people write them, and the key that a binding has now."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.keys import key_to_character

_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "escape": "esc",
    "space": "space",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def key_name(binding: Binding, bound_anew: bool = False) -> str:
    """Return the key as people write it; one that was bound anew is not what its class says of it."""
    if binding.key_display and not bound_anew:
        return binding.key_display
    if name := _NAMES.get(binding.key):
        return name
    if binding.key.startswith("upper_") and len(binding.key) == 7:
        return binding.key[-1].upper()
    *modifiers, last = binding.key.split("+")
    sign = key_to_character(last) if len(last) > 1 else None
    signs = {"ctrl": "^", "shift": "⇧"}
    before = "".join(signs.get(each, each + "+") for each in modifiers)
    return before + (sign if sign and sign.isprintable() and sign != " " else last)


def key_of(app: App[Any], binding_id: str, default: str) -> str:
    """Return the key that a binding has now, for texts that name it."""
    bound: str | None = app._keymap.get(binding_id)
    return default if bound is None else key_name(Binding(bound.split(",")[0], "", ""))
