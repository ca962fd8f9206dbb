"""The event bus beside one asyncio.Queue a subscriber and direct await; blinker and pyee where they are installed."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from time import perf_counter

from core.events import EventBus, HostPolled
from tests.bench.figures import Figure

_BURST = 256
Way = Callable[[int, int], Awaitable[float]]


class Counter:
    """A subscriber that only counts."""

    def __init__(self, expected: int) -> None:
        self.seen, self.expected = 0, expected
        self.done = asyncio.Event()

    async def handle(self, event: HostPolled) -> None:
        self.seen += 1
        if self.seen == self.expected:
            self.done.set()


async def ours(events: int, subscribers: int) -> float:
    """Events a second through the bus, error isolation and statistics on."""
    bus, counters = EventBus(), [Counter(events) for _ in range(subscribers)]
    for counter in counters:
        bus.subscribe(HostPolled, counter.handle, capacity=_BURST)
    event = HostPolled(host="web-01")
    async with bus:
        started, sent = perf_counter(), 0
        for _ in range(events // _BURST):
            for _ in range(_BURST):
                bus.emit_nowait(event)
            sent += _BURST
            while any(counter.seen < sent for counter in counters):
                await asyncio.sleep(0)
        for counter in counters:
            await counter.done.wait()
        took = perf_counter() - started
        stats = bus.stats()["subscribers"].values()
        assert all(s["dropped"] == 0 and s["delivered"] == events for s in stats)
    return events / took


async def queues(events: int, subscribers: int) -> float:
    """Events a second through one asyncio.Queue a subscriber."""
    lanes: list[asyncio.Queue[HostPolled]] = [asyncio.Queue(_BURST) for _ in range(subscribers)]
    counters = [Counter(events) for _ in lanes]

    async def serve(lane: asyncio.Queue[HostPolled], counter: Counter) -> None:
        while True:
            await counter.handle(await lane.get())

    tasks = [asyncio.create_task(serve(q, c)) for q, c in zip(lanes, counters, strict=True)]
    event = HostPolled(host="web-01")
    started = perf_counter()
    for _ in range(events):
        for lane in lanes:
            await lane.put(event)
    for counter in counters:
        await counter.done.wait()
    took = perf_counter() - started
    for task in tasks:
        task.cancel()
    return events / took


async def direct(events: int, subscribers: int) -> float:
    """Events a second by awaiting each handler in turn: no isolation, no lanes."""
    counters, event = [Counter(events) for _ in range(subscribers)], HostPolled(host="web-01")
    started = perf_counter()
    for _ in range(events):
        for counter in counters:
            await counter.handle(event)
    return events / (perf_counter() - started)


async def blinker(events: int, subscribers: int) -> float:
    """Events a second through a blinker signal with coroutines."""
    from blinker import Signal

    signal, counters, event = Signal(), [Counter(events) for _ in range(subscribers)], HostPolled(host="web-01")
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
        [Counter(events) for _ in range(subscribers)],
        HostPolled(host="w"),
    )
    for counter in counters:
        emitter.on("x", counter.handle)
    started = perf_counter()
    for n in range(events):
        emitter.emit("x", event)
        if n % _BURST == 0:
            await asyncio.sleep(0)
    for counter in counters:
        await counter.done.wait()
    return events / (perf_counter() - started)


async def latencies(events: int) -> list[float]:
    """Seconds from emit to the handler, one event at a time, as a poller emits."""
    bus, times, sent = EventBus(), [], 0.0

    def handle(event: HostPolled) -> None:
        times.append(perf_counter() - sent)

    bus.subscribe(HostPolled, handle)
    event = HostPolled(host="web-01")
    async with bus:
        await asyncio.sleep(0)
        for n in range(events):
            sent = perf_counter()
            bus.emit_nowait(event)
            while len(times) <= n:
                await asyncio.sleep(0)
    return times


def making(events: int) -> float:
    """Seconds to make one event."""
    started = perf_counter()
    for _ in range(events):
        HostPolled(host="web-01", seq=1, cpu_pct=1.0)
    return (perf_counter() - started) / events


def run(*, quick: bool) -> list[Figure]:
    """Interleave all ways and compare round by round."""
    events, rounds = (20_480, 5) if quick else (81_920, 9)
    peers: dict[str, Way] = {name: way for name, way in (("blinker", blinker), ("pyee", pyee)) if find_spec(name)}
    figures: list[Figure] = []
    for subscribers in (1, 4, 16):
        count = events // subscribers // _BURST * _BURST
        results: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, way in {"ours": ours, "queue": queues, "direct": direct, **peers}.items():
                few = count if name != "pyee" else count // 8 // _BURST * _BURST or _BURST
                results.setdefault(name, []).append(asyncio.run(way(few, subscribers)))
        who = f"{subscribers} subscriber{'s' if subscribers > 1 else ''}"
        for name, rates in results.items():
            figures.append(Figure("bus", f"{name}, {who}", statistics.median(rates) / 1000, "k/s"))
        against = {
            n: statistics.median(a / b for a, b in zip(results["ours"], r, strict=True)) for n, r in results.items()
        }
        figures.append(Figure("bus", f"ours / asyncio.Queue, {who}", against["queue"], "ratio", aim=3.0, at_least=True))
        figures.append(Figure("bus", f"ours / direct await, {who}", against["direct"], "ratio"))
    times = sorted(asyncio.run(latencies(events // 4)))
    figures.append(Figure("bus", "latency p50", times[len(times) // 2] * 1e6, "us"))
    figures.append(Figure("bus", "latency p99", times[int(len(times) * 0.99)] * 1e6, "us", aim=30.0))
    figures.append(Figure("bus", "making an event", min(making(5000) for _ in range(5)) * 1e6, "us", aim=5.0))
    return figures
