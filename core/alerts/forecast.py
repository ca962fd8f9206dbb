"""When something is full, from how it grew: by the median of all slopes, and no answer where that is not sure.

Theil-Sen takes the slopes between all pairs of points and their median, so that up to 29 of 100 points may be wrong
(P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

_SURE = 0.8  # of the pairs, as many must climb: noise has half of them, a single step at most three quarters
_FEW = 10  # points: of fewer every pair must climb
_REACH = 8.0  # a forecast looks ahead at most so many times as far as the data looks back


@dataclass(frozen=True, slots=True)
class Slope:
    """How a series moves: units a second, the share of its pairs that climb (level ones half), the seconds covered."""

    per_s: float
    climbing: float
    span_s: float


def theil_sen(times: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Return the robust slope; None for fewer than three moments. Quadratic in the number of points."""
    slopes = [
        (value - before) / (at - then)
        for right, (at, value) in enumerate(zip(times, values, strict=True))
        for then, before in zip(times[:right], values[:right], strict=True)
        if at > then
    ]
    if len(slopes) < 3:
        return None
    slopes.sort()
    up, down = len(slopes) - bisect_right(slopes, 0.0), bisect_left(slopes, 0.0)
    middle, odd = divmod(len(slopes), 2)
    median = slopes[middle] if odd else (slopes[middle - 1] + slopes[middle]) / 2
    level = len(slopes) - up - down
    return Slope(median, (up + level / 2) / len(slopes), times[-1] - times[0])


def _rough(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median slope of the pairs half a series apart (Theil's incomplete method): cheap, and as robust."""
    half = (len(times) + 1) // 2
    pairs = range(len(times) - half)
    slopes = sorted((values[half + n] - values[n]) / (times[half + n] - times[n]) for n in pairs)
    return slopes[len(slopes) // 2]


@dataclass(frozen=True, slots=True)
class Scale:
    """How far back one series looks: a point each ``step_s``, ``points`` of them, and what it needs to say anything."""

    step_s: float
    points: int
    least_points: int
    least_span_s: float
    reach_s: float  # it never looks further ahead than this
    cut: bool  # a clean-up ends what was before it


# A burst is told by the minutes, a leak by the hours, growth by the days; a daily rotation is level over the days.
SCALES = (
    Scale(step_s=4.0, points=45, least_points=6, least_span_s=40.0, reach_s=3600.0, cut=True),
    Scale(step_s=480.0, points=45, least_points=8, least_span_s=3600.0, reach_s=2 * 86_400.0, cut=True),
    Scale(step_s=4 * 3600.0, points=42, least_points=6, least_span_s=20 * 3600.0, reach_s=30 * 86_400.0, cut=False),
)
_URGENT_S = 6 * 3600.0  # a height that was reached and left again within the week is news only where it is this near
_SLACK = 3.0  # times its reach: what is so far off by the rough slope is not looked at closely
_EDGE = 3  # points at each end that tell quickly whether it climbs at all
_EACH = 5  # points of a whole series from one answer to the next: pairs are many, and a moment foretold stays
_DROP = 0.01  # of the whole: a fall of more than that is a clean-up, less is noise


@dataclass(slots=True)
class Series:
    """The last points of one filesystem on one scale; times in seconds, values as shares of the whole."""

    scale: Scale
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    fresh: int = 0  # points since the last answer

    def add(self, at: float, value: float) -> bool:
        """Take a point where one is due; say whether the answer may be another. An older one is left out."""
        times, values = self.times, self.values
        if times and at - times[-1] < self.scale.step_s * 0.9:
            return False
        if self.scale.cut and values and value < values[-1] - _DROP:
            del times[:], values[:]
        times.append(at)
        values.append(value)
        self.fresh += 1
        if len(times) <= self.scale.points:
            return True
        del times[0], values[0]
        return self.fresh >= _EACH

    def forget(self) -> None:
        """Begin anew: the times of before and of now do not belong together."""
        del self.times[:], self.values[:]

    @property
    def due(self) -> float:
        """Before that moment no point is taken; -inf where none is held."""
        return self.times[-1] + self.scale.step_s * 0.9 if self.times else float("-inf")

    def full_at(self) -> float | None:
        """Return the moment at which it is full, as ``full_in``."""
        left = self.full_in()
        return None if left is None else self.times[-1] + left

    def full_in(self, whole: float = 1.0) -> float | None:
        """Return the seconds from the last point until ``whole`` is reached; inf where it does not climb.

        None where the data is too little to say, which is not the same as never.
        """
        self.fresh = 0
        whole_answer = self._left(0, whole)
        half = self._left(len(self.times) // 2, whole)  # it may have begun to climb, or climb faster, only lately
        return whole_answer if half is None or whole_answer is None else min(whole_answer, half)

    def _left(self, begin: int, whole: float) -> float | None:
        scale, times, values = self.scale, self.times[begin:], self.values[begin:]
        if len(times) < scale.least_points or times[-1] - times[0] < scale.least_span_s:
            return None
        reach = min(scale.reach_s, _REACH * (times[-1] - times[0]))
        # Most filesystems stand still: the pairs are compared only where the ends leave room for an answer.
        grown = max(values[-_EDGE:]) - min(values[:_EDGE])
        if 2.0 * grown * reach < (whole - values[-1]) * (times[-1] - times[0]):
            return float("inf")
        rough = _rough(times, values)
        if rough <= 0 or whole - values[-1] > _SLACK * reach * rough:
            return float("inf")
        slope = theil_sen(times, values)
        if slope is None:
            return None
        if slope.per_s <= 0 or slope.climbing < (_SURE if len(times) >= _FEW else 1.0):
            return float("inf")
        left = max(0.0, whole - values[-1]) / slope.per_s
        return left if left <= reach else float("inf")


class Filling:
    """One filesystem on all scales; the answer is kept until a point comes that may change it."""

    __slots__ = ("_due", "_full", "full_at", "series")

    def __init__(self) -> None:
        self.series = tuple(Series(scale) for scale in SCALES)
        self._full: list[float | None] = [None] * len(SCALES)  # when it is full, by each of them
        self._due = float("-inf")  # before that no scale takes a point
        self.full_at: float | None = None  # epoch seconds; inf: it does not fill; None: too little is known

    def add(self, at: float, value: float) -> None:
        """Take the share that is used at a moment (epoch seconds)."""
        if at < self._due:
            return
        changed = False
        for place, series in enumerate(self.series):
            if series.add(at, value):
                self._full[place] = series.full_at()
                changed = True
        self._due = min(series.due for series in self.series)
        if changed:
            self._answer()

    def seed(self, points: Sequence[tuple[float, float]]) -> None:
        """Take points of the past, oldest first, before those that are held; the minutes are what is watched alone."""
        for place, series in enumerate(self.series[1:], 1):
            held = list(zip(series.times, series.values, strict=True))
            series.forget()
            for at, value in (*points, *held):
                series.add(at, value)
            self._full[place] = series.full_at()
        self._due = min(series.due for series in self.series)
        self._answer()

    def jumped(self) -> None:
        """Our clock was set, or nobody watched: the minutes before do not join those after."""
        for place, series in enumerate(self.series[:2]):
            series.forget()
            self._full[place] = None
        self._due = float("-inf")
        self._answer()

    def _answer(self) -> None:
        full = list(self._full)
        hours, week = self.series[1], self.series[2].values
        been_here = len(week) > 2 and len(hours.values) > 0 and max(week) > hours.values[-1]
        if full[1] is not None and been_here and full[1] - hours.times[-1] > _URGENT_S:
            full[1] = float("inf")
        self.full_at = min((at for at in full if at is not None), default=None)
