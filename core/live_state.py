"""The latest of every host with a short bounded history: the live ViewSource."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.events import BaseEvent
from core.models import (
    Alert,
    DatabaseView,
    EventLine,
    FilesystemFigures,
    FleetView,
    Host,
    HostFinding,
    HostKeyReview,
    HostSample,
    HostState,
    HostView,
    PollerRole,
    PollingView,
    Reason,
    SecretRequest,
    Transition,
    WriterStats,
    figures_in,
)
from core.models.making import maker
from core.ports import Clock
from core.recent import RecentFigures
from core.recent_items import KINDS, RecentItems

_make_sample = maker(HostSample)
_SLOW_SECTIONS_KEPT_S = 60.0  # df runs less often than the loop: its figures stand this long, then are unknown


def fullest(sample: HostSample) -> float | None:
    """Return the highest used percentage of the sample's filesystems."""
    most = None
    for f in sample.filesystems or ():
        used, free = f.used, f.available
        if used is not None and free is not None and used + free > 0:
            share = 100.0 * used / (used + free)
            if most is None or share > most:
                most = share
    return most


def _net(sample: HostSample) -> float | None:
    total = None
    for i in sample.interfaces or ():
        for rate in (i.rx_bps, i.tx_bps):
            if rate is not None:
                total = rate if total is None else total + rate
    return total


def _busiest(sample: HostSample) -> float | None:
    most = None
    for d in sample.disks or ():
        busy = d.busy_pct
        if busy is not None and (most is None or busy > most):
            most = busy
    return most


@dataclass(slots=True)
class _Record:
    host: Host
    recent: RecentFigures
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
    findings: dict[str, HostFinding] = field(default_factory=dict)
    items: RecentItems = field(default_factory=RecentItems)


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
    polling: PollingView = field(default_factory=PollingView)
    alerts: tuple[Alert, ...] = ()


def bare(sample: HostSample) -> HostSample:
    """Return the sample without disks and interfaces."""
    return _make_sample(
        sample.host, sample.ts, sample.seq, sample.boot_id, sample.uptime_s, sample.host_clock, sample.system,
        sample.filesystems, None, None, sample.sections, sample.interval_s,
    )  # fmt: skip


def _with_filesystems(sample: HostSample, filesystems: tuple[FilesystemFigures, ...] | None) -> HostSample:
    """Return the sample with these; ``replace`` would take its fields one by one at ten times the price."""
    return _make_sample(
        sample.host, sample.ts, sample.seq, sample.boot_id, sample.uptime_s, sample.host_clock, sample.system,
        filesystems, sample.disks, sample.interfaces, sample.sections, sample.interval_s,
    )  # fmt: skip


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

    @property
    def host_count(self) -> int:
        """How many hosts there are."""
        return len(self._records)

    def set_hosts(self, hosts: list[Host]) -> None:
        """Take the inventory; what is known of the hosts that stay is kept."""
        kept, self._records = self._records, {}
        for host in hosts:
            record = kept.get(host.name) or _Record(host, RecentFigures(self._history_points))
            self._records[host.name] = record
            if record.version and record.host == host:
                continue  # a viewer reads the same inventory every few seconds: nothing to draw anew
            record.host = host
            if host.maintenance and record.state is HostState.UNKNOWN:
                record.state = HostState.MAINTENANCE
            elif not host.maintenance and record.state is HostState.MAINTENANCE:  # over: what it is, a poll will tell
                record.state, record.reason, record.detail = HostState.UNKNOWN, Reason.PENDING, ""
                record.since = None
            self._touch(record)
        if list(kept) != list(self._records):
            self._version += 1

    def apply_sample(self, sample: HostSample, *, lag_s: float | None = None, disk_pct: float | None = None) -> None:
        """Take a fresh sample; one older than what is held is history and changes nothing.

        ``disk_pct`` is that of the sample's fullest filesystem, where it is known already.
        """
        record = self._records.get(sample.host)
        if record is None or (record.sample is not None and sample.ts <= record.sample.ts):
            return
        if sample.filesystems is not None:
            record.filesystems_at = sample.ts
        elif record.sample is not None and record.filesystems_at is not None:
            age = (sample.ts - record.filesystems_at).total_seconds()
            if age <= _SLOW_SECTIONS_KEPT_S:
                sample = _with_filesystems(sample, record.sample.filesystems)
        if disk_pct is None:
            disk_pct = fullest(sample)
        record.sample = sample
        record.lag_s = lag_s
        record.failures, record.next_try = 0, None
        system = sample.system
        figures = (system.cpu_pct, system.mem_pct, _net(sample), system.load1, disk_pct, _busiest(sample))
        record.recent.add(sample.ts, figures)
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

    def apply_finding(self, found: HostFinding) -> HostFinding | None:
        """Take what a slow collector found, unless what is held is newer; return what was held before."""
        record = self._records.get(found.host)
        before = record.findings.get(found.kind) if record else None
        if record is not None and (before is None or found.ts > before.ts):
            record.findings = {**record.findings, found.kind: found}  # a view holds the old one
            if (kind := KINDS.get(found.kind)) is not None:
                record.items = record.items.after(found.ts, kind, figures_in(found))
            self._touch(record)
        return before

    def keep_findings(self, host: str, kinds: Container[str]) -> None:
        """Forget the findings of other kinds: their collectors run no more on this host."""
        record = self._records.get(host)
        if record is not None and any(kind not in kinds for kind in record.findings):
            record.findings = {kind: found for kind, found in record.findings.items() if kind in kinds}
            self._touch(record)

    def set_retry(self, host: str, failures: int, next_try: datetime | None) -> None:
        """Say how many attempts failed in a row and when the next one is due."""
        if record := self._records.get(host):
            record.failures, record.next_try = failures, next_try
            self._touch(record)

    def set_standing(self, **changes: Any) -> None:
        """Replace database, role, role_detail, writer, reviews, secrets, notices, polling or alerts."""
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
            polling=standing.polling,
            version=self._version,
            alerts=standing.alerts,
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
        record.view = HostView(
            host=record.host,
            state=record.state,
            reason=record.reason,
            detail=record.detail,
            since=record.since,
            sample=record.sample,
            history=record.recent.told(),
            version=record.version,
            failures=record.failures,
            next_try=record.next_try,
            lag_s=record.lag_s,
            findings=record.findings,
            items=record.items,
        )
        return record.view
