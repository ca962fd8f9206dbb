"""Every key of the help is pressed on every pane, and on every screen that a key leads to, until it shows an effect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from textual.binding import ActiveBinding, Binding
from textual.command import CommandPalette
from textual.widgets import Input

from console.screens.tabs import TABS, Tab
from console.widgets.linesview import LinesView
from tests.console.snapshots.scenes import name_of
from tests.console.walking import Walk

# What may have to be done before a key has something to act on.
CONTEXTS: tuple[tuple[str, ...], ...] = ((), ("g",), ("j", "j"), ("G",), ("left",), ("space",), ("slash", "e", "enter"))
SCREEN_CONTEXTS: tuple[tuple[str, ...], ...] = ((), ("j",), ("k",), ("G",), ("l",))
SECTIONS = 6  # so often tab is pressed to come to the other lists of a pane
DEEPEST = 3  # screens upon screens

_COUNTED = re.compile(r"[✗▲]\d+")  # of a list that is not shown: counted by and by, a list a second

# Keys with no effect to be seen, and why; by the binding's id, or by its action where it has none.
DECLARED: dict[str, str] = {
    "HeatGrid.step(0, 1)": "the fleet of the fakes is one row of the map; test_compare_heat walks a map of many",
    "HeatGrid.step(0, -1)": "the same",
}
_TEXT = frozenset(each.action for each in Input.BINDINGS if isinstance(each, Binding))  # Textual's own, for editing


@dataclass
class Found:
    """What the walk saw."""

    dead: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)  # a line a key: where, key, what it says, what was seen
    routes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tried: int = 0


def _what(binding: ActiveBinding) -> str:
    return binding.binding.id or binding.binding.action


def state(walk: Walk) -> dict[str, Any]:
    """All by which an effect may show, the most telling first."""
    app = walk.app
    return {
        "leaves": walk.left,
        "screens": [*app.screen_stack],
        "pane": app.main.pane.id,
        "calls": [*walk.services.calls],
        "says": {note.identity: note.message for note in app._notifications},
        "copies": app.clipboard,
        "theme": app.theme,
        "cells": walk.cells(),
        "focus": app.focused,
    }


def effect(walk: Walk, before: dict[str, Any]) -> str:
    """Return in words what came of a key since that state; empty where nothing did."""
    after = state(walk)
    changed = {name for name in after if after[name] != before[name]}
    if "leaves" in changed:
        return "leaves the program"
    said = []
    if "screens" in changed:
        opened = len(after["screens"]) >= len(before["screens"])
        said.append(f"opens {name_of(walk)}" if opened else "closes")
    if "pane" in changed:
        said.append(f"goes to {after['pane']}")
    if calls := sorted(set(after["calls"][len(before["calls"]) :])):
        said.append(f"asks {', '.join(calls)}")
    said += [f"says {text!r}" for key, text in after["says"].items() if key not in before["says"]]
    if "copies" in changed:
        said.append(f"copies {after['copies']!r}"[:60])
    if "theme" in changed:
        said.append(f"theme {after['theme']}")
    if not said and "cells" in changed:
        row = next(new for new, old in zip(after["cells"], before["cells"], strict=True) if new != old)
        words = "".join(text for text, _ in row).split()
        said.append("shows " + " ".join(word for word in words if not _COUNTED.fullmatch(word))[:90])
    if not said and "focus" in changed:
        said.append(f"focus on {type(after['focus']).__name__}")
    return "; ".join(said)


def _ours(thing: object) -> bool:
    """What is of Textual alone, such as the keys of a text field, is not for us to walk."""
    if isinstance(thing, CommandPalette):  # its keys are Textual's own
        return False
    return any(each.__module__.startswith("console.") for each in type(thing).__mro__)


def _excused(walk: Walk, binding: ActiveBinding) -> bool:
    """Scrolling has no effect where all is seen already; that is declared here once for all sheets."""
    action = binding.binding.action
    if isinstance(binding.node, Input) and (action in _TEXT or not _ours(binding.node)):
        return True
    if DECLARED.keys() & {_what(binding), action, f"{type(binding.node).__name__}.{action}"}:
        return True
    if isinstance(binding.node, LinesView) and binding.node.max_scroll_y == 0:
        return (binding.binding.id or "").startswith("sheet.")
    sheets = [sheet for sheet in walk.screen.query(LinesView) if sheet.display]
    scrolls = "scroll" in action or "scroll" in binding.binding.description
    return scrolls and all(sheet.max_scroll_y == 0 for sheet in sheets)


async def _out_of_text(walk: Walk) -> None:
    """Leave the filter or the command line: all keys are text there."""
    for _ in range(3):
        if not isinstance(walk.app.focused, Input):
            return
        await walk.press("escape")
    raise AssertionError(f"three escapes do not leave {walk.app.focused!r} after {walk.pressed[-12:]}")


async def _to_pane(walk: Walk, tab: Tab, before: Sequence[str]) -> None:
    await walk.home()
    walk.services.restock()
    await _out_of_text(walk)
    await walk.afresh(tab.name)
    if walk.app.main.pane.id != tab.name:
        await walk.press(tab.key)
    walk.app.main.pane.focus_main()
    await walk.settle()
    await walk.press(*before)
    walk.app.clear_notifications()
    await walk.settle()


def sure(effects: Sequence[str]) -> list[str]:
    """Return what of the effects does not hang on when something is drawn: where the key leads."""
    kept = []
    for line in effects:
        key, _, seen = line.partition(" -> ")
        leads = [part for part in seen.split("; ") if part.split()[0] in ("opens", "closes", "leaves", "goes")]
        kept.append(f"{key} -> {'; '.join(leads)}")
    return kept


async def _effect(walk: Walk, key: str) -> str:
    before = state(walk)
    await walk.press(key)
    return effect(walk, before)


async def pane_keys(walk: Walk, tab: Tab) -> Found:
    """Press every key of that pane's help, in each of its lists; note the screens that are reached."""
    found, seen = Found(), set()
    first: list[str] = []
    for times in range(SECTIONS):
        section = ("tab",) * times
        await _to_pane(walk, tab, section)
        if times and walk.text() == first:
            break  # once around
        first = first or walk.text()
        for live in walk.live():
            ident = (type(live.node).__name__, live.binding.action)
            if ident in seen or _excused(walk, live):  # another key of the same action
                continue
            seen.add(ident)
            found.tried += 1
            await _pane_key(walk, tab, section, live, found)
    return found


async def _pane_key(walk: Walk, tab: Tab, section: tuple[str, ...], live: ActiveBinding, found: Found) -> None:
    for context in CONTEXTS:
        if live.binding.action == f"pane('{tab.name}')":
            return  # it is there already
        await _to_pane(walk, tab, (*section, *context))
        if seen := await _effect(walk, live.binding.key):
            found.effects.append(f"{tab.title}: {live.binding.key} ({live.binding.description}) -> {seen}")
            if walk.screen is not walk.app.main and _ours(walk.screen):
                found.routes.setdefault(name_of(walk), (tab.key, *section, *context, live.binding.key))
            await walk.home()
            return
    found.dead.append(f"{tab.title}: {live.binding.key} ({live.binding.description}, {_what(live)}) does nothing")


async def screen_keys(walk: Walk, name: str, route: tuple[str, ...], deep: int = 1) -> Found:
    """Press every key of the screen that the route leads to."""
    found = Found()

    async def there() -> bool:
        await walk.home()
        walk.services.restock()
        await _out_of_text(walk)
        await walk.afresh(next(tab.name for tab in TABS if tab.key == route[0]))
        await walk.press(*route)
        walk.app.clear_notifications()
        await walk.settle()
        return name_of(walk) == name

    if not await there():
        found.dead.append(f"{name}: {' '.join(route)} does not lead there a second time")
        return found
    actions = {(type(live.node).__name__, live.binding.action): live for live in reversed(walk.live())}
    for live in actions.values():
        if not _ours(live.node) or _excused(walk, live):
            continue
        found.tried += 1
        for context in SCREEN_CONTEXTS:
            if not await there():
                continue
            await walk.press(*context)
            if name_of(walk) != name:
                continue
            if seen := await _effect(walk, live.binding.key):
                found.effects.append(f"{name}: {live.binding.key} ({live.binding.description}) -> {seen}")
                there_now = walk.screen
                if there_now is not walk.app.main and _ours(there_now) and name_of(walk) != name and deep < DEEPEST:
                    found.routes.setdefault(name_of(walk), (*route, *context, live.binding.key))
                break
        else:
            found.dead.append(f"{name}: {live.binding.key} ({live.binding.description}) does nothing")
    return found


async def every_key(walk: Walk) -> Found:
    """Walk all panes and all screens."""
    whole = Found()
    waiting: list[tuple[str, tuple[str, ...], int]] = []
    walked: set[str] = set()

    def take(found: Found, deep: int) -> None:
        whole.dead += found.dead
        whole.tried += found.tried
        for name, route in found.routes.items():
            if name not in whole.routes:
                whole.routes[name] = route
                waiting.append((name, route, deep))

    for tab in TABS:
        take(await pane_keys(walk, tab), 1)
    while waiting:
        name, route, deep = waiting.pop(0)
        if name.startswith("Drawer-") and "Drawer" in walked:
            continue  # they differ in the plan alone
        walked.add(name.partition("-")[0])
        take(await screen_keys(walk, name, route, deep), deep + 1)
    return whole
