"""The bus: lanes are bounded, apart and in order; faults of one handler touch no other; everything is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from core import lanes
from core.events import BaseEvent, Counts, EventBus, HostPolled, LaneStats, Notice, Policy


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged, and not drawn."""
    with capture_logs() as entries:
        yield entries


def lane_of(bus: EventBus, name: str) -> LaneStats:
    return bus.stats().subscribers[name]


async def drain(bus: EventBus) -> None:
    """Wait until nothing waits and no handler runs."""
    async with asyncio.timeout(30):
        while any(lane.queue or lane._in_hand is not None for lane in bus._subscriptions):
            await asyncio.sleep(0)


async def test_events_reach_subscribers_of_the_type_and_of_its_base_in_order() -> None:
    bus, exact, all_of_them = EventBus(), [], []
    bus.subscribe(HostPolled, lambda e: exact.append(e.seq))
    bus.subscribe(BaseEvent, lambda e: all_of_them.append(e.type))
    async with bus:
        for n in range(100):
            await bus.emit(HostPolled(host="a", seq=n))
        await bus.emit(Notice(text="x"))
        await drain(bus)
        assert bus.stats().published == {"HostPolled": 100, "Notice": 1}
    assert exact == list(range(100))
    assert all_of_them == ["host.polled"] * 100 + ["notice"]


async def test_a_failing_handler_is_logged_and_counted_and_the_others_run(logs: list[Any]) -> None:
    bus, seen = EventBus(), []

    def broken(event: Notice) -> None:
        raise RuntimeError("handler fault")

    async def waits_for_what_is_cancelled(event: Notice) -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    bus.subscribe(Notice, broken, name="broken")
    bus.subscribe(Notice, waits_for_what_is_cancelled, name="cancelled")
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="sound")
    async with bus:
        for n in range(5):
            bus.emit_nowait(Notice(text=str(n)))
        await drain(bus)
        lanes_now = bus.stats().subscribers
    assert seen == list("01234")
    assert lanes_now["broken"].by_type == lanes_now["cancelled"].by_type == {"Notice": Counts(failed=5)}
    assert lanes_now["sound"].total == Counts(delivered=5)
    assert [entry["times"] for entry in logs if entry["subscriber"] == "broken"] == [1]


async def test_a_fault_that_goes_on_is_logged_once_a_second_with_how_often_it_came(
    logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(lanes, "monotonic", lambda: now)
    bus = EventBus()
    bus.subscribe(Notice, lambda e: {}[e.text], name="broken")
    async with bus:
        for _ in range(3):
            for _ in range(100):
                bus.emit_nowait(Notice(text="x"))
            await drain(bus)
            now += 2
    assert [entry["times"] for entry in logs] == [1, 100, 100]


@pytest.mark.parametrize(
    ("policy", "kept"), [(Policy.DROP_OLDEST, ["7", "8", "9"]), (Policy.DROP_NEWEST, ["0", "1", "2"])]
)
async def test_a_full_lane_drops_by_its_policy_and_counts(policy: Policy, kept: list[str]) -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="lane", capacity=3, policy=policy)
    async with bus:
        for n in range(10):
            bus.emit_nowait(Notice(text=str(n)))
        assert lane_of(bus, "lane").depth == 3
        await drain(bus)
        assert lane_of(bus, "lane").by_type == {"Notice": Counts(delivered=3, dropped=7)}
    assert seen == kept


async def test_coalescing_keeps_the_newest_of_each_key_in_the_place_of_the_first() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(
        HostPolled, lambda e: seen.append((e.host, e.seq)), name="lane", policy=Policy.COALESCE, key=lambda e: e.host,
        capacity=2,
    )  # fmt: skip
    async with bus:
        for n in range(5):
            for host in "ab":
                bus.emit_nowait(HostPolled(host=host, seq=n))
        await drain(bus)
        assert seen == [("a", 4), ("b", 4)]
        for host in "cde":
            bus.emit_nowait(HostPolled(host=host))
        await drain(bus)
        assert lane_of(bus, "lane").total == Counts(delivered=4, coalesced=8, dropped=1)
    assert seen[2:] == [("d", 0), ("e", 0)]


async def test_a_failing_key_is_its_subscribers_fault_alone() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, seen.append, name="keyed", policy=Policy.COALESCE, key=lambda e: {}[e.text])
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="sound")
    async with bus:
        bus.emit_nowait(Notice(text="x"))
        await drain(bus)
        assert lane_of(bus, "keyed").total == Counts(failed=1)
    assert seen == ["x"]


async def test_a_batch_handler_gets_lists_and_a_failure_counts_all_of_one() -> None:
    bus, seen = EventBus(), []

    async def handle(events: list[Notice]) -> None:
        seen.append([e.text for e in events])
        if len(seen) == 2:
            raise RuntimeError("handler fault")

    bus.subscribe(Notice, handle, name="lane", batch=True)
    async with bus:
        for turn in ("ab", "cde", "f"):
            for text in turn:
                bus.emit_nowait(Notice(text=text))
            await drain(bus)
        assert lane_of(bus, "lane").total == Counts(delivered=3, failed=3)
    assert seen == [["a", "b"], ["c", "d", "e"], ["f"]]


async def test_a_blocking_lane_holds_its_emitter_and_delays_no_other_lane() -> None:
    bus, slow, fast = EventBus(), [], []
    gate = asyncio.Event()

    async def wait(event: Notice) -> None:
        await gate.wait()
        slow.append(event.text)

    bus.subscribe(Notice, wait, name="slow", capacity=1, policy=Policy.BLOCK, block_timeout_s=0.05)
    bus.subscribe(Notice, lambda e: fast.append(e.text), name="fast")
    bus.subscribe(Notice, wait, name="patient", capacity=1, policy=Policy.BLOCK, block_timeout_s=60)
    async with bus:
        await bus.emit(Notice(text="0"))
        await asyncio.sleep(0)  # taken by the handlers, which wait
        await bus.emit(Notice(text="1"))
        held = [asyncio.create_task(bus.emit(Notice(text=text))) for text in "234"]
        async with asyncio.timeout(30):
            while lane_of(bus, "slow").total.dropped < 3:  # no room: each waited 50 ms, is dropped and counted
                await asyncio.sleep(0.01)
        assert fast == list("01234") and not any(task.done() for task in held)
        held[1].cancel()
        await asyncio.wait([held[1]])
        assert lane_of(bus, "patient").total.dropped == 1
        bus.emit_nowait(Notice(text="5"))  # waits for nobody, and overtakes nobody
        gate.set()
        await asyncio.gather(held[0], held[2])
        await drain(bus)
        assert lane_of(bus, "slow").total == Counts(delivered=2, dropped=4)
        assert lane_of(bus, "patient").total == Counts(delivered=4, dropped=2)
    assert sorted(slow) == sorted([*"01", *"0124"])
    assert fast == list("012345")


async def test_a_lane_that_is_never_empty_lets_the_others_have_their_turns() -> None:
    bus, handled = EventBus(), 0

    def again(event: Notice) -> None:
        nonlocal handled
        handled += 1
        if handled < 1_000_000:
            bus.emit_nowait(event)

    bus.subscribe(Notice, again, name="busy")
    async with bus:
        bus.emit_nowait(Notice(text="x"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert 0 < handled < 1_000_000
        await bus.stop(0)


async def test_lag_never_says_less_than_the_oldest_has_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now, since, most = 0.0, [], 0.0
    monkeypatch.setattr(lanes, "monotonic", lambda: now)
    bus = EventBus()

    async def handle(event: Notice) -> None:
        nonlocal now, most
        now += 1
        most = max(most, lane_of(bus, "lane").lag_s)
        assert lane_of(bus, "lane").lag_s >= now - since.pop(0)
        if event.text == "on" and now < 5000:  # never empty, and yet not behind: ten wait, and each takes 1 s
            emit("on")

    def emit(text: str) -> None:
        since.append(now)
        bus.emit_nowait(Notice(text=text))

    bus.subscribe(Notice, handle, name="lane")
    async with bus:
        await asyncio.sleep(0)
        emit("alone")
        now += 7
        assert lane_of(bus, "lane").lag_s == 7
        await drain(bus)
        for _ in range(10):
            emit("on")
        await drain(bus)
        assert now > 5000 and 10 <= most < 200
        assert lane_of(bus, "lane").total == Counts(delivered=int(now) - 7)  # no assertion of the handler failed


async def test_unsubscribed_handlers_hear_nothing_more() -> None:
    bus, seen = EventBus(), []
    unsubscribe = bus.subscribe(Notice, lambda e: seen.append(e.text), name="lane")
    async with bus:
        await bus.emit(Notice(text="a"))
        await drain(bus)
        bus.emit_nowait(Notice(text="waits"))
        unsubscribe()
        unsubscribe()
        await bus.emit(Notice(text="b"))
        await asyncio.sleep(0.01)
        assert bus.stats().subscribers == {}
    assert seen == ["a"]


async def test_a_handler_may_unsubscribe_itself_and_ends_what_it_does() -> None:
    bus, seen = EventBus(), []

    async def once(event: Notice) -> None:
        unsubscribe()
        bus.subscribe(Notice, lambda e: seen.append(("next", e.text)))
        await asyncio.sleep(0)
        seen.append(("once", event.text))

    unsubscribe = bus.subscribe(Notice, once)
    async with bus:
        bus.emit_nowait(Notice(text="a"))
        bus.emit_nowait(Notice(text="b"))
        while not seen:
            await asyncio.sleep(0)
        bus.emit_nowait(Notice(text="c"))
        await drain(bus)
    assert seen == [("once", "a"), ("next", "c")]


async def test_names_that_are_taken_get_a_number() -> None:
    bus = EventBus()
    for _ in range(3):
        bus.subscribe(Notice, print, name="lane")
    assert list(bus.stats().subscribers) == ["lane", "lane#2", "lane#3"]


@pytest.mark.parametrize(
    "wrong", [{"capacity": 0}, {"policy": Policy.COALESCE}, {"key": lambda e: e.id}], ids=["capacity", "no-key", "key"]
)
def test_a_lane_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        EventBus().subscribe(Notice, print, **wrong)


async def test_a_burst_keeps_its_order_and_belongs_to_those_who_were_there_at_the_time() -> None:
    bus, early, late = EventBus(), [], []
    bus.subscribe((Notice, HostPolled), early.append, capacity=5000)
    async with bus:
        sent = [Notice(text=str(n)) if n % 3 else HostPolled(host="a", seq=n) for n in range(3000)]
        for event in sent[:2000]:  # within one turn of the loop
            bus.emit_nowait(event)
        bus.subscribe(Notice, late.append, name="late", capacity=5000)
        for event in sent[2000:2500]:
            bus.emit_nowait(event)
        await bus.emit(sent[2500])
        for event in sent[2501:]:
            bus.emit_nowait(event)
        assert bus.stats().published == {"Notice": 2000, "HostPolled": 1000}
    assert early == sent
    assert late == [event for event in sent[2000:] if isinstance(event, Notice)]
