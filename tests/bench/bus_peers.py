"""What the event bus is measured against, each with the same coroutine handler. Of asyncio.Queue, bounded, three forms:

- queue bus: with our guarantees: events find their lanes by type, a failing handler is logged and the next event
  follows, published is counted by type, delivered and failed by type and subscriber;
- queue: the same one ``put`` and one ``get`` an event, without any of that;
- queue in bursts: its best case: ``put_nowait``, and ``get_nowait`` until it is empty; of all that only the isolation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import structlog

from core.events import HostPolled

BURST = 256
Way = Callable[[int, int], Awaitable[float]]
"""Takes the number of events and of subscribers; returns events a second."""
log = structlog.get_logger("bench")


class Counter:
    """A subscriber that only counts."""

    def __init__(self) -> None:
        self.seen = 0

    async def handle(self, event: HostPolled) -> None:
        self.seen += 1

    async def handle_all(self, events: list[HostPolled]) -> None:
        self.seen += len(events)


async def all_seen(counters: list[Counter], events: int) -> None:
    """Let the loop run until every subscriber has seen so many events."""
    for counter in counters:
        while counter.seen < events:
            await asyncio.sleep(0)


class QueueLane:
    """A subscriber's queue with counts by type."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]]) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(BURST)
        self.handler = handler
        self.delivered: dict[type, int] = {}
        self.failed: dict[type, int] = {}

    async def serve(self) -> None:
        while True:
            event = await self.queue.get()
            kind = type(event)
            try:
                await self.handler(event)
                self.delivered[kind] = self.delivered.get(kind, 0) + 1
            except Exception:
                self.failed[kind] = self.failed.get(kind, 0) + 1
                log.exception("event handler failed", event_type=kind.__name__)


class QueueBus:
    """A bus as one writes it with asyncio.Queue."""

    def __init__(self, lanes: dict[type, list[QueueLane]]) -> None:
        self.lanes = lanes
        self.published: dict[type, int] = {}

    async def emit(self, event: Any) -> None:
        kind = type(event)
        self.published[kind] = self.published.get(kind, 0) + 1
        for lane in self.lanes[kind]:
            await lane.queue.put(event)


async def queue_bus(events: int, subscribers: int) -> float:
    """Events a second through a bus of one asyncio.Queue a subscriber."""
    counters = [Counter() for _ in range(subscribers)]
    lanes = [QueueLane(counter.handle) for counter in counters]
    bus = QueueBus({HostPolled: lanes})
    tasks = [asyncio.create_task(lane.serve()) for lane in lanes]
    event = HostPolled(host="web-01")
    started = perf_counter()
    for _ in range(events):
        await bus.emit(event)
    await all_seen(counters, events)
    took = perf_counter() - started
    for task in tasks:
        task.cancel()
    return events / took


async def queues(events: int, subscribers: int) -> float:
    """Events a second through one asyncio.Queue a subscriber."""
    lanes: list[asyncio.Queue[HostPolled]] = [asyncio.Queue(BURST) for _ in range(subscribers)]
    counters = [Counter() for _ in lanes]

    async def serve(lane: asyncio.Queue[HostPolled], counter: Counter) -> None:
        while True:
            await counter.handle(await lane.get())

    tasks = [asyncio.create_task(serve(q, c)) for q, c in zip(lanes, counters, strict=True)]
    event = HostPolled(host="web-01")
    started = perf_counter()
    for _ in range(events):
        for lane in lanes:
            await lane.put(event)
    await all_seen(counters, events)
    took = perf_counter() - started
    for task in tasks:
        task.cancel()
    return events / took


async def queue_bursts(events: int, subscribers: int) -> float:
    """Events a second through one asyncio.Queue a subscriber, filled and emptied without a wait an event."""
    lanes: list[asyncio.Queue[HostPolled]] = [asyncio.Queue(BURST) for _ in range(subscribers)]
    counters = [Counter() for _ in lanes]

    async def serve(lane: asyncio.Queue[HostPolled], counter: Counter) -> None:
        while True:
            event = await lane.get()
            while True:
                try:
                    await counter.handle(event)
                except Exception:
                    log.exception("event handler failed")
                if lane.empty():
                    break
                event = lane.get_nowait()

    tasks = [asyncio.create_task(serve(q, c)) for q, c in zip(lanes, counters, strict=True)]
    event = HostPolled(host="web-01")
    started, sent = perf_counter(), 0
    for _ in range(events // BURST):
        for _ in range(BURST):
            for lane in lanes:
                lane.put_nowait(event)
        sent += BURST
        await all_seen(counters, sent)
    took = perf_counter() - started
    for task in tasks:
        task.cancel()
    return events / took


async def direct(events: int, subscribers: int) -> float:
    """Events a second by awaiting each handler in turn: no isolation, no lanes."""
    counters, event = [Counter() for _ in range(subscribers)], HostPolled(host="web-01")
    started = perf_counter()
    for _ in range(events):
        for counter in counters:
            await counter.handle(event)
    return events / (perf_counter() - started)


async def blinker(events: int, subscribers: int) -> float:
    """Events a second through a blinker signal with coroutines."""
    from blinker import Signal

    signal, counters, event = Signal(), [Counter() for _ in range(subscribers)], HostPolled(host="web-01")
    for counter in counters:
        signal.connect(counter.handle)
    started = perf_counter()
    for _ in range(events):
        await signal.send_async(event)
    return events / (perf_counter() - started)


async def pyee(events: int, subscribers: int) -> float:
    """Events a second through pyee's asyncio emitter."""
    from pyee.asyncio import AsyncIOEventEmitter

    emitter, counters, event = (
        AsyncIOEventEmitter(),
        [Counter() for _ in range(subscribers)],
        HostPolled(host="w"),
    )
    for counter in counters:
        emitter.on("x", counter.handle)
    started = perf_counter()
    for n in range(events):
        emitter.emit("x", event)
        if n % BURST == 0:
            await asyncio.sleep(0)
    await all_seen(counters, events)
    return events / (perf_counter() - started)


PEERS: dict[str, Way] = {
    "queue bus": queue_bus,
    "queue": queues,
    "queue in bursts": queue_bursts,
    "direct await": direct,
    **{name: way for name, way in (("blinker", blinker), ("pyee", pyee)) if find_spec(name)},
}
