"""The past as the console walks it: marks on the time line, what is known of a moment, one host's past as curves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.models.enums import MarkKind


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
