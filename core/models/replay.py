"""The past as the console walks it: marks on the time line, what is known of a moment, one host's past as curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from core.models.hosts import HostHistory


class MarkKind(StrEnum):
    """What a mark on the time line stands for."""

    STATE = "state"  # a host went from one state to another
    ACTION = "action"  # somebody did something: a row of the audit
    ALERT = "alert"  # an alert was raised


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment; ``host`` is empty where it is of no single one."""

    ts: datetime
    kind: MarkKind
    severity: str  # info, warning, error
    host: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened in [start, stop), oldest first, and where nothing was stored at all."""

    start: datetime
    stop: datetime
    marks: tuple[Mark, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] | None = None  # None: not known yet
    cut: bool = False  # there were more marks than are kept: the oldest are missing


@dataclass(frozen=True, slots=True)
class PastView:
    """What a view of the past is made of; ``source``: raw, 1m or 1h, empty where nothing was stored then."""

    source: str = ""
    note: str = ""  # one line where there is something to say, such as that there is no data
    whole: bool = True  # False: findings and histories are still being read


@dataclass(frozen=True, slots=True)
class ReplayStatus:
    """Where the console stands in time; ``at`` None is live."""

    at: datetime | None = None
    step: timedelta = timedelta(minutes=1)
    reading: bool = False
    trouble: str = ""  # why the moment could not be read
    timeline: Timeline | None = None


@dataclass(frozen=True, slots=True)
class HostPlot:
    """A host's past in steps of ``step_s`` seconds; ``source``: where its own figures are from, raw, 1m or 1h.

    ``low`` and ``high`` are the least and the greatest within each step, where a mean stands in ``history``.
    """

    history: HostHistory
    source: str
    step_s: float
    low: HostHistory = field(default_factory=HostHistory)
    high: HostHistory = field(default_factory=HostHistory)
