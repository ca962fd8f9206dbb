"""The event bus beside asyncio.Queue, direct await, blinker and pyee.

Ours is ``emit_nowait``, as pollers emit; "held" is ``emit`` before lanes that block, lossless as a queue's ``put`` is;
"batch" has handlers that take a list. The aim is judged on the queue bus, which gives the same guarantees.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import perf_counter
from uuid import UUID, uuid4

from pydantic import BaseModel, Field

from core.events import Counts, EventBus, HostPolled, Policy
from tests.bench.bus_peers import BURST, PEERS, Counter, Way, all_seen
from tests.bench.figures import Figure


def check(bus: EventBus, events: int) -> None:
    """Nothing was lost, and all of it counted."""
    stats = bus.stats()
    assert stats.published == {"HostPolled": events}
    assert all(lane.by_type == {"HostPolled": Counts(events)} for lane in stats.subscribers.values())


async def ours(events: int, subscribers: int, *, batch: bool = False) -> float:
    """Events a second through the bus, error isolation and statistics on."""
    bus, counters = EventBus(), [Counter() for _ in range(subscribers)]
    for counter in counters:
        bus.subscribe(HostPolled, counter.handle_all if batch else counter.handle, capacity=BURST, batch=batch)
    event = HostPolled(host="web-01")
    async with bus:
        started, sent = perf_counter(), 0
        for _ in range(events // BURST):
            for _ in range(BURST):
                bus.emit_nowait(event)
            sent += BURST
            await all_seen(counters, sent)
        took = perf_counter() - started
        check(bus, events)
    return events / took


async def ours_batch(events: int, subscribers: int) -> float:
    """The same to handlers that take a list."""
    return await ours(events, subscribers, batch=True)


async def ours_held(events: int, subscribers: int) -> float:
    """Events a second with ``emit`` before lanes that block."""
    bus, counters = EventBus(), [Counter() for _ in range(subscribers)]
    for counter in counters:
        bus.subscribe(HostPolled, counter.handle, capacity=BURST, policy=Policy.BLOCK)
    event = HostPolled(host="web-01")
    async with bus:
        started = perf_counter()
        for _ in range(events):
            await bus.emit(event)
        await all_seen(counters, events)
        took = perf_counter() - started
        await asyncio.sleep(0)
        check(bus, events)
    return events / took


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


async def queue_latencies(events: int) -> list[float]:
    """The same from a queue's ``put_nowait`` to its reader."""
    queue: asyncio.Queue[HostPolled] = asyncio.Queue(BURST)
    times, sent = list[float](), 0.0

    async def serve() -> None:
        while True:
            await queue.get()
            times.append(perf_counter() - sent)

    task = asyncio.create_task(serve())
    event = HostPolled(host="web-01")
    await asyncio.sleep(0)
    for n in range(events):
        sent = perf_counter()
        queue.put_nowait(event)
        while len(times) <= n:
            await asyncio.sleep(0)
    task.cancel()
    return times


def making(events: int, make: Callable[[], object]) -> float:
    """Seconds to make one of them."""
    started = perf_counter()
    for _ in range(events):
        make()
    return (perf_counter() - started) / events


OURS: dict[str, Way] = {"ours": ours, "ours, held": ours_held, "ours, batch": ours_batch}
AIM = 3.0  # of ours to a queue bus


def compare(events: int, rounds: int, subscribers: int) -> list[Figure]:
    """Interleave all ways and compare round by round."""
    count = events // subscribers // BURST * BURST
    results: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, way in {**OURS, **PEERS}.items():
            few = count if name != "pyee" else count // 8 // BURST * BURST or BURST
            results.setdefault(name, []).append(asyncio.run(way(few, subscribers)))
    who = f"{subscribers} subscriber{'s' if subscribers > 1 else ''}"
    figures = [
        Figure("bus", f"{name}, {who}", statistics.median(rates) / 1000, "k/s") for name, rates in results.items()
    ]
    pairs = [*(("ours", peer) for peer in PEERS), *((mine, "queue bus") for mine in OURS if mine != "ours")]
    for mine, peer in pairs:
        ratio = statistics.median(a / b for a, b in zip(results[mine], results[peer], strict=True))
        aim = AIM if (mine, peer) == ("ours", "queue bus") else None
        figures.append(Figure("bus", f"{mine} / {peer}, {who}", ratio, "ratio", aim=aim, at_least=True))
    return figures


def waits(events: int) -> Iterator[Figure]:
    """How long single events wait, and those of a queue in turn; medians of rounds, for phases of a machine differ.

    30 us is the aim where the machine lets an event through a queue in 5; it is judged as that ratio.
    """
    ways = {"latency": latencies, "latency of a queue": queue_latencies}
    middle: dict[str, list[float]] = {name: [] for name in ways}
    tail: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(15):
        for name, way in ways.items():
            times = sorted(asyncio.run(way(events // 2)))
            middle[name].append(times[len(times) // 2])
            tail[name].append(times[int(len(times) * 0.99)])
    for name in ways:
        yield Figure("bus", f"{name} p50", statistics.median(middle[name]) * 1e6, "us")
        aim = " (aim 30 us)" if name == "latency" else ""
        yield Figure("bus", f"{name} p99{aim}", statistics.median(tail[name]) * 1e6, "us")
    both = zip(tail["latency"], middle["latency of a queue"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in both)
    yield Figure("bus", "latency p99 / p50 of a queue", ratio, "ratio", aim=30 / 5)


class PlainEvent(BaseModel):
    """The same event as pydantic users write it."""

    id: UUID = Field(default_factory=uuid4)
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
    host: str
    seq: int = 0
    cpu_pct: float | None = None


def prices() -> Iterator[Figure]:
    """What one event costs to make: checked, as the poller does (what it holds was checked), and a plain one."""
    figures = (1.0, 2.0, 3.0, 4.0)
    ways: dict[str, Callable[[], object]] = {
        "making an event": lambda: HostPolled(host="web-01", seq=1, cpu_pct=1.0),
        "making an event as the poller does": lambda: HostPolled.of_sample("web-01", "c", 1, figures, 0.0),
        "making a plain pydantic event": lambda: PlainEvent(host="web-01", seq=1, cpu_pct=1.0),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(50):
        for name, make in ways.items():
            took[name].append(making(1000, make))
    for name, times in took.items():
        yield Figure("bus", name, min(times) * 1e6, "us", aim=5.0 if name == "making an event" else None)
    checked, polled, plain = took.values()
    for name, times in (("making an event", checked), ("making an event as the poller does", polled)):
        ratio = statistics.median(a / b for a, b in zip(times, plain, strict=True))
        yield Figure("bus", f"{name} / a plain one", ratio, "ratio")


def run(*, quick: bool) -> list[Figure]:
    """The rates and their ratios, the latency of single events, and the price of making one."""
    events, rounds = (20_480, 9) if quick else (81_920, 15)
    figures = [figure for subscribers in (1, 4, 16) for figure in compare(events, rounds, subscribers)]
    figures += [*waits(events // 8), *prices()]
    return figures
