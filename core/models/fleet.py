"""Everything that the panes may know at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from core.models.database_view import DatabaseView, WriterStats
from core.models.inspection import PollingView

if TYPE_CHECKING:
    from core.models.alerts import Alert
    from core.models.hosts import HostKeyReview, HostView, SecretRequest
    from core.models.replay import PastView


class PollerRole(StrEnum):
    """One poller a database; the others look on."""

    STARTING = "starting"
    POLLER = "poller"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as the Events pane shows it."""

    ts: datetime
    type: str
    severity: str  # info, warning, error
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that the panes may know at one moment; immutable."""

    at: datetime
    live: bool = True
    hosts: tuple[HostView, ...] = ()
    database: DatabaseView = DatabaseView()
    role: PollerRole = PollerRole.STARTING
    role_detail: str = ""
    writer: WriterStats = WriterStats()
    reviews: tuple[HostKeyReview, ...] = ()
    secrets: tuple[SecretRequest, ...] = ()
    events: tuple[EventLine, ...] = ()  # newest last
    notices: tuple[str, ...] = ()  # standing lines, such as what the demo falls back to
    lag_s: float | None = None  # worst poll lag of the online hosts
    bus: Mapping[str, int] = field(default_factory=dict)
    polling: PollingView = PollingView()
    version: int = 0
    alerts: tuple[Alert, ...] = ()  # worst first; those that are over stand last for an hour
    past: PastView | None = None  # of a moment that is over: what it was made of
