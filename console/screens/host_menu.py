"""What may be done to hosts, as a list to choose from; choosing opens a drawer, a question, a log or a shell."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from console.formatting import clean
from console.messages import (
    ContainerWanted,
    CopyFileWanted,
    LogsWanted,
    MaintenanceWanted,
    RebootWanted,
    RunWanted,
    ShellWanted,
    UnitWanted,
)
from console.screens.base import Cover
from console.widgets.line import Line
from console.widgets.linelist import LineList
from core.models import ContainerFigures, ServiceFigures

if TYPE_CHECKING:
    from console.messages import Item
    from core.models import FleetView, HostView


@dataclass(frozen=True)
class Choice:
    """One thing that may be done; ``level`` as the severities have it."""

    text: str
    note: str
    wanted: Message
    level: int = 0

    def __hash__(self) -> int:
        return hash((self.text, self.note))


class MenuList(LineList):
    """One line a choice."""

    HEADER = False

    def fingerprint(self, row: Hashable) -> Hashable:
        return 0

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, Choice)
        look = self.palette
        name = min(44, max(20, width * 3 // 5))
        line = Line().gap().cell(clean(row.text), name, look.strong).gap()
        return line.cell(clean(row.note), width - line.width, look.level(row.level) if row.level else look.dim)


class HostMenu(Cover[Message | None]):
    """Answers with the request that was chosen; escape asks for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "close", "close")]

    def __init__(self, hosts: tuple[str, ...], view: FleetView, item: Item | None = None) -> None:
        super().__init__()
        self._hosts, self._item = hosts, item
        self._view = next((each for each in view.hosts if each.host.name == hosts[0]), None)

    def compose(self) -> ComposeResult:
        who = self._hosts[0] if len(self._hosts) == 1 else f"{len(self._hosts)} marked hosts"
        if self._item is not None:
            who = f"{self._item[1]} of {who}"
        with Vertical(classes="dialog wide", id="menu"):
            yield Static(f"Actions on {clean(who)}", classes="dialog-title", markup=False)
            yield MenuList(id="menu-list")
            yield Static("enter choose  esc close; nothing is done before its plan is confirmed", id="menu-note")

    def on_mount(self) -> None:
        menu = self.query_one(MenuList)
        menu.set_rows(choices(self._hosts, self._view, self._item))
        menu.focus()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        row = self.query_one(MenuList).current
        self.dismiss(row.wanted if isinstance(row, Choice) else None)

    def action_close(self) -> None:
        self.dismiss(None)


def choices(hosts: tuple[str, ...], view: HostView | None, item: Item | None = None) -> list[Choice]:
    """Return what may be done: for one host also its units and containers, those that failed first.

    What is done to ``item``, a unit or container that these hosts have, stands before all else.
    """
    found: list[Choice] = []
    one = len(hosts) == 1
    if one and view is not None:
        found += sorted(_units(view), key=lambda each: -each.level)
    elif item is not None and item[0] == "unit":
        found += _unit_everywhere(hosts, item[1])
    found.append(Choice("restart a unit …", "its name is asked", UnitWanted(hosts, "")))
    found.append(Choice("run a command …", "saved or typed, outputs side by side", RunWanted(hosts)))
    if one:
        found.append(Choice("follow the journal", "live, newest last", LogsWanted(hosts[0])))
        found.append(Choice("open a shell", "ssh in this terminal; polling goes on", ShellWanted(hosts[0])))
        found.append(Choice("copy a file …", "to or from the host", CopyFileWanted(hosts[0])))
        if view is not None:
            found += _containers(view)
    found.append(Choice("maintenance …", "on or off", MaintenanceWanted(hosts)))
    found.append(Choice("reboot", "tells who is logged in first", RebootWanted(hosts), 1))
    if item is not None:
        kind, name = item
        found.sort(key=lambda each: getattr(each.wanted, kind, "") != name)
    return found


def _unit_everywhere(hosts: tuple[str, ...], unit: str) -> Iterator[Choice]:
    yield Choice(f"restart {unit}", f"on {len(hosts)} hosts, one first", UnitWanted(hosts, unit))
    yield Choice(f"start {unit}", "", UnitWanted(hosts, unit, "start"))
    yield Choice(f"stop {unit}", "", UnitWanted(hosts, unit, "stop"))


def _units(view: HostView) -> Iterator[Choice]:
    name = view.host.name
    found = view.findings.get("services")
    value = found.finding.value if found else None
    for unit in value if isinstance(value, tuple) else ():
        if isinstance(unit, ServiceFigures):
            note, level = ("✗ failed", 2) if unit.failed else (unit.active or "", 0)
            yield Choice(f"restart {unit.unit}", note, UnitWanted((name,), unit.unit), level)
            yield Choice(f"follow the log of {unit.unit}", note, LogsWanted(name, unit=unit.unit), level)
            if unit.active == "active":
                yield Choice(f"stop {unit.unit}", note, UnitWanted((name,), unit.unit, "stop"))
            elif not unit.failed:
                yield Choice(f"start {unit.unit}", note, UnitWanted((name,), unit.unit, "start"))


def _containers(view: HostView) -> Iterator[Choice]:
    name = view.host.name
    found = view.findings.get("containers")
    value = found.finding.value if found else None
    for one in value if isinstance(value, tuple) else ():
        if isinstance(one, ContainerFigures):
            bad = one.health == "unhealthy" or one.state in ("restarting", "dead")
            note, level = f"{'✗ ' if bad else ''}{one.engine}: {one.status or one.state}", 2 if bad else 0
            yield Choice(f"restart {one.name}", note, ContainerWanted(name, one.name, one.engine), level)
            yield Choice(f"follow the log of {one.name}", note, LogsWanted(name, "", one.name, one.engine), level)
            if one.state in ("running", "restarting"):
                yield Choice(f"stop {one.name}", note, ContainerWanted(name, one.name, one.engine, "stop"))
            else:
                yield Choice(f"start {one.name}", note, ContainerWanted(name, one.name, one.engine, "start"))
