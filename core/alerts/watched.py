"""The time that was really watched: it stands still while we paused, slept or were stopped, and no clock moves it."""

from __future__ import annotations

from datetime import datetime

_STEP_MOST_S = 20.0  # between two looks; more, and we were not there
_JUMP_S = 5.0  # wall clock against monotonic clock


class WatchedTime:
    """Counts seconds of watching. ``gaps`` counts the times that nobody watched: what was waited for begins anew."""

    def __init__(self) -> None:
        self.now = 0.0
        self.gaps = 0
        self.jumped_s = 0.0  # how far our own wall clock was set, all jumps together
        self._monotonic: float | None = None
        self._wall: datetime | None = None

    def tick(self, monotonic: float, wall: datetime, *, paused: bool = False) -> bool:
        """Take the clocks of this moment; return whether there was a gap since the last one."""
        last, last_wall = self._monotonic, self._wall
        self._monotonic, self._wall = monotonic, wall
        if last is None or last_wall is None:
            return False
        step = monotonic - last
        off = (wall - last_wall).total_seconds() - step
        # A laptop that slept has its wall clock moved and its monotonic clock not; so has one whose clock was set.
        jumped = abs(off) > _JUMP_S
        if jumped:
            self.jumped_s += off
        if paused or jumped or step > _STEP_MOST_S:
            self.gaps += 1
            return True
        self.now += max(0.0, step)
        return False
