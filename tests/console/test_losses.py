"""Lost samples are told at once, and then not each tick."""

from __future__ import annotations

from datetime import UTC, datetime

from console.composition.losses import Losses
from core.events import EventBus, SamplesDropped
from core.models import WriterStats


class FakeClock:
    seconds = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds


async def test_losses_are_told_at_once_and_then_once_a_minute() -> None:
    bus, clock, told = EventBus(), FakeClock(), []
    bus.subscribe(SamplesDropped, lambda e: told.append((e.dropped, e.reason)))
    losses = Losses(bus, clock)
    async with bus:
        losses.look(WriterStats())
        losses.look(WriterStats(dropped=3, last_error="the spool cannot be written"))
        for lost in (3, 4, 9):
            clock.seconds += 10
            losses.look(WriterStats(dropped=lost))
        clock.seconds += 60
        for _ in range(2):
            losses.look(WriterStats(dropped=9))
    assert told == [(3, "the spool cannot be written"), (6, "no room to keep them until the database takes them")]
