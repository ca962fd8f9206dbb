"""Samples that were lost become an event: at once, then at most once a minute with what was lost since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.events import SamplesDropped

if TYPE_CHECKING:
    from core.events import EventBus
    from core.models import WriterStats
    from core.ports import Clock

_EVERY_S = 60.0


class Losses:
    """Watches the writer's count of what it had to drop."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._told, self._quiet_until = 0, 0.0

    def look(self, writer: WriterStats) -> None:
        """Tell what was lost since the last time; cheap, to be called often."""
        lost, now = writer.dropped - self._told, self._clock.monotonic()
        if lost > 0 and now >= self._quiet_until:
            reason = writer.last_error or "no room to keep them until the database takes them"
            self._bus.emit_nowait(SamplesDropped(source="storage", dropped=lost, reason=reason))
            self._told, self._quiet_until = writer.dropped, now + _EVERY_S
