"""A past made up for drawing: marks, gaps, hosts as they were, and a month with a hole in it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.models import (
    FleetView,
    HostHistory,
    HostPlot,
    HostState,
    Mark,
    MarkKind,
    PastView,
    Reason,
    Timeline,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WENT = 40 * MINUTE  # ago: web-01 went offline, for half an hour
BACK = 10 * MINUTE
UNTIL = 20 * HOUR  # ago: nothing was stored before
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_marks(now: datetime) -> list[Mark]:
    """Return what happened, oldest first."""
    whole = _EPOCH + (now - _EPOCH) // MINUTE * MINUTE
    return [
        Mark(whole - 2 * HOUR, MarkKind.ACTION, "info", "", "retention.run by ops: 3 of 3 done"),
        Mark(whole - WENT, MarkKind.STATE, "error", "web-01", "online -> offline (port: connection refused)"),
        Mark(whole - BACK, MarkKind.STATE, "info", "web-01", "offline -> online"),
    ]


def make_timeline(at: datetime, step: timedelta) -> Timeline:
    """Return the window of two hours and more around the moment, with a gap of a quarter in it."""
    now, span = datetime.now(UTC), max(HOUR, step * 120)
    stop = min(now, at + span / 2)
    start = stop - span
    marks = tuple(mark for mark in make_marks(now) if start <= mark.ts < stop)
    return Timeline(start, stop, marks, ((start, start + span / 4),))


def make_past(live: FleetView, at: datetime) -> FleetView:
    """Return the fleet as it was at that moment."""
    now, version = datetime.now(UTC), (1 << 40) + int(at.timestamp())
    note = "" if now - at < UNTIL else "no data at that time: nothing was stored in the 15 minutes before"
    _, went, back = make_marks(now)
    hosts = []
    for host in live.hosts:
        then = replace(host, version=version, sample=replace(host.sample, ts=at) if host.sample else None)
        if note:
            then = replace(then, sample=None, state=HostState.UNKNOWN, reason=Reason.NONE, history=HostHistory())
        elif host.host.name == "web-01" and went.ts <= at < back.ts:
            then = replace(
                then, state=HostState.OFFLINE, reason=Reason.PORT, detail="connection refused", since=went.ts
            )
        hosts.append(then)
    past = PastView("" if note else "raw", note)
    return replace(live, at=at, live=False, hosts=tuple(hosts), events=(), version=version, past=past)


def make_plot(host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
    """Return a wave with one peak, and nothing in the third quarter."""
    step = (stop - start) / points
    times = tuple(start + step * number for number in range(points))
    gap = range(points // 2, points * 3 // 4)

    def curve(base: float, peak: float) -> tuple[float | None, ...]:
        return tuple(
            None if n in gap else peak if n == points // 4 else base + 10 * math.sin(n / 9) for n in range(points)
        )

    mean = HostHistory(
        curve(40, 42), curve(60, 61), curve(3e5, 3e5), curve(12, 12), curve(70, 70), curve(20, 20), times
    )
    high = HostHistory(cpu=curve(45, 97), mem=curve(62, 64), net=curve(4e5, 9e5), load=curve(12, 15), times=times)
    low = HostHistory(cpu=curve(35, 12), mem=curve(58, 58), net=curve(2e5, 1e5), load=curve(10, 10), times=times)
    source = "raw" if stop - start <= timedelta(days=2) else "1h"
    return HostPlot(mean, source, step.total_seconds(), low, high)
