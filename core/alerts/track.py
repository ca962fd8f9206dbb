"""One rule on one item of one host: how long its trouble has lasted, how long it has been over, how much it grew."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.alerts.rules import Rule
    from core.models import Level

_LEVELS: tuple[Level, ...] = ("info", "warning", "error")
_POINTS_MOST = 500


@dataclass(slots=True)
class Track:
    """What is remembered between two readings; there is none while all is well."""

    rule: Rule
    item: str
    open: Level | None = None  # of the alert that stands
    runs: dict[Level, tuple[float, int]] = field(default_factory=dict)  # trouble at least so bad: since, readings
    last: float = 0.0  # watched time of the last reading
    calm: float | None = None  # since when it is over
    points: deque[tuple[float, float]] = field(default_factory=deque)  # of a counter whose growth is looked at

    def grown(self, now: float, value: float) -> float:
        """Return how much a counter has grown within the rule's span; a fall is a reset and no growth."""
        points = self.points
        points.append((now, value))
        while len(points) > _POINTS_MOST or (len(points) > 2 and points[1][0] <= now - self.rule.over_s):
            points.popleft()
        total, before = 0.0, points[0][1]
        for at, each in points:
            if at >= now - self.rule.over_s:
                total += max(0.0, each - before)
            before = each
        return total

    def trouble(self, now: float, level: Level, most_gap_s: float) -> Level | None:
        """Take a reading that is bad; return how bad it has been for long enough, None where not yet."""
        if now - self.last > most_gap_s:  # nobody knows what was in between
            self.runs.clear()
        self.last, self.calm = now, None
        reached = _LEVELS.index(level)
        lasting: Level | None = None
        for place, each in enumerate(_LEVELS):
            if place > reached:
                self.runs.pop(each, None)
                continue
            since, count = self.runs.get(each, (now, 0))
            self.runs[each] = (since, count + 1)
            if now - since >= self.rule.for_s and count + 1 >= self.rule.samples:
                lasting = each
        return lasting

    def fine(self, now: float, clear_s: float) -> bool:
        """Take a reading that is good; say whether it has been so for long enough."""
        self.runs.clear()
        self.last = now
        if self.calm is None:
            self.calm = now
        return now - self.calm >= clear_s

    def begin_anew(self) -> None:
        """Nobody watched for a while: what has to last begins again; what stands, stands."""
        self.runs.clear()
        self.calm = None
        self.points.clear()

    @property
    def idle(self) -> bool:
        """Nothing is remembered that matters."""
        return self.open is None and not self.runs and not self.points
