"""Rates from counters: a counter that went back (wrap, reset, reboot) gives no rate, never a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

MIN_INTERVAL_S = 0.05  # uptime has steps of 0.01 s: a shorter interval would be mostly rounding


def deltas(before: Sequence[int], now: Sequence[int]) -> list[int] | None:
    """Return the growth of each counter, or None where any of them went back: then none can be trusted."""
    grown = [b - a for a, b in zip(before, now, strict=True)]
    return grown if min(grown, default=0) >= 0 else None


def interval(before: float | None, now: float | None) -> float | None:
    """Seconds of the host's uptime between two frames; None where it cannot be known or is too short."""
    if before is None or now is None:
        return None
    seconds = now - before
    return seconds if seconds >= MIN_INTERVAL_S else None


def percent(part: float, whole: float) -> float:
    """A share in percent, held within 0 to 100: counters of one file are not read in one instant."""
    return min(100.0, max(0.0, 100.0 * part / whole))
