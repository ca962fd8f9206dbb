"""The last samples' figures of a host: written at each sample, made into a HostHistory only where somebody looks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime

from core.models import HostHistory

_KINDS = ("cpu", "mem", "net", "load", "disk", "io")
_SPARE = 8  # samples kept beyond those told, for the rows to be cut seldom
_UNKNOWN = float("nan")


class RecentFigures:
    """Keeps the figures of the last ``points`` samples."""

    __slots__ = ("_points", "_row", "_times")

    def __init__(self, points: int) -> None:
        self._points = points
        self._times: array[float] = array("d")  # POSIX seconds: exact to the microsecond, at a sixth of the memory
        self._row: array[float] = array("f")  # one of each kind a sample, to seven digits; NaN where unknown

    def add(self, at: datetime, figures: Sequence[float | None]) -> None:
        """Take one sample's figures, in the order of HostHistory's fields; None where unknown."""
        if len(self._times) >= self._points + _SPARE:  # anew: what was told before looks at the old ones
            self._times, self._row = self._times[_SPARE:], self._row[len(_KINDS) * _SPARE :]
        self._times.append(at.timestamp())
        self._row.extend([_UNKNOWN if figure is None else figure for figure in figures])

    def told(self) -> HostHistory:
        """Return them as they are now; later samples do not change it."""
        return _Told(self._times, self._row, self._points)


class _Told(HostHistory):
    """A history that reads its columns when it is asked for them.

    The rows only grow: what lies before ``stop`` stays as it is.
    """

    __slots__ = ("_row", "_start", "_stop", "_times")
    _times: array[float]
    _row: array[float]
    _start: int
    _stop: int

    def __init__(self, times: array[float], row: array[float], points: int) -> None:
        stop = len(times)
        for name, value in (("_times", times), ("_row", row), ("_start", max(0, stop - points)), ("_stop", stop)):
            object.__setattr__(self, name, value)

    def _column(self, kind: int) -> tuple[float | None, ...]:
        width = len(_KINDS)
        figures = self._row[self._start * width + kind : self._stop * width : width].tolist()
        whole = sum(figures)  # tells whether one is unknown
        return tuple(figures) if whole == whole else tuple([None if f != f else f for f in figures])

    @property
    def cpu(self) -> tuple[float | None, ...]:
        return self._column(0)

    @property
    def mem(self) -> tuple[float | None, ...]:
        return self._column(1)

    @property
    def net(self) -> tuple[float | None, ...]:
        return self._column(2)

    @property
    def load(self) -> tuple[float | None, ...]:
        return self._column(3)

    @property
    def disk(self) -> tuple[float | None, ...]:
        return self._column(4)

    @property
    def io(self) -> tuple[float | None, ...]:
        return self._column(5)

    @property
    def times(self) -> tuple[datetime, ...]:
        return tuple([datetime.fromtimestamp(at, UTC) for at in self._times[self._start : self._stop]])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HostHistory):
            return NotImplemented
        return self.times == other.times and all(getattr(self, kind) == getattr(other, kind) for kind in _KINDS)

    __hash__ = None  # type: ignore[assignment]
