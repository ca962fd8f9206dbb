"""The bus: lanes are bounded, apart and in order; faults of one handler touch no other."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import (
    AnyEvent,
    BaseEvent,
    EventBus,
    HostPolled,
    HostStateChanged,
    Notice,
    Policy,
    get_event_bus,
    parse_event,
    register_adapter,
)
from core.exceptions import SystemMonitoringError
from core.models import HostState


async def drain(bus: EventBus) -> None:
    async with asyncio.timeout(2):
        while any(s["depth"] for s in bus.stats()["subscribers"].values()):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)


async def test_events_reach_subscribers_of_the_type_and_of_its_base_in_order() -> None:
    bus, exact, all_of_them = EventBus(), [], []
    bus.subscribe(HostPolled, lambda e: exact.append(e.seq))
    bus.subscribe(BaseEvent, lambda e: all_of_them.append(e.type))
    async with bus:
        for n in range(100):
            await bus.emit(HostPolled(host="a", seq=n))
        await bus.emit(Notice(text="x"))
        await drain(bus)
    assert exact == list(range(100))
    assert all_of_them == ["host.polled"] * 100 + ["notice"]


async def test_emitting_before_start_and_after_stop_is_an_error() -> None:
    bus = EventBus()
    with pytest.raises(SystemMonitoringError):
        bus.emit_nowait(Notice(text="early"))
    async with bus:
        bus.emit_nowait(Notice(text="in time"))
    with pytest.raises(SystemMonitoringError):
        await bus.emit(Notice(text="late"))


async def test_a_failing_handler_is_counted_and_the_others_run() -> None:
    bus, seen = EventBus(), []

    def broken(event: Notice) -> None:
        raise RuntimeError("handler fault")

    bus.subscribe(Notice, broken, name="broken")
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="sound")
    async with bus:
        for n in range(5):
            bus.emit_nowait(Notice(text=str(n)))
        await drain(bus)
        stats = bus.stats()["subscribers"]
    assert seen == list("01234")
    assert (stats["broken"]["failed"], stats["broken"]["delivered"], stats["sound"]["delivered"]) == (5, 0, 5)


@pytest.mark.parametrize(
    ("policy", "kept"), [(Policy.DROP_OLDEST, ["7", "8", "9"]), (Policy.DROP_NEWEST, ["0", "1", "2"])]
)
async def test_a_full_lane_drops_by_its_policy_and_counts(policy: Policy, kept: list[str]) -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="lane", capacity=3, policy=policy)
    async with bus:
        for n in range(10):
            bus.emit_nowait(Notice(text=str(n)))
        await drain(bus)
        assert bus.stats()["subscribers"]["lane"]["dropped"] == 7
    assert seen == kept


async def test_coalescing_keeps_the_newest_of_each_key() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(
        HostPolled, lambda e: seen.append((e.host, e.seq)), policy=Policy.COALESCE, key=lambda e: e.host, capacity=8
    )
    async with bus:
        for n in range(5):
            for host in "ab":
                bus.emit_nowait(HostPolled(host=host, seq=n))
        await drain(bus)
    assert seen == [("a", 4), ("b", 4)]


async def test_a_blocking_lane_holds_its_emitter_and_delays_no_other_lane() -> None:
    bus, slow, fast = EventBus(), [], []
    gate = asyncio.Event()

    async def wait(event: Notice) -> None:
        await gate.wait()
        slow.append(event.text)

    bus.subscribe(Notice, lambda e: fast.append(e.text), name="fast")
    bus.subscribe(Notice, wait, name="slow", capacity=1, policy=Policy.BLOCK, block_timeout_s=0.05)
    async with bus:
        await bus.emit(Notice(text="0"))
        await asyncio.sleep(0.01)  # taken by the handler, which waits
        await bus.emit(Notice(text="1"))
        await bus.emit(Notice(text="2"))  # no room: waits 50 ms, is dropped and counted
        assert bus.stats()["subscribers"]["slow"]["dropped"] == 1
        held = asyncio.create_task(bus.emit(Notice(text="3")))
        await asyncio.sleep(0.01)
        assert fast == ["0", "1", "2", "3"] and not held.done()
        gate.set()
        await held
        await drain(bus)
    assert slow == ["0", "1", "3"]


async def test_stop_delivers_what_waits_and_says_what_was_left() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(Notice, lambda e: seen.append(e.text), name="quick")

    async def stuck(event: Notice) -> None:
        await asyncio.Event().wait()

    bus.subscribe(Notice, stuck, name="stuck")
    await bus.start()
    for n in range(3):
        bus.emit_nowait(Notice(text=str(n)))
    left = await bus.stop(deadline_s=0.1)
    assert seen == ["0", "1", "2"]
    assert left == {"stuck": 3}


async def test_unsubscribed_handlers_hear_nothing_more() -> None:
    bus, seen = EventBus(), []
    unsubscribe = bus.subscribe(Notice, lambda e: seen.append(e.text))
    async with bus:
        await bus.emit(Notice(text="a"))
        await drain(bus)
        unsubscribe()
        unsubscribe()
        await bus.emit(Notice(text="b"))
        await asyncio.sleep(0.01)
    assert seen == ["a"]


def test_the_accessor_gives_one_bus() -> None:
    assert get_event_bus() is get_event_bus()


_text = st.text(max_size=40)
_events = st.one_of(
    st.builds(HostPolled, host=_text, seq=st.integers(0, 2**60), cpu_pct=st.none() | st.floats(0, 100)),
    st.builds(
        HostStateChanged, host=_text, old=st.sampled_from(HostState), new=st.sampled_from(HostState), detail=_text
    ),
    st.builds(
        Notice, text=_text, level=st.sampled_from(["info", "warning", "error"]), correlation_id=st.none() | _text
    ),
)


@given(_events)
@settings(max_examples=200)
def test_every_event_survives_json_and_back(event: AnyEvent) -> None:
    assert parse_event(json.loads(event.model_dump_json())) == event
    assert parse_event(event.model_dump()) == event


def test_old_payloads_are_lifted_by_adapters() -> None:
    register_adapter("notice", 0, lambda d: {**{k: v for k, v in d.items() if k != "message"}, "text": d["message"]})
    event = parse_event({"type": "notice", "version": 0, "message": "from long ago"})
    assert isinstance(event, Notice) and event.text == "from long ago" and event.version == 1
