"""The event bus: one bounded lane and one wake-up a subscription, so that none delays another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

from core.exceptions import SystemMonitoringError
from core.lanes import Handler, Policy, Subscription

E = TypeVar("E")
log = structlog.get_logger("core.bus")


class _Route:
    """The lanes of one type of event, and how many of it were published."""

    __slots__ = ("lanes", "published")

    def __init__(self, lanes: tuple[Subscription, ...], published: int) -> None:
        self.lanes, self.published = lanes, published


class EventBus(Generic[E]):
    """Publishes to each subscription's own lane; owns the lanes' tasks from start to stop."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._tasks: dict[Subscription, asyncio.Task[None]] = {}
        self._routes: dict[type, _Route] = {}
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
        self._reroute()
        if self._running:
            self._launch(subscription)

        def unsubscribe() -> None:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                self._reroute()
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
            "published": {kind.__name__: route.published for kind, route in self._routes.items()},
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
        kind = event.__class__
        route = self._routes.get(kind)
        if route is None:
            route = self._routes[kind] = _Route(self._lanes(kind), 0)
        route.published += 1
        return route.lanes

    def _lanes(self, kind: type) -> tuple[Subscription, ...]:
        return tuple(s for s in self._subscriptions if issubclass(kind, s.types))

    def _reroute(self) -> None:
        """Subscriptions changed: find the lanes of each known type anew."""
        for kind, route in self._routes.items():
            route.lanes = self._lanes(kind)

    def _launch(self, subscription: Subscription) -> None:
        self._tasks[subscription] = asyncio.create_task(subscription.run(), name=f"bus:{subscription.name}")
