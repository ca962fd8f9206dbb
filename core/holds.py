"""An emitter that waits with its event before a full lane."""

from __future__ import annotations

import asyncio
from typing import Any


class Hold:
    """An event before a full lane, and the emitter that waits with it; ``settled`` once the lane answers for it."""

    __slots__ = ("event", "settled", "wake")

    def __init__(self, event: Any) -> None:
        self.event, self.settled = event, False
        self.wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self) -> None:
        """The lane has taken the event, or counted it as dropped: the emitter may go on."""
        self.settled = True
        if not self.wake.done():
            self.wake.set_result(None)
