"""The gate before every action: read-only until it is unlocked for a while, and shut during a replay."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.exceptions import BusinessLogicError, ValidationError
from core.ports import Clock, SystemClock

MAX_UNLOCK_S = 24 * 3600.0


class Gate:
    """Says whether anything may be applied now. Time is monotonic: a changed wall clock opens nothing."""

    def __init__(self, *, read_only: bool = True, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._open = not read_only
        self._closes: float | None = None  # monotonic; None while open: no end
        self._until: datetime | None = None
        self._replay = False
        self._forbidden = ""

    @property
    def read_only(self) -> bool:
        """Whether nothing may be applied now."""
        return bool(self.why_shut())

    @property
    def read_only_until(self) -> datetime | None:
        """When read-only comes back by itself (UTC); None while read-only, and where no end is set."""
        return None if self.read_only else self._until

    def unlock(self, seconds: float | None) -> None:
        """Open for so long (at most a day), or without an end for None; refused during a replay."""
        if seconds is not None and not 1 <= seconds <= MAX_UNLOCK_S:
            raise ValidationError(f"read-only can be left for 1 to {MAX_UNLOCK_S:.0f} seconds, not {seconds:g}")
        if self._replay:
            raise BusinessLogicError("this is the past: go back to live first", operation="unlock")
        if self._forbidden:
            raise BusinessLogicError(self._forbidden, error_code="FORBIDDEN", operation="unlock")
        self._open = True
        self._closes = None if seconds is None else self._clock.monotonic() + seconds
        self._until = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)

    def lock(self) -> None:
        """Go back to read-only now."""
        self._open, self._closes, self._until = False, None, None

    def set_replay(self, replay: bool) -> None:
        """While the screen shows the past nothing may be applied: what is seen is not what would be hit."""
        self._replay = replay

    def forbid(self, why: str) -> None:
        """Keep shut for a reason that no key can take away, such as the rights of the database's role; "" takes it."""
        self._forbidden = why

    def why_shut(self) -> str:
        """Return why nothing may be applied now; empty where it may."""
        if self._replay:
            return "this is the past: go back to live first"
        if self._forbidden:
            return self._forbidden
        if not self._open:
            return "read-only: leave it first (w in the console)"
        if self._closes is not None and self._clock.monotonic() >= self._closes:
            self.lock()
            return "read-only came back by itself: leave it again (w in the console)"
        return ""

    def check(self) -> None:
        """Raise BusinessLogicError where nothing may be applied now."""
        if why := self.why_shut():
            raise BusinessLogicError(why, error_code="READ_ONLY", operation="apply")
