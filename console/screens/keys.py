"""Key hints and help rows, made from the bindings that are live at the moment."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.screen import Screen

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
Hint = tuple[str, str, str]


def key_name(binding: Binding) -> str:
    """Return the key as people write it."""
    if binding.key_display:
        return binding.key_display
    return _NAMES.get(binding.key, binding.key.replace("ctrl+", "^").replace("shift+", "⇧"))


def _live(screen: Screen[Any]) -> list[Any]:
    return [
        each
        for each in screen.active_bindings.values()
        if each.enabled and each.binding.description and not each.binding.key.startswith("super")
    ]


def hint_rows(screen: Screen[Any]) -> tuple[tuple[Hint, ...], tuple[Hint, ...]]:
    """Return the hints of the live bindings, and those that always stand at the right."""
    hints: dict[str, Hint] = {}
    for each in _live(screen):
        binding = each.binding
        wanted = binding.show and not binding.system and each.node is not screen.app
        if wanted and binding.description not in hints:
            hints[binding.description] = (key_name(binding), binding.description, binding.action)
    return tuple(hints.values()), (("?", "help", "screen.help"), ("q", "quit", "screen.leave"))


def help_rows(screen: Screen[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (group, [(keys, what they do)]) of every live binding, nearest first."""
    groups: dict[str, dict[str, list[str]]] = {}
    for each in _live(screen):
        group = "Everywhere" if each.node is screen or isinstance(each.node, App) else type(each.node).__name__
        keys = groups.setdefault(_GROUPS.get(group, group), {}).setdefault(
            each.binding.tooltip or each.binding.description, []
        )
        if (name := key_name(each.binding)) not in keys:
            keys.append(name)
    ordered = sorted(groups, key=lambda group: _LAST.get(group, 0))
    return [(group, [(" ".join(keys), what) for what, keys in groups[group].items()]) for group in ordered]


_LAST = {"Everywhere": 1, "Lists": 2}
_GROUPS = {
    "FleetTable": "Lists",
    "ItemTable": "Lists",
    "FilterBar": "Filter",
    "ContainersPane": "Containers",
    "ServicesPane": "Services",
    "StoragePane": "Storage",
    "ProxiesPane": "Proxies",
    "LinesView": "Lists",
    "FleetPane": "Fleet",
    "HostPane": "Host",
    "EventsPane": "Events",
    "EventList": "Lists",
    "DatabasePane": "Database",
    "TableList": "Lists",
    "ChunkList": "Lists",
    "JobList": "Lists",
    "ChunkStrips": "Chunk strips",
}
