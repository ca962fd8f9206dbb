"""Key hints and help rows, made from the bindings that are live at the moment."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.screen import Screen

from console.widgets.keynames import key_name, key_of

Hint = tuple[str, str, str]


# Textual's own: ctrl+c copies what a mouse selected, and our lists and sheets let nothing be selected.
_UNTOLD = ("copy_text", "help_quit")


def live_bindings(screen: Screen[Any]) -> list[Any]:
    """Return the bindings that do something now and have a word for it: what the help lists."""
    untold = _UNTOLD if len(screen.focus_chain) > 1 else (*_UNTOLD, "focus_next", "focus_previous")
    return [
        each
        for each in screen.active_bindings.values()
        if each.enabled
        and each.binding.description
        and not each.binding.key.startswith("super")
        and each.binding.action.rpartition(".")[2] not in untold
    ]


def hint_rows(screen: Screen[Any]) -> tuple[tuple[Hint, ...], tuple[Hint, ...]]:
    """Return the hints of the live bindings, and those that always stand at the right."""
    hints: dict[str, Hint] = {}
    for each in live_bindings(screen):
        binding = each.binding
        wanted = binding.show and not binding.system and each.node is not screen.app
        if wanted and binding.description not in hints:
            name = key_name(binding, binding.id in screen.app._keymap)
            hints[binding.description] = (name, binding.description, binding.action)
    leave = "quit" if getattr(screen, "shown", "fleet") == "fleet" else "back"
    last = (
        (key_of(screen.app, "main.help", "?"), "help", "screen.help"),
        (key_of(screen.app, "main.leave", "q"), leave, "screen.leave"),
    )
    return tuple(hints.values()), last


def help_rows(screen: Screen[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (group, [(keys, what they do)]) of every live binding, nearest first."""
    groups: dict[str, dict[str, list[str]]] = {}
    for each in live_bindings(screen):
        group = "Everywhere" if each.node is screen or isinstance(each.node, App) else type(each.node).__name__
        keys = groups.setdefault(_GROUPS.get(group, group), {}).setdefault(
            each.binding.tooltip or each.binding.description, []
        )
        if (name := key_name(each.binding, each.binding.id in screen.app._keymap)) not in keys:
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
    "AlertsPane": "Alerts",
    "AlertList": "Lists",
    "EventsPane": "Events",
    "EventList": "Lists",
    "DatabasePane": "Database",
    "TableList": "Lists",
    "ChunkList": "Lists",
    "JobList": "Lists",
    "SessionList": "Lists",
    "SizeList": "Lists",
    "DatabaseRequests": "Database",
    "ChunkStrips": "Chunk strips",
}
