"""The bus's life: start, stop with a deadline, and start again, from wherever that is asked."""

from __future__ import annotations

import asyncio

import pytest

from core.events import Counts, EventBus, Notice, Policy
from core.exceptions import SystemMonitoringError


def tasks_left() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("bus:")}


async def test_emitting_before_start_and_after_stop_is_an_error() -> None:
    bus = EventBus()
    with pytest.raises(SystemMonitoringError):
        bus.emit_nowait(Notice(text="early"))
    async with bus:
        bus.emit_nowait(Notice(text="in time"))
    with pytest.raises(SystemMonitoringError):
        await bus.emit(Notice(text="late"))
    assert bus.stats().published == {"Notice": 1}


async def test_stop_delivers_what_waits_and_says_what_was_left() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="quick")

    async def stuck(event: Notice) -> None:
        await asyncio.Event().wait()

    bus.subscribe(Notice, stuck, name="stuck", capacity=1, policy=Policy.BLOCK, block_timeout_s=60)
    await bus.start()
    await bus.emit(Notice(text="0"))
    await asyncio.sleep(0)
    await bus.emit(Notice(text="1"))
    held = asyncio.create_task(bus.emit(Notice(text="2")))
    await asyncio.sleep(0)
    left = await bus.stop(deadline_s=0.1)
    assert seen == ["0", "1", "2"]
    assert left == {"stuck": {"Notice": 3}}  # in the handler, in the lane, and before it
    assert bus.stats().subscribers["stuck"].total == Counts(dropped=3)
    await held
    assert not tasks_left()


async def test_it_starts_again_and_what_was_left_does_not_come_back() -> None:
    bus, seen = EventBus(), []
    gate = asyncio.Event()

    async def handle(event: Notice) -> None:
        await gate.wait()
        seen.append(event.text)

    bus.subscribe(Notice, handle, name="lane")
    for text in "ab":
        await bus.start()
        await bus.start()
        bus.emit_nowait(Notice(text=text))
        await bus.stop(0.02)
        assert await bus.stop() == {}
        gate.set()
    assert seen == ["b"]
    assert bus.stats().subscribers["lane"].total == Counts(delivered=1, dropped=1)


def test_it_serves_one_loop_after_another() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, lambda e: seen.append(e.text))

    async def once(text: str) -> None:
        async with bus:
            bus.emit_nowait(Notice(text=text))

    for text in "ab":
        asyncio.run(once(text))
    assert seen == ["a", "b"]


async def test_a_handler_may_stop_the_bus() -> None:
    bus, seen, left = EventBus(), [], []

    async def handle(event: Notice) -> None:
        left.append(await bus.stop(5))
        seen.append(event.text)

    bus.subscribe(Notice, handle, name="stops")
    bus.subscribe(Notice, lambda e: seen.append(e.text + " too"), name="other")
    await bus.start()
    for text in "abc":
        bus.emit_nowait(Notice(text=text))
    async with asyncio.timeout(2):  # less than the deadline: it does not wait for itself
        while tasks_left():
            await asyncio.sleep(0)
    assert left == [{"stops": {"Notice": 2}}]
    assert seen == ["a too", "b too", "c too", "a"]
    assert bus.stats().subscribers["stops"].total == Counts(delivered=1, dropped=2)


async def test_a_handler_may_start_it_again() -> None:
    bus, seen = EventBus(), []

    async def handle(event: Notice) -> None:
        if event.text == "a":
            await bus.stop()
            await bus.start()
        seen.append(event.text)

    bus.subscribe(Notice, handle, name="lane")
    await bus.start()
    bus.emit_nowait(Notice(text="a"))
    while not seen:
        await asyncio.sleep(0)
    bus.emit_nowait(Notice(text="b"))
    assert tasks_left() == {"bus:lane"}
    await bus.stop()
    assert seen == ["a", "b"]


async def test_a_handler_that_waits_for_one_who_stops_the_bus_is_cut_off_at_the_deadline() -> None:
    bus = EventBus()

    async def handle(event: Notice) -> None:
        await asyncio.create_task(bus.stop(0.02))

    bus.subscribe(Notice, handle, name="lane")
    await bus.start()
    bus.emit_nowait(Notice(text="a"))
    async with asyncio.timeout(30):
        while tasks_left() or bus.running:
            await asyncio.sleep(0.01)
    await bus.start()
    await bus.stop()


async def test_a_stop_that_is_cancelled_leaves_no_task_and_a_start_meanwhile_is_refused() -> None:
    bus = EventBus()

    async def stuck(event: Notice) -> None:
        await asyncio.Event().wait()

    bus.subscribe(Notice, stuck)
    await bus.start()
    bus.emit_nowait(Notice(text="a"))
    stop = asyncio.create_task(bus.stop(60))
    await asyncio.sleep(0)
    with pytest.raises(SystemMonitoringError, match="while it stops"):
        await bus.start()
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert not tasks_left()
    async with bus:
        assert bus.running


async def test_a_handler_that_does_not_heed_its_cancellation_holds_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.bus._CUT_S", 0.05)
    bus, gate = EventBus(), asyncio.Event()

    async def deaf(event: Notice) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    bus.subscribe(Notice, deaf, name="deaf")
    await bus.start()
    bus.emit_nowait(Notice(text="a"))
    await asyncio.sleep(0)
    assert await bus.stop(0) == {"deaf": {"Notice": 1}}
    gate.set()
    async with asyncio.timeout(30):
        while tasks_left():
            await asyncio.sleep(0)
