"""One subscriber's bounded lane: what a full one does, what waits, what was delivered, failed and dropped."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from enum import StrEnum
from itertools import chain, repeat
from time import monotonic
from typing import Any

import structlog

from core.bus_stats import LaneStats, lane_stats
from core.holds import Hold

Handler = Callable[[Any], Awaitable[None] | None]
log = structlog.get_logger("core.bus")

# A busy lane never starves the screen: after so many events it looks at the clock, and goes on until its turn is over
_STRETCH, _TURN_S = 64, 0.0005
_SILENT_S = 1.0  # a handler that fails on every event must not fill the log


class Policy(StrEnum):
    """What a full lane does with one event more."""

    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    COALESCE = "coalesce"  # the newest of each key stays, in the place of the first
    BLOCK = "block"  # ``emit`` waits up to the timeout, then the event is dropped and counted


class Subscription:
    """One subscriber's lane with its counters; made by EventBus.subscribe.

    Deliveries are not counted one by one: they are what was published since the lane began, less what waits, failed,
    was dropped or was coalesced. So the rare ways out are counted, and the common one costs nothing.
    """

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
        batch: bool,
        published_before: Mapping[type, int],
        refill: Callable[[], None],
    ) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        if (policy is Policy.COALESCE) != (key is not None):
            raise ValueError("a key goes with the policy coalesce, and only with it")
        self.types, self.name, self.capacity, self.block_timeout_s = types, name, capacity, block_timeout_s
        self.policy, self._handler, self._key, self._before = policy, handler, key, published_before
        self._refill = refill  # has the bus put into the lanes what it still holds
        self._is_async, self._batch = inspect.iscoroutinefunction(handler), batch
        self.queue: deque[Any] = deque()  # events, or where they are coalesced their keys
        self._keyed: dict[Hashable, Any] = {}
        self.quick = 0  # with fewer waiting the bus appends to the queue unasked: none while asleep or ending
        self._asleep: asyncio.Future[None] | None = None
        self._holds: deque[Hold] = deque()
        self._in_hand: Any = None
        self._ending = False
        self._failed: Counter[type] = Counter()
        self._dropped: Counter[type] = Counter()
        self._coalesced: Counter[type] = Counter()
        self._since, self._mark_at, self._ahead = 0.0, 0.0, 0
        self._untold, self._silent_until = 0, 0.0

    @property
    def depth(self) -> int:
        """Events that wait."""
        return len(self.queue)

    @property
    def lag_s(self) -> float:
        """Seconds that the oldest event not yet handled has waited, at most; 0 where there is none.

        Exact where it came to an empty lane. In a busy one it counts from a mark, which is set anew once all that
        waited at the last one is handled: it never says too little, and costs nothing an event.
        """
        return monotonic() - self._since if self.queue or self._in_hand is not None else 0.0

    def stats(self, published: Mapping[type, int]) -> LaneStats:
        """Work out this moment's figures from what was published by type."""
        return lane_stats(
            {k: n - self._before.get(k, 0) for k, n in published.items() if issubclass(k, self.types)},
            waiting=Counter(map(type, chain(self._held(), self._handled()))),
            failed=self._failed,
            dropped=self._dropped,
            coalesced=self._coalesced,
            depth=self.depth,
            lag_s=self.lag_s,
        )

    def _held(self) -> list[Any]:
        """What waits in the lane, and before it with its emitters."""
        return [*(self._keyed.values() if self._key else self.queue), *(hold.event for hold in self._holds)]

    def _handled(self) -> list[Any]:
        """What is in the handler's hands."""
        if self._in_hand is None:
            return []
        return list(self._in_hand) if self._batch else [self._in_hand]

    def offer(self, event: Any) -> bool:
        """Take the event by the lane's policy; False only where a blocking lane is full."""
        if self._ending:
            self.drop(event)
        elif self._key is not None:
            self._offer_keyed(self._key, event)
        elif len(self.queue) < self.capacity:
            self.queue.append(event)
        elif self.policy is Policy.BLOCK:
            return False
        elif self.policy is Policy.DROP_NEWEST:
            self.drop(event)
        else:
            self._drop_first(self.queue.popleft())
            self.queue.append(event)
        if self._asleep is not None:
            self._wake()
        return True

    def take(self, events: list[Any]) -> None:
        """Offer events in one go; those that a full blocking lane has no room for are dropped."""
        if self._key is None and not self._ending and len(self.queue) + len(events) <= self.capacity:
            self.queue.extend(events)
            if self._asleep is not None:
                self._wake()
            return
        for event in events:
            if not self.offer(event):
                self.drop(event)

    def _offer_keyed(self, key_of: Callable[[Any], Hashable], event: Any) -> None:
        try:
            key = key_of(event)
            replaced = self._keyed.get(key)
        except Exception:  # noqa: BLE001 - the subscriber's fault, as in _deliver: the emitter never hears of it
            self._failed[type(event)] += 1
            self._complain("event key failed", event)
            return
        if replaced is not None:
            self._coalesced[type(replaced)] += 1
        else:
            if len(self.queue) >= self.capacity:
                self._drop_first(self._keyed.pop(self.queue.popleft()))
            self.queue.append(key)
        self._keyed[key] = event

    def _complain(self, what: str, event: Any) -> None:
        """Log the fault at hand; one that goes on is told once a second at most, with how often it came."""
        self._untold += 1
        if monotonic() >= self._silent_until:
            kind, times = type(event).__name__, self._untold
            log.exception(what, subscriber=self.name, event_type=kind, times=times)
            self._untold, self._silent_until = 0, monotonic() + _SILENT_S

    def drop(self, event: Any) -> None:
        """Count an event that the handler will not see."""
        self._dropped[type(event)] += 1

    def _drop_first(self, event: Any) -> None:
        self.drop(event)
        self._ahead -= 1

    def hold(self, event: Any) -> Hold:
        """Queue up before the full lane."""
        self._holds.append(hold := Hold(event))
        return hold

    def release(self, hold: Hold) -> None:
        """The emitter waits no longer: the event is dropped and counted, if the lane did not take it."""
        if not hold.settled:
            hold.settled = True
            self._holds.remove(hold)
            self.drop(hold.event)

    def begin(self) -> None:
        """Events may come, from now until ``finish``."""
        self._ending = False
        if self._in_hand is None:
            self._first_comes()
        self._wake()

    def finish(self) -> None:
        """Take no more; ``run`` hands on what waits, then ends."""
        self._ending = True
        self._wake()

    def discard(self) -> Counter[type]:
        """Drop and count all that waits, here and with its emitters; return it by type."""
        left = Counter(map(type, self._held()))
        self._dropped.update(left)
        self.queue.clear()
        self._keyed.clear()
        while self._holds:
            self._holds.popleft().settle()
        return left

    def cut_off(self) -> Counter[type]:
        """The handler was cancelled: count the event that it held as dropped, and return it by type."""
        left = Counter(map(type, self._handled()))
        self._dropped.update(left)
        self._in_hand = None
        return left

    def _wake(self) -> None:
        """Something came, or the end: let ``run`` look, and the bus append what follows."""
        self.quick = 0 if self._key or self._ending else self.capacity
        if self._asleep is not None:
            self._first_comes()
            if not self._asleep.done():
                self._asleep.set_result(None)
            self._asleep = None

    def _first_comes(self) -> None:
        self._since, self._ahead = monotonic(), 0
        self._mark_at = self._since

    async def run(self) -> None:
        """Deliver in order until finished and empty; a failing handler is logged and counted, the others follow."""
        while True:
            self._refill()
            if self.depth:
                await self._turn()
            if self.depth:
                await asyncio.sleep(0)
                continue
            if self._ending:
                return
            self.quick, self._asleep = 0, asyncio.get_running_loop().create_future()
            await self._asleep

    async def _turn(self) -> None:
        """Hand on what waits, until the lane is empty or the loop should have a turn."""
        until = monotonic() + _TURN_S
        while True:
            if self._ahead <= 0:  # all that waited at the last mark is handled: the oldest one came after it
                self._since, self._mark_at, self._ahead = self._mark_at, monotonic(), self.depth
            count = min(self.depth, _STRETCH)
            self._ahead -= count
            await self._deliver(count)
            if not self.depth or monotonic() >= until:
                return

    async def _deliver(self, count: int) -> None:
        """Hand the first events to the handler. The bus's hot path: what can be is a local name."""
        queue, holds, plain = self.queue, self._holds, not (self._key or self._batch)
        handler, is_async = self._handler, self._is_async
        for _ in repeat(None, 1 if self._batch else count):
            try:
                event = queue.popleft()
            except IndexError:  # the handler unsubscribed itself: what waited is gone
                break
            self._in_hand = event = event if plain else self._gather(event, count)
            if holds:
                self._admit()
            try:
                result = handler(event)
                if is_async or (result is not None and inspect.isawaitable(result)):
                    await result  # type: ignore[misc]
            except (Exception, asyncio.CancelledError) as exc:  # the boundary of a subscriber: the others run
                if isinstance(exc, asyncio.CancelledError) and _cancelled():
                    raise
                self._failed.update(map(type, self._handled()))
                self._complain("event handler failed", event)
        self._in_hand = None

    def _gather(self, first: Any, count: int) -> Any:
        """Turn what was taken from the queue into what the handler gets: the key's event, or a list of events."""
        items = [first, *(self.queue.popleft() for _ in range(count - 1))] if self._batch else [first]
        events = [self._keyed.pop(item) for item in items] if self._key else items
        return events if self._batch else events[0]

    def _admit(self) -> None:
        """Let emitters' events in, in the places of those that were taken."""
        while self._holds and len(self.queue) < self.capacity:
            hold = self._holds.popleft()
            self.queue.append(hold.event)
            hold.settle()


def _cancelled() -> bool:
    """This very task is meant, and not just something that the handler waited for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
