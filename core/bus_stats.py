"""The event bus in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of events in one lane; with those that wait they add up to what was published."""

    delivered: int = 0
    failed: int = 0  # the handler raised
    dropped: int = 0  # no room, no time, or the bus stopped
    coalesced: int = 0  # replaced by a newer one of the same key


@dataclass(frozen=True, slots=True)
class LaneStats:
    """One subscriber's lane at one moment."""

    by_type: Mapping[str, Counts]
    total: Counts
    depth: int  # events that wait
    lag_s: float  # how long the oldest event not yet handled has waited, at most


@dataclass(frozen=True, slots=True)
class BusStats:
    """The bus at one moment: events published by type since it was made, and each subscriber's lane by its name."""

    published: Mapping[str, int]
    subscribers: Mapping[str, LaneStats]


def lane_stats(
    offered: Mapping[type, int],
    *,
    waiting: Counter[type],
    failed: Counter[type],
    dropped: Counter[type],
    coalesced: Counter[type],
    depth: int,
    lag_s: float,
) -> LaneStats:
    """Work out a lane's figures: what was offered by type and went no other way was delivered."""
    by_type = {
        kind: Counts(
            delivered=count - sum(c[kind] for c in (waiting, failed, dropped, coalesced)),
            failed=failed[kind],
            dropped=dropped[kind],
            coalesced=coalesced[kind],
        )
        for kind, count in offered.items()
    }
    total = Counts(
        delivered=sum(counts.delivered for counts in by_type.values()),
        failed=failed.total(),
        dropped=dropped.total(),
        coalesced=coalesced.total(),
    )
    return LaneStats({kind.__name__: counts for kind, counts in by_type.items()}, total, depth, lag_s)
