"""What panes ask of the screen above them; they know neither actions nor services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from textual.message import Message

if TYPE_CHECKING:  # no request is made before the first paint
    from core.models import FleetView, HostPlot, ItemPlot, PlanRequest

Item = tuple[Literal["unit", "container"], str]  # what runs on a host, by kind and name


@dataclass(eq=False, repr=False)
class ViewPosted(Message):
    """A newer view is there; sent to the app, at most one is under way."""

    view: FleetView


@dataclass(eq=False, repr=False)
class HostWanted(Message):
    """Show one host in the Host pane."""

    host: str


@dataclass(eq=False, repr=False)
class PlanWanted(Message):
    """Plan an action and show it in the drawer."""

    request: PlanRequest


@dataclass(eq=False, repr=False)
class MaintenanceWanted(Message):
    """Put hosts into maintenance, or take them out of it where all are in it."""

    hosts: tuple[str, ...]


@dataclass(eq=False, repr=False)
class AlertWanted(Message):
    """Say something of alerts: ``ack``, ``silence`` or ``unsilence``."""

    what: str
    keys: tuple[str, ...]


@dataclass(eq=False, repr=False)
class PollWanted(Message):
    """Poll one host now, or all of them."""

    host: str | None


@dataclass(eq=False, repr=False)
class IntervalWanted(Message):
    """Poll one host, or all, slower or faster by this factor."""

    host: str | None
    factor: float


@dataclass(eq=False, repr=False)
class CopyWanted(Message):
    """Put a text on the clipboard (OSC 52); ``what`` names it."""

    text: str
    what: str


@dataclass(eq=False, repr=False)
class PaneLeft(Message):
    """The pane has nothing more to close; go back to where the person came from."""


@dataclass(eq=False, repr=False)
class Remark(Message):
    """A short note for the person, told as a toast."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


@dataclass(eq=False, repr=False)
class PlotWanted(Message):
    """Read a host's past in [start, until); ``take`` gets the plot, or None and why there is none."""

    host: str
    start: datetime
    until: datetime
    points: int
    take: Callable[[PlotWanted, HostPlot | None, str], None]


@dataclass(eq=False, repr=False)
class ItemPlotWanted(Message):
    """Read the past of a container or unit (kind and name) of a host; ``take`` gets the plot, None where it failed."""

    host: str
    item: tuple[str, str]
    start: datetime
    until: datetime
    points: int
    take: Callable[[ItemPlotWanted, ItemPlot | None], None]


@dataclass(eq=False, repr=False)
class UnitWanted(Message):
    """Act on one unit of hosts: restart, start, stop or reload it."""

    hosts: tuple[str, ...]
    unit: str
    verb: Literal["restart", "start", "stop", "reload"] = "restart"


@dataclass(eq=False, repr=False)
class ContainerWanted(Message):
    """Act on one container of a host; ``engine`` is docker or podman, as the collector found it."""

    host: str
    container: str
    engine: str
    verb: Literal["restart", "start", "stop"] = "restart"


@dataclass(eq=False, repr=False)
class RebootWanted(Message):
    """Reboot hosts, after a plan that tells who is logged in there."""

    hosts: tuple[str, ...]


@dataclass(eq=False, repr=False)
class RunWanted(Message):
    """Ask for a saved or typed command, to be run on these hosts."""

    hosts: tuple[str, ...]


@dataclass(eq=False, repr=False)
class LogsWanted(Message):
    """Follow the log of a host, of one of its units, or of one of its containers (``engine`` is needed then)."""

    host: str
    unit: str = ""
    container: str = ""
    engine: str = ""


@dataclass(eq=False, repr=False)
class ShellWanted(Message):
    """Open an interactive ssh to the host in this terminal, and come back."""

    host: str


@dataclass(eq=False, repr=False)
class CopyFileWanted(Message):
    """Ask for a file to be copied to or from the host."""

    host: str


@dataclass(eq=False, repr=False)
class HostActionsWanted(Message):
    """Show what may be done to these hosts, as a list to choose from; first what is done to that item of theirs."""

    hosts: tuple[str, ...]
    item: Item | None = None


@dataclass(eq=False, repr=False)
class DetailWanted(Message):
    """Show one thing with all of its text: names and values."""

    title: str
    facts: tuple[tuple[str, str], ...]


@dataclass(eq=False, repr=False)
class PolicyWanted(Message):
    """Ask which policy of the database is to have which age."""


@dataclass(eq=False, repr=False)
class RefreshWanted(Message):
    """Ask how far back a rollup is to be rolled up anew."""

    rollup: str


@dataclass(eq=False, repr=False)
class CompareWanted(Message):
    """Set these hosts side by side."""

    hosts: tuple[str, ...]


@dataclass(eq=False, repr=False)
class HeatWanted(Message):
    """Show the whole fleet as a map, a cell a host; ``host`` is under the cursor."""

    host: str | None


@dataclass(eq=False, repr=False)
class AttentionWanted(Message):
    """Something that a person should hear of away from the screen: the bell, a message on the desktop."""

    text: str
    severity: Literal["information", "warning", "error"] = "warning"
