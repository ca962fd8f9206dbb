"""What panes ask of the screen above them; they know neither actions nor services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from core.models import FleetView, PlanRequest


@dataclass
class ViewPosted(Message):
    """A newer view is there; sent to the app, at most one is under way."""

    view: FleetView


@dataclass
class HostWanted(Message):
    """Show one host in the Host pane."""

    host: str


@dataclass
class PlanWanted(Message):
    """Plan an action and show it in the drawer."""

    request: PlanRequest


@dataclass
class MaintenanceWanted(Message):
    """Put hosts into maintenance, or take them out of it where all are in it."""

    hosts: tuple[str, ...]


@dataclass
class AlertWanted(Message):
    """Say something of alerts: ``ack``, ``silence`` or ``unsilence``."""

    what: str
    keys: tuple[str, ...]


@dataclass
class PollWanted(Message):
    """Poll one host now, or all of them."""

    host: str | None


@dataclass
class IntervalWanted(Message):
    """Poll one host, or all, slower or faster by this factor."""

    host: str | None
    factor: float


@dataclass
class CopyWanted(Message):
    """Put a text on the clipboard (OSC 52); ``what`` names it."""

    text: str
    what: str


@dataclass
class PaneLeft(Message):
    """The pane has nothing more to close; go back to where the person came from."""


@dataclass
class Remark(Message):
    """A short note for the person, told as a toast."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


@dataclass
class AttentionWanted(Message):
    """Something that a person should hear of away from the screen: the bell, a message on the desktop."""

    text: str
    severity: Literal["information", "warning", "error"] = "warning"
