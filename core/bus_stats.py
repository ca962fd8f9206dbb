"""The event bus in figures."""

from __future__ import annotations

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
