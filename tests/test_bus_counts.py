"""What the bus counts is what happened, whatever the policy, the size and the handler."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from core.events import BaseEvent, EventBus, HostPolled, Notice, Policy
from tests.parts import examples

_steps = st.lists(st.sampled_from(["notice", "polled", "bad", "turn"]), max_size=60)


@given(_steps, st.sampled_from(Policy), st.integers(1, 5), st.booleans(), st.booleans())
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
def test_the_counts_are_what_happened(
    steps: list[str], policy: Policy, capacity: int, batch: bool, suspends: bool
) -> None:
    """Deliveries are counted by difference: at each moment they are those that the handler saw the end of."""
    done: dict[str, list[int]] = {"HostPolled": [], "Notice": []}
    failed = 0

    async def handle(given: Any) -> None:
        nonlocal failed
        events = given if batch else [given]
        if suspends:
            await asyncio.sleep(0)
        if any(e.metadata for e in events):
            failed += len(events)
            raise RuntimeError("handler fault")
        for e in events:
            done[type(e).__name__].append(int(e.source))

    async def run() -> None:
        bus = EventBus()
        key = (lambda e: int(e.source) % 3) if policy is Policy.COALESCE else None
        bus.subscribe(
            BaseEvent, handle, name="lane", capacity=capacity, policy=policy, key=key, batch=batch, block_timeout_s=0
        )
        async with bus:
            for n, step in enumerate(steps):
                if step == "turn":
                    await asyncio.sleep(0)
                elif step == "polled":
                    bus.emit_nowait(HostPolled(host="h", source=str(n)))
                else:
                    await bus.emit(Notice(text="t", source=str(n), metadata={"x": "y"} if step == "bad" else {}))
                check(bus)
            await bus.stop(5)
            check(bus)
            total = bus.stats().subscribers["lane"].total
        assert len(steps) - steps.count("turn") == total.delivered + total.failed + total.dropped + total.coalesced

    def check(bus: EventBus) -> None:
        lane = bus.stats().subscribers["lane"]
        assert {k: c.delivered for k, c in lane.by_type.items() if c.delivered} == {
            k: len(v) for k, v in done.items() if v
        }
        assert lane.total.failed == failed
        assert lane.depth <= capacity

    with capture_logs():
        asyncio.run(run())
    if policy is not Policy.COALESCE:
        assert all(numbers == sorted(numbers) for numbers in done.values())
