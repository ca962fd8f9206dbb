"""How many commands may run over all hosts: so many a second, so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.ports import Clock


class Pace:
    """Turns in the order of asking, evenly spread; with more work than turns all hosts get slower alike."""

    def __init__(self, clock: Clock, *, per_s: float, at_once: int) -> None:
        self._clock, self._gap_s = clock, 1.0 / per_s
        self._free = asyncio.Semaphore(at_once)
        self._next = 0.0
        self.waiting = 0  # that asked and have not got their turn

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it while the block runs."""
        now = self._clock.monotonic()
        at = max(now, self._next)
        self._next = at + self._gap_s
        self.waiting += 1
        try:
            if at > now:
                await asyncio.sleep(at - now)
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._free.release()
