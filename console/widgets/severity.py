"""Glyph and word of each state, and from which figure on a cell turns yellow or red."""

from __future__ import annotations

from core.models import DatabaseState, HostState

HOST_STATES: dict[HostState, tuple[str, str]] = {
    HostState.ONLINE: ("●", "online"),
    HostState.MAINTENANCE: ("◇", "maint"),
    HostState.UNKNOWN: ("○", "unknown"),
    HostState.DEGRADED: ("▲", "degraded"),
    HostState.OFFLINE: ("✗", "offline"),
}
STATE_RANK = {state: rank for rank, state in enumerate(reversed(HostState))}
"""Worst first: offline 0."""

DATABASE_STATES: dict[DatabaseState, tuple[str, str, int]] = {
    DatabaseState.STARTING: ("○", "starting", 0),
    DatabaseState.CONNECTED: ("●", "ok", 0),
    DatabaseState.AWAY: ("✗", "away", 2),
    DatabaseState.UNSUPPORTED: ("▲", "unsupported", 1),
    DatabaseState.NONE: ("○", "none", 0),
}
EVENT_GLYPHS = {"info": "·", "warning": "▲", "error": "✗"}
EVENT_LEVELS = {"info": 0, "warning": 1, "error": 2}

CPU = (80.0, 95.0)
MEMORY = (85.0, 95.0)
DISK = (80.0, 90.0)
BUSY = (80.0, 95.0)


def level(value: float | None, bounds: tuple[float, float]) -> int:
    """Return 0, 1 (warning) or 2 (bad) for a figure; an unknown one is plain."""
    if value is None:
        return 0
    return 2 if value >= bounds[1] else 1 if value >= bounds[0] else 0


def age_level(seconds: float | None, interval_s: float) -> int:
    """Return 1 past three intervals and 2 past six: the data is old, whatever it says."""
    if seconds is None:
        return 0
    return 2 if seconds > 6 * interval_s else 1 if seconds > 3 * interval_s else 0
