"""The fleet of a moment that is over, made from the database: the ViewSource of the past."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from core.events import FindingChanged
from core.models import (
    EventLine,
    FleetView,
    Host,
    HostFinding,
    HostHistory,
    HostSample,
    HostState,
    HostView,
    Mark,
    MarkKind,
    PastView,
    PollingView,
    Reason,
    Timeline,
    Transition,
)
from core.models.making import maker
from core.storage import queries, timeline
from core.storage.alerts import alerts_at
from core.storage.engine import Database
from core.storage.moments import EVENTS_BACK, MOST_EVENTS, Moment, moment
from core.storage.past import PastFindings, histories
from core.storage.queries import MAX_AGE

_STORED_FOR = {"1m": "averages of a minute: raw data is gone", "1h": "averages of an hour: finer data is gone"}
_TYPES = {MarkKind.STATE: "host.state", MarkKind.ACTION: "action.started", MarkKind.ALERT: "alert"}
_AT_ONCE = 200  # hosts made into views before the loop's other tasks get their turn
_HOSTS_EVERY_S = 30.0  # hosts that are in the inventory no more are looked up so often
_FEW = 30  # points of the live history before the moment that make it enough to show
_NOTHING: Mapping[str, HostFinding] = {}
_make_view = maker(HostView)
_versions = count(1 << 40)  # apart from those of the live state: a pane keeps what it made of a version


class ReplaySource:
    """Reads moments of the past; ``live`` gives the inventory, and what cannot be had of the past."""

    def __init__(self, database: Database, live: Callable[[], FleetView], interval_s: float) -> None:
        self._database, self._live, self._interval_s = database, live, interval_s
        self._findings = PastFindings(database)
        self._hosts: dict[str, Host] = {}
        self._hosts_read: float | None = None
        self._then: dict[str, tuple[Host, float | None, bool, Host]] = {}
        self._reach: tuple[datetime | None, datetime | None] = (None, None)
        self._reach_read: float | None = None

    async def fleet(self, at: datetime | None = None) -> FleetView:
        """Return the fleet at a moment: hosts with figures and states; findings and histories come by ``whole``.

        None is live. Raises the Database family.
        """
        live = self._live()
        if at is None:
            return live
        longest = max((view.host.interval_s or 0.0 for view in live.hosts), default=0.0)
        max_age = max(MAX_AGE, timedelta(seconds=2.5 * max(longest, self._interval_s)))
        await self._known_hosts()
        then = await moment(self._database, at, max_age=max_age, reach=await self._reaches())
        return replace(
            live,
            at=at,
            live=False,
            hosts=await self._views(live, then, max_age),
            events=tuple(_event(mark) for mark in then.marks),
            lag_s=None,
            alerts=await alerts_at(self._database, at),
            polling=PollingView(),
            version=next(_versions),
            past=PastView(then.source, _note(then, max_age), whole=False),
        )

    async def whole(self, view: FleetView) -> FleetView:
        """Return the view with what takes longer to read: findings, their changes, each host's half hour before."""
        at, past = view.at, view.past or PastView()
        found = await self._findings.at(at)
        changes = await self._findings.changes(at - EVENTS_BACK, at, MOST_EVENTS)
        told = sorted([*view.events, *map(_change, changes)], key=lambda event: event.ts)[-MOST_EVENTS:]
        before: Mapping[str, HostHistory] = {}
        if past.source and not all(each.history.times for each in view.hosts if each.sample):
            before = await histories(self._database, at)
        version, hosts = next(_versions), []
        for number, each in enumerate(view.hosts):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            name = each.host.name
            history = each.history if each.history.times else before.get(name, each.history)
            hosts.append(replace(each, findings=found.get(name, {}), history=history, version=version))
        return replace(view, hosts=tuple(hosts), events=tuple(told), version=version, past=replace(past, whole=True))

    async def timeline(self, start: datetime, stop: datetime, pace_s: float | None) -> Timeline:
        """Return marks and gaps of [start, stop); a gap is longer than three times the pace of the data."""
        found, cut = await timeline.marks(self._database, start, stop)
        shortest = max(timedelta(minutes=2), timedelta(seconds=3 * (pace_s or self._interval_s)))
        gaps = await timeline.gaps(self._database, start, stop, await self._reaches(), shortest=shortest)
        return Timeline(start, stop, found, gaps, cut)

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        """Return the mark next to the moment; ``loud``: alerts and hosts that fail alone."""
        return await timeline.mark_beside(self._database, at, later=later, loud=loud)

    async def _known_hosts(self) -> None:
        """Look up the hosts that the database knows: some may be in the inventory no more, and were then."""
        if self._hosts_read is None or time.monotonic() - self._hosts_read > _HOSTS_EVERY_S:
            self._hosts = {host.name: host for host in await queries.hosts(self._database)}
            self._hosts_read = time.monotonic()

    async def _reaches(self) -> tuple[datetime | None, datetime | None]:
        if self._reach_read is None or time.monotonic() - self._reach_read > _HOSTS_EVERY_S:
            self._reach = await timeline.reach(self._database)
            self._reach_read = time.monotonic()
        return self._reach

    def _as_then(self, host: Host, sample: HostSample | None, maintenance: bool) -> Host:
        """Return the host as it was polled then: what is old is told by the pace of the data."""
        pace = sample.interval_s if sample is not None else None
        kept = self._then.get(host.name)
        if kept is None or kept[0] is not host or kept[1] != pace or kept[2] != maintenance:
            then = replace(host, interval_s=pace or host.interval_s, maintenance=maintenance, maintenance_until=None)
            kept = self._then[host.name] = (host, pace, maintenance, then)
        return kept[3]

    async def _views(self, live: FleetView, then: Moment, max_age: timedelta) -> tuple[HostView, ...]:
        hosts = {view.host.name: view.host for view in live.hosts}
        lately = {view.host.name: view.history for view in live.hosts}
        gone = sorted((then.samples.keys() | then.states.keys()) - hosts.keys())
        everywhere = [*hosts.values(), *(self._hosts[name] for name in gone if name in self._hosts)]
        version, polled = next(_versions), bool(then.samples)
        views = []
        for number, host in enumerate(everywhere):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            sample, last = then.samples.get(host.name), then.states.get(host.name)
            if sample is None and last is None and host.name not in hosts:
                continue
            state, reason, detail, since = _state(sample, last, then.at, max_age, polled)
            as_then = self._as_then(host, sample, state is HostState.MAINTENANCE)
            history = _until(lately.get(host.name), then.at) or HostHistory()
            views.append(
                _make_view(as_then, state, reason, detail, since, sample, history, version, 0, None, None, _NOTHING, {})
            )
        return tuple(views)


def _state(
    sample: HostSample | None, last: Transition | None, at: datetime, max_age: timedelta, polled: bool
) -> tuple[HostState, Reason, str, datetime | None]:
    """Return what was known of the host's state: its last transition, unless nobody looked any more.

    A host that left no sample was not online, whatever it was when it was last seen; and where no host at all left one,
    nobody polled, so that an old transition tells nothing of that moment.
    """
    if last is None:
        if sample is not None:
            return HostState.ONLINE, Reason.NONE, "", None
        return HostState.UNKNOWN, Reason.NONE, "nothing is known of it at that time", None
    quiet = sample is None and last.new in (HostState.ONLINE, HostState.DEGRADED)
    if (quiet or not polled) and at - last.ts > max_age:
        was = f"no data at that time; last known {last.new.value}, {last.ts:%Y-%m-%d %H:%M} UTC"
        return HostState.UNKNOWN, Reason.NONE, was, None
    return last.new, last.reason, last.detail, last.ts


def _until(history: HostHistory | None, at: datetime) -> HostHistory | None:
    """Return what the live history holds up to the moment; None where that does not reach back far enough."""
    if history is None or len(history.times) < 2 or history.times[_FEW if len(history.times) > _FEW else -1] > at:
        return None
    end = bisect_right(history.times, at)
    columns = (history.cpu, history.mem, history.net, history.load, history.disk, history.io, history.times)
    return HostHistory(*(column[:end] for column in columns))  # type: ignore[arg-type]


def _event(mark: Mark) -> EventLine:
    text = f"{mark.host}: {mark.text}" if mark.host else mark.text
    return EventLine(mark.ts, _TYPES[mark.kind], mark.severity, mark.host or "operations", text)


def _change(found: HostFinding) -> EventLine:
    finding = found.finding
    event = FindingChanged(
        host=found.host, kind=found.kind, status=finding.status, level=finding.severity, detail=finding.detail
    )
    return EventLine(found.ts, event.type, event.severity, found.host, event.summary())


def _note(then: Moment, max_age: timedelta) -> str:
    if then.source:
        return _STORED_FOR.get(then.source, "")
    return f"no data at that time: nothing was stored in the {max_age // timedelta(minutes=1)} minutes before"
