"""The event bus: one bounded lane and one wake-up a subscription, so that none delays another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from itertools import chain, count, groupby
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

from core.bus_stats import BusStats
from core.exceptions import SystemMonitoringError
from core.lanes import Handler, Policy, Subscription

E = TypeVar("E")
Left = dict[str, dict[str, int]]
log = structlog.get_logger("core.bus")

_CUT_S = 1.0  # for handlers to end after they were cancelled
_INBOX = 1024  # events that may wait for the loop's next turn before the lanes are filled on the spot


class _Route:
    """The lanes of one type of event, and how many of it were published."""

    __slots__ = ("lanes", "published")

    def __init__(self, lanes: tuple[Subscription, ...]) -> None:
        self.lanes, self.published = lanes, 0


class EventBus(Generic[E]):
    """Publishes to each subscription's own lane; owns the lanes' tasks from start to stop, and can start again."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._tasks: dict[Subscription, asyncio.Task[None]] = {}
        self._known: dict[type, _Route] = {}
        self._routes: dict[type, _Route] = {}  # the known ones while running, else empty: one look-up asks both
        self._stopping = False
        self._inbox: deque[E] = deque()  # published, not yet in the lanes: see emit_nowait
        self._inbox_room = 0  # none unless the loop is about to empty it

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
        return self._routes is self._known

    async def start(self) -> None:
        """Begin to deliver; a second start does nothing. Raises SystemMonitoringError while a stop is under way."""
        if self.running:
            return
        if self._stopping:
            raise SystemMonitoringError("the bus cannot start while it stops", error_code="BUS_STOPPING")
        self._routes = self._known
        for lane in self._subscriptions:
            self._launch(lane)

    async def stop(self, deadline_s: float = 1.0) -> Left:
        """Take no more, hand on what waits until the deadline; return what was left by subscriber and type.

        What is left counts as dropped; a handler that outlasts the deadline is cancelled. Called by a handler it does
        not wait for that one: its lane ends with it. A second stop does nothing.
        """
        if not self.running:
            return {}
        self._empty_inbox()
        self._routes, self._stopping = {}, True
        for lane in self._subscriptions:
            lane.finish()
        caller = asyncio.current_task()
        tasks = {task for task in self._tasks.values() if task is not caller}
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=deadline_s)
        finally:
            left = await self._cut(tasks)
        return left

    async def _cut(self, tasks: set[asyncio.Task[None]]) -> Left:
        """Drop and count what waits, and cancel the handlers that still run."""
        lanes = list(self._subscriptions)
        left = [lane.discard() for lane in lanes]
        running = {lane: task for lane, task in self._tasks.items() if task in tasks and not task.done()}
        for task in running.values():
            task.cancel()
        try:
            if running:
                await asyncio.wait(running.values(), timeout=_CUT_S)
        finally:
            self._stopping = False
            for lane, counts in zip(lanes, left, strict=True):
                if lane in running:
                    counts.update(lane.cut_off())
        named = {
            lane.name: {kind.__name__: n for kind, n in counts.items()}
            for lane, counts in zip(lanes, left, strict=True)
            if counts
        }
        if named:
            log.warning("bus stopped with events undelivered", left=named)
        return named

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
        batch: bool = False,
    ) -> Callable[[], None]:
        """Deliver events of these types (and their subclasses) to the handler; return the way to unsubscribe.

        With ``batch`` the handler gets a list of events, up to what one turn of the lane holds; where it raises, all of
        them count as failed. The handler may be a function or a coroutine function.
        A name that is taken gets a number behind it. Unsubscribing drops what waits; a handler under way goes on to
        its end.
        """
        self._spread()  # what was published before is not this one's
        lane = Subscription(
            types if isinstance(types, tuple) else (types,),
            handler,
            name=self._free_name(name or str(getattr(handler, "__qualname__", handler))),
            capacity=capacity,
            policy=policy,
            key=key,
            block_timeout_s=block_timeout_s,
            batch=batch,
            published_before=self._published(),
            refill=self._spread,
        )
        self._subscriptions.append(lane)
        self._reroute()
        if self.running:
            self._launch(lane)

        def unsubscribe() -> None:
            if lane in self._subscriptions:
                self._spread()
                self._subscriptions.remove(lane)
                self._reroute()
                lane.finish()
                lane.discard()

        return unsubscribe

    async def emit(self, event: E) -> None:
        """Publish; waits only for lanes whose policy is to block, each up to its own timeout.

        Raises SystemMonitoringError before the start and after the stop.
        """
        if self._inbox:
            self._spread()
        try:
            route = self._routes[type(event)]
        except KeyError:
            route = self._route(type(event))
        route.published += 1
        full: tuple[Subscription, ...] = ()
        for lane in route.lanes:
            queue = lane.queue
            if len(queue) < lane.quick:
                queue.append(event)
            elif not lane.offer(event):
                full += (lane,)
        if full:
            await self._wait_for_room(full, event)

    def emit_nowait(self, event: E) -> None:
        """Publish without waiting; a full blocking lane drops the event and counts it. Raises as ``emit`` does."""
        # The bus's hot path. Of a burst the first event goes to the lanes and wakes them; what follows within the same
        # turn of the loop waits together, and is put into the lanes in one go before any of them runs.
        inbox = self._inbox
        if len(inbox) < self._inbox_room:
            inbox.append(event)
        else:
            self._publish(event)

    def heard(self, kind: type[E]) -> bool:
        """Tell whether anybody subscribes to a kind of event: one that nobody hears need not be made."""
        route = self._routes.get(kind)
        if route is None:
            if not self.running:
                return True  # to be told so by what emits
            route = self._route(kind)
        return bool(route.lanes)

    def _publish(self, event: E) -> None:
        self._spread()
        kind = type(event)
        route = self._routes.get(kind) or self._route(kind)
        if not self._inbox_room:
            self._inbox_room = _INBOX
            asyncio.get_running_loop().call_soon(self._empty_inbox)
        route.published += 1
        for lane in route.lanes:
            if not lane.offer(event):
                lane.drop(event)

    def _empty_inbox(self) -> None:
        self._inbox_room = 0
        self._spread()

    def _spread(self) -> None:
        """Put what waits in the inbox into the lanes, in order, as many at once as are of one type."""
        if not self._inbox:
            return
        events = list(self._inbox)
        self._inbox.clear()
        for kind, run in groupby(events, type):
            some = list(run)
            route = self._routes.get(kind) or self._route(kind)
            route.published += len(some)
            for lane in route.lanes:
                lane.take(some)

    @staticmethod
    async def _wait_for_room(full: Iterable[Subscription], event: E) -> None:
        """Wait before all full lanes at once: the shortest patience first, so that each is left at its own time."""
        begun = asyncio.get_running_loop().time()
        holds = [(lane, lane.hold(event)) for lane in sorted(full, key=lambda lane: lane.block_timeout_s)]
        try:
            for lane, hold in holds:
                try:
                    async with asyncio.timeout_at(begun + lane.block_timeout_s):
                        await hold.wake
                except TimeoutError:
                    lane.release(hold)
        finally:
            for lane, hold in holds:
                lane.release(hold)

    def stats(self) -> BusStats:
        """Return the figures of this moment."""
        self._spread()
        published = self._published()
        return BusStats(
            {kind.__name__: count for kind, count in published.items()},
            {lane.name: lane.stats(published) for lane in self._subscriptions},
        )

    def _published(self) -> dict[type, int]:
        return {kind: route.published for kind, route in self._known.items()}

    def _route(self, kind: type[E]) -> _Route:
        if not self.running:
            raise SystemMonitoringError(
                f"event {kind.__name__} was emitted while the bus is not running", error_code="BUS_NOT_RUNNING"
            )
        route = self._routes[kind] = _Route(self._lanes(kind))
        return route

    def _lanes(self, kind: type) -> tuple[Subscription, ...]:
        return tuple(lane for lane in self._subscriptions if issubclass(kind, lane.types))

    def _reroute(self) -> None:
        """Subscriptions changed: find the lanes of each known type anew."""
        for kind, route in self._known.items():
            route.lanes = self._lanes(kind)

    def _free_name(self, name: str) -> str:
        taken = {lane.name for lane in self._subscriptions}
        return next(n for n in chain([name], (f"{name}#{i}" for i in count(2))) if n not in taken)

    def _launch(self, lane: Subscription) -> None:
        lane.begin()
        if lane not in self._tasks:
            task = self._tasks[lane] = asyncio.create_task(lane.run(), name=f"bus:{lane.name}")
            task.add_done_callback(lambda _: self._tasks.pop(lane, None))
