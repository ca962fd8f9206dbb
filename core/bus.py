"""The event bus: one bounded lane and one wake-up a subscription, so that none delays another."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

from core.exceptions import SystemMonitoringError

E = TypeVar("E")
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
            key = self._key(event)
            if key in self._keyed:
                self.coalesced += 1
            elif len(self._keyed) >= self.capacity:
                self._keyed.popitem(last=False)
                self.dropped += 1
            self._keyed[key] = event
        else:
            if len(self._queue) >= self.capacity:
                if self.policy is Policy.BLOCK:
                    return False
                self.dropped += 1
                if self.policy is Policy.DROP_NEWEST:
                    return True
                self._queue.popleft()
            self._queue.append(event)
        if self._waiting_since is None:
            self._waiting_since = monotonic()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return True

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
        is_async = inspect.iscoroutinefunction(self.handler)
        while True:
            if not self.depth:
                self._waiting_since = None
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
                self._waiter = None
            for _ in range(min(self.depth, _TURN)):
                event = self._keyed.popitem(last=False)[1] if self._key else self._queue.popleft()
                self._busy = True
                try:
                    result = self.handler(event)
                    if is_async or inspect.isawaitable(result):
                        await result  # type: ignore[misc]
                    self.delivered += 1
                except Exception:  # the boundary of a subscriber: logged, counted, the others run
                    self.failed += 1
                    log.exception("event handler failed", subscriber=self.name, event_type=type(event).__name__)
                finally:
                    self._busy = False
                while self._room and len(self._queue) < self.capacity:
                    room = self._room.popleft()
                    if not room.done():
                        room.set_result(None)
                        break
            await asyncio.sleep(0)


class EventBus(Generic[E]):
    """Publishes to each subscription's own lane; owns the lanes' tasks from start to stop."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._tasks: dict[Subscription, asyncio.Task[None]] = {}
        self._routes: dict[type, tuple[Subscription, ...]] = {}
        self._published: Counter[str] = Counter()
        self._running = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def running(self) -> bool:
        """Between start and stop."""
        return self._running

    async def start(self) -> None:
        """Begin to deliver; a second start does nothing."""
        if self._running:
            return
        self._running = True
        for subscription in self._subscriptions:
            self._launch(subscription)

    async def stop(self, deadline_s: float = 1.0) -> dict[str, int]:
        """Take no more, deliver what waits until the deadline, and return what was left by subscriber."""
        if not self._running:
            return {}
        self._running = False
        end = monotonic() + deadline_s
        # A poll, for many lanes and one short bounded wait at the end of life
        while monotonic() < end and not all(s.idle for s in self._subscriptions):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        left = {s.name: s.depth + s._busy for s in self._subscriptions if not s.idle}
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left:
            log.warning("bus stopped with events undelivered", left=left)
        return left

    def subscribe(
        self,
        types: type[E] | tuple[type[E], ...],
        handler: Handler,
        *,
        name: str | None = None,
        capacity: int = 1024,
        policy: Policy = Policy.DROP_OLDEST,
        key: Callable[[Any], Hashable] | None = None,
        block_timeout_s: float = 1.0,
    ) -> Callable[[], None]:
        """Deliver events of these types (and their subclasses) to the handler; return the way to unsubscribe."""
        wanted = types if isinstance(types, tuple) else (types,)
        subscription = Subscription(
            wanted,
            handler,
            name=name or str(getattr(handler, "__qualname__", handler)),
            capacity=capacity,
            policy=policy,
            key=key,
            block_timeout_s=block_timeout_s,
        )
        self._subscriptions.append(subscription)
        self._routes.clear()
        if self._running:
            self._launch(subscription)

        def unsubscribe() -> None:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                self._routes.clear()
                if task := self._tasks.pop(subscription, None):
                    task.cancel()

        return unsubscribe

    async def emit(self, event: E) -> None:
        """Publish; waits only for lanes whose policy is to block, each up to its own timeout."""
        for subscription in self._route(event):
            if not subscription.offer(event):
                await subscription.offer_waiting(event)

    def emit_nowait(self, event: E) -> None:
        """Publish without waiting; a full blocking lane drops the event and counts it."""
        for subscription in self._route(event):
            if not subscription.offer(event):
                subscription.dropped += 1

    def stats(self) -> dict[str, Any]:
        """Return published by type, and delivered, failed, dropped, coalesced, depth and lag by subscriber."""
        return {
            "published": dict(self._published),
            "subscribers": {
                s.name: {
                    "delivered": s.delivered,
                    "failed": s.failed,
                    "dropped": s.dropped,
                    "coalesced": s.coalesced,
                    "depth": s.depth,
                    "lag_s": s.lag_s,
                }
                for s in self._subscriptions
            },
        }

    def _route(self, event: E) -> tuple[Subscription, ...]:
        if not self._running:
            raise SystemMonitoringError(
                f"event {type(event).__name__} was emitted while the bus is not running", error_code="BUS_NOT_RUNNING"
            )
        kind = type(event)
        self._published[kind.__name__] += 1
        route = self._routes.get(kind)
        if route is None:
            route = tuple(s for s in self._subscriptions if issubclass(kind, s.types))
            self._routes[kind] = route
        return route

    def _launch(self, subscription: Subscription) -> None:
        self._tasks[subscription] = asyncio.create_task(subscription.run(), name=f"bus:{subscription.name}")
