"""One subscriber's bounded lane: what a full one does, what waits, what was delivered, failed and dropped."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from time import monotonic
from typing import Any

import structlog

Handler = Callable[[Any], Awaitable[None] | None]
log = structlog.get_logger("core.bus")

_TURN = 64  # events handled before the loop gets a turn, so that a busy lane never starves the screen


class Policy(StrEnum):
    """What a full lane does with one event more."""

    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    COALESCE = "coalesce"  # the newest of each key stays, in the place of the first
    BLOCK = "block"  # ``emit`` waits up to the timeout, then the event is dropped and counted


class Subscription:
    """One subscriber's lane with its counters; made by EventBus.subscribe."""

    def __init__(
        self,
        types: tuple[type, ...],
        handler: Handler,
        *,
        name: str,
        capacity: int,
        policy: Policy,
        key: Callable[[Any], Hashable] | None,
        block_timeout_s: float,
    ) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        if (policy is Policy.COALESCE) != (key is not None):
            raise ValueError("a key goes with the policy coalesce, and only with it")
        self.types, self.handler, self.name = types, handler, name
        self.capacity, self.policy, self.block_timeout_s = capacity, policy, block_timeout_s
        self._key = key
        self._is_async = inspect.iscoroutinefunction(handler)
        self._queue: deque[Any] = deque()
        self._keyed: OrderedDict[Hashable, Any] = OrderedDict()
        self._waiter: asyncio.Future[None] | None = None
        self._room: deque[asyncio.Future[None]] = deque()
        self._waiting_since: float | None = None
        self._busy = False
        self.delivered = self.failed = self.dropped = self.coalesced = 0

    @property
    def depth(self) -> int:
        """Events that wait."""
        return len(self._keyed) if self._key else len(self._queue)

    @property
    def idle(self) -> bool:
        """Nothing waits and no handler runs."""
        return not self.depth and not self._busy

    @property
    def lag_s(self) -> float:
        """How long the lane has been without being empty, in seconds."""
        return 0.0 if self._waiting_since is None else monotonic() - self._waiting_since

    def offer(self, event: Any) -> bool:
        """Take the event by the lane's policy; False only where a blocking lane is full."""
        if self._key is not None:
            self._offer_keyed(self._key(event), event)
        else:
            queue = self._queue
            if len(queue) >= self.capacity:
                if self.policy is Policy.BLOCK:
                    return False
                self.dropped += 1
                if self.policy is Policy.DROP_NEWEST:
                    return True
                queue.popleft()
            queue.append(event)
        if self._waiting_since is None:
            self._waiting_since = monotonic()
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        return True

    def _offer_keyed(self, key: Hashable, event: Any) -> None:
        if key in self._keyed:
            self.coalesced += 1
        elif len(self._keyed) >= self.capacity:
            self._keyed.popitem(last=False)
            self.dropped += 1
        self._keyed[key] = event

    async def offer_waiting(self, event: Any) -> None:
        """Wait for room up to the lane's timeout; drop and count the event where none comes."""
        deadline = monotonic() + self.block_timeout_s
        while not self.offer(event):
            room = asyncio.get_running_loop().create_future()
            self._room.append(room)
            try:
                async with asyncio.timeout(max(0.0, deadline - monotonic())):
                    await room
            except TimeoutError:
                self.dropped += 1
                return

    async def run(self) -> None:
        """Deliver in order until cancelled; a failing handler is logged and counted, and the next event follows."""
        while True:
            if not self.depth:
                self._waiting_since = None
                self._waiter = waiter = asyncio.get_running_loop().create_future()
                await waiter
            self._busy = True
            try:
                await self._deliver(min(self.depth, _TURN))
            finally:
                self._busy = False
            await asyncio.sleep(0)

    async def _deliver(self, count: int) -> None:
        """Hand ``count`` events to the handler. The bus's hot path: what can be is a local name."""
        take = self._queue.popleft if self._key is None else self._take_keyed
        handler, is_async, room = self.handler, self._is_async, self._room
        for _ in range(count):
            event = take()
            try:
                result = handler(event)
                if is_async or (result is not None and inspect.isawaitable(result)):
                    await result  # type: ignore[misc]
                self.delivered += 1
            except Exception:  # the boundary of a subscriber: logged, counted, the others run
                self.failed += 1
                log.exception("event handler failed", subscriber=self.name, event_type=type(event).__name__)
            if room:
                self._make_room()

    def _take_keyed(self) -> Any:
        return self._keyed.popitem(last=False)[1]

    def _make_room(self) -> None:
        """Wake one emitter that waits."""
        while self._room and len(self._queue) < self.capacity:
            room = self._room.popleft()
            if not room.done():
                room.set_result(None)
                return
