"""What every poller shares: the parts that it meets through ports, and its paces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from core.events import EventBus
from core.exceptions import InfrastructureException
from core.live_state import LiveState
from core.models import Host, HostSample, Reason
from core.polling.assess import Limits
from core.polling.backoff import Backoff, Breaker
from core.polling.inspector import Inspection
from core.ports import Clock, SampleSink, SessionFactory


class Assembler(Protocol):
    """Turns frames of one host into samples; keeps the counters that rates need."""

    def feed(self, frame: bytes, received: datetime) -> HostSample: ...


@dataclass(frozen=True, slots=True)
class PollingContext:
    """What every poller shares."""

    factory: SessionFactory
    assembler: Callable[[str], Assembler]
    sink: SampleSink
    live: LiveState
    bus: EventBus
    clock: Clock
    reason_of: Callable[[InfrastructureException], Reason]
    limits: Limits
    backoff: Backoff
    interval_s: float
    stale_after_intervals: float = 3.0
    broken_frames: int = 3
    inspection: Inspection | None = None  # None: no slow collectors
    items_every_s: float = 10.0  # between two stored rows of a disk or an interface
    breaker: Breaker = field(default_factory=Breaker)
    answers: Callable[[Host], Awaitable[bool]] | None = None  # a knock at the port of a host that was away
    knock_s: float = 10.0  # between two of them; chance adds up to as much again
