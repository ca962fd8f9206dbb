"""The latest of every host with a short bounded history: the live ViewSource."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from core.events import BaseEvent
from core.models import (
    DatabaseView,
    EventLine,
    FleetView,
    Host,
    HostHistory,
    HostKeyReview,
    HostSample,
    HostState,
    HostView,
    PollerRole,
    Reason,
    SecretRequest,
    Transition,
    WriterStats,
)
from core.ports import Clock

_SLOW_SECTIONS_KEPT_S = 60.0  # df runs less often than the loop: its figures stand this long, then are unknown


def fullest(sample: HostSample) -> float | None:
    """Return the highest used percentage of the sample's filesystems."""
    return max((p for f in sample.filesystems or () if (p := f.used_pct) is not None), default=None)


def _net(sample: HostSample) -> float | None:
    rates = [r for i in sample.interfaces or () for r in (i.rx_bps, i.tx_bps) if r is not None]
    return sum(rates) if rates else None


def _busiest(sample: HostSample) -> float | None:
    return max((d.busy_pct for d in sample.disks or () if d.busy_pct is not None), default=None)


@dataclass(slots=True)
class _Record:
    host: Host
    points: deque[tuple[datetime, tuple[float | None, ...]]]
    state: HostState = HostState.UNKNOWN
    reason: Reason = Reason.PENDING
    detail: str = ""
    since: datetime | None = None
    sample: HostSample | None = None
    filesystems_at: datetime | None = None
    failures: int = 0
    next_try: datetime | None = None
    lag_s: float | None = None
    version: int = 0
    view: HostView | None = None


@dataclass(slots=True)
class _Standing:
    """What a view tells beside its hosts."""

    database: DatabaseView = field(default_factory=DatabaseView)
    role: PollerRole = PollerRole.STARTING
    role_detail: str = ""
    writer: WriterStats = field(default_factory=WriterStats)
    reviews: tuple[HostKeyReview, ...] = ()
    secrets: tuple[SecretRequest, ...] = ()
    notices: tuple[str, ...] = ()


class LiveState:
    """Keeps what the pollers (or, for a viewer, the database) last said; builds views on demand."""

    def __init__(self, clock: Clock, *, history_points: int = 120, event_history: int = 500) -> None:
        self._clock = clock
        self._history_points = history_points
        self._records: dict[str, _Record] = {}
        self._events: deque[EventLine] = deque(maxlen=event_history)
        self._event_lines: tuple[EventLine, ...] | None = None
        self._standing = _Standing()
        self._version = 0
        self._bus_stats: dict[str, int] = {}

    @property
    def version(self) -> int:
        """Grows with every change; a reader that saw this version has nothing to fetch."""
        return self._version

    def set_hosts(self, hosts: list[Host]) -> None:
        """Take the inventory; what is known of the hosts that stay is kept."""
        kept, self._records = self._records, {}
        for host in hosts:
            record = kept.get(host.name) or _Record(host, deque(maxlen=self._history_points))
            self._records[host.name] = record
            if record.version and record.host == host:
                continue  # a viewer reads the same inventory every few seconds: nothing to draw anew
            record.host = host
            if host.maintenance and record.state is HostState.UNKNOWN:
                record.state = HostState.MAINTENANCE
            self._touch(record)
        if list(kept) != list(self._records):
            self._version += 1

    def apply_sample(self, sample: HostSample, *, lag_s: float | None = None) -> None:
        """Take a fresh sample; one older than what is held is history and changes nothing."""
        record = self._records.get(sample.host)
        if record is None or (record.sample is not None and sample.ts <= record.sample.ts):
            return
        if sample.filesystems is not None:
            record.filesystems_at = sample.ts
        elif record.sample is not None and record.filesystems_at is not None:
            age = (sample.ts - record.filesystems_at).total_seconds()
            if age <= _SLOW_SECTIONS_KEPT_S:
                sample = replace(sample, filesystems=record.sample.filesystems)
        record.sample = sample
        record.lag_s = lag_s
        record.failures, record.next_try = 0, None
        system = sample.system
        figures = (system.cpu_pct, system.mem_pct, _net(sample), system.load1, fullest(sample), _busiest(sample))
        record.points.append((sample.ts, figures))
        self._touch(record)

    def apply_transition(self, transition: Transition) -> None:
        """Take a host's change of state."""
        record = self._records.get(transition.host)
        if record is None:
            return
        if record.state is not transition.new or record.since is None:
            record.since = transition.ts
        record.state, record.reason, record.detail = transition.new, transition.reason, transition.detail
        self._touch(record)

    def set_retry(self, host: str, failures: int, next_try: datetime | None) -> None:
        """Say how many attempts failed in a row and when the next one is due."""
        if record := self._records.get(host):
            record.failures, record.next_try = failures, next_try
            self._touch(record)

    def set_standing(self, **changes: Any) -> None:
        """Replace database, role, role_detail, writer, reviews, secrets or notices."""
        for name, value in changes.items():
            if getattr(self._standing, name) != value:
                setattr(self._standing, name, value)
                self._version += 1

    def set_bus_stats(self, stats: dict[str, int]) -> None:
        """Take the bus's own totals."""
        self._bus_stats = stats

    def record_event(self, event: BaseEvent) -> None:
        """Keep an event as a line; the bus handler of everything that is not quiet."""
        if event.quiet:
            return
        self._events.append(
            EventLine(event.timestamp, event.type, event.severity, event.source or "jumpwatch", event.summary())
        )
        self._event_lines = None
        self._version += 1

    def current(self) -> FleetView:
        """Build the view of now; parts that did not change are the same objects as before."""
        if self._event_lines is None:
            self._event_lines = tuple(self._events)
        standing = self._standing
        hosts = tuple(r.view or self._build(r) for r in self._records.values())
        return FleetView(
            at=self._clock.now(),
            hosts=hosts,
            database=standing.database,
            role=standing.role,
            role_detail=standing.role_detail,
            writer=standing.writer,
            reviews=standing.reviews,
            secrets=standing.secrets,
            events=self._event_lines,
            notices=standing.notices,
            lag_s=max((h.lag_s for h in hosts if h.lag_s is not None and h.state is HostState.ONLINE), default=None),
            bus=self._bus_stats,
            version=self._version,
        )

    async def fleet(self, at: datetime | None = None) -> FleetView:
        """The ViewSource port; the live state holds only now (within a second)."""
        view = self.current()
        if at is not None and abs(view.at - at) > timedelta(seconds=1):
            raise ValueError("the live state holds no past; ask the database")
        return view

    def _touch(self, record: _Record) -> None:
        record.version += 1
        record.view = None
        self._version += 1

    def _build(self, record: _Record) -> HostView:
        points = record.points
        columns = tuple(zip(*(p[1] for p in points), strict=True)) or ((),) * 6
        cpu, mem, net, load, disk, io = columns
        record.view = HostView(
            host=record.host,
            state=record.state,
            reason=record.reason,
            detail=record.detail,
            since=record.since,
            sample=record.sample,
            history=HostHistory(cpu, mem, net, load, disk, io, tuple(p[0] for p in points)),
            version=record.version,
            failures=record.failures,
            next_try=record.next_try,
            lag_s=record.lag_s,
        )
        return record.view
