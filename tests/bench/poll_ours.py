"""Our own client, the real parts: supervisor, pollers, transport, assembler, live state, bus, and a sink that keeps.

The handler of frames can be switched while the streams run: the transport alone counts them, the whole way takes
them as the program does, "latency" looks only at their age. All three over the same streams.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from logging import ERROR
from pathlib import Path
from time import perf_counter, process_time, time
from typing import Any

from structlog import configure, make_filtering_bound_logger

from core.collectors.assemble import SampleAssembler
from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.events import LOUD, EventBus, HostPolled
from core.live_state import LiveState
from core.models import Host, HostSample, HostState, Transition, WriterStats
from core.polling.assess import Limits
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import CommandResult, FrameHandler, FrameStream, HostSession, SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.gather import Gather
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from core.ssh.short_way import ShortWay
from tests.bench.poll_client import allow_files, answer, order, rss, spread

_IDLE_S, _BATCH = 3600.0, 1000


class Switch:
    """What becomes of a frame now."""

    def __init__(self) -> None:
        self.mode, self.frames, self.bytes = "whole", 0, 0
        self.ages: list[float] = []

    def handler(self, whole: FrameHandler) -> FrameHandler:
        def handle(frame: bytes, at: datetime) -> None:
            self.frames += 1
            self.bytes += len(frame)
            if self.mode == "whole":
                whole(frame, at)
            elif self.mode == "latency":
                self.ages.append(time() - float(frame[: frame.index(b"\n")].rpartition(b" ")[2]))

        return handle


class Session:
    """A session whose frames pass the switch."""

    def __init__(self, session: HostSession, switch: Switch) -> None:
        self._session, self._switch = session, switch

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> FrameStream:
        return await self._session.open_stream(self._switch.handler(on_frame), interval_s=interval_s)

    async def run(self, argv: Sequence[str], *, timeout_s: float = 10.0, max_output: int = 1 << 20) -> CommandResult:
        return await self._session.run(argv, timeout_s=timeout_s, max_output=max_output)

    async def close(self) -> None:
        await self._session.close()


class Factory:
    """The real factory behind the switch."""

    def __init__(self, factory: AsyncSSHFactory, switch: Switch) -> None:
        self._factory, self._switch = factory, switch

    async def connect(self, host: Host) -> Session:
        return Session(await self._factory.connect(host), self._switch)


class Store:
    """A sink that takes as the writer does: into a queue that is emptied about once a second."""

    def __init__(self) -> None:
        self.queue: deque[HostSample | Transition] = deque()

    def put(self, sample: HostSample) -> None:
        if len(self.queue) >= _BATCH:
            self.queue.clear()
        self.queue.append(sample)

    def put_transition(self, transition: Transition) -> None:
        self.queue.append(transition)

    def stats(self) -> WriterStats:
        return WriterStats(queued=len(self.queue))


class Client:
    """The pollers of all hosts."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.switch, self.bus, self.live, self.store = Switch(), EventBus(), LiveState(SystemClock()), Store()
        keys = HostKeyReviews(Path(job["hosts"][0]["known_hosts"]))
        self.hosts = [
            Host(
                name=f"host-{number:04d}", address=host["address"], port=host["port"], user=host["user"],
                identity_files=(host["key"],), known_hosts=host["known_hosts"], simulated=True,
            )
            for number, host in enumerate(job["hosts"])
        ]  # fmt: skip
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=Factory(AsyncSSHFactory(SSHSettings(), keys, loop_calls(1 << 18)), self.switch),
                assembler=SampleAssembler,
                sink=self.store,
                live=self.live,
                bus=self.bus,
                clock=SystemClock(),
                reason_of=reason_of,
                limits=Limits(90, 95, 90),
                backoff=Backoff(1.0, 300.0),
                interval_s=_IDLE_S,
            )
        )

    async def start(self) -> None:
        """Begin; no host is polled yet."""
        await self.bus.start()
        self.bus.subscribe(LOUD, self.live.record_event, name="live-events", capacity=4096)
        self.bus.subscribe(HostPolled, self._polled, name="polled", capacity=4096)
        self.live.set_hosts(self.hosts)
        self.supervisor.start()

    def _polled(self, event: HostPolled) -> None:
        """Hear of every sample, though the program itself does not: its event is part of the whole way."""

    async def connect(self, count: int) -> None:
        """Poll the first so many hosts; return when all have given a sample."""
        self.supervisor.set_hosts(self.hosts[:count])
        async with asyncio.timeout(60 + count * 0.05):
            while not all(view.state is HostState.ONLINE for view in self.live.current().hosts[:count]):
                await asyncio.sleep(0.05)

    async def pace(self, interval_s: float, count: int) -> None:
        """Let the first hosts push at an interval, the others rest; return when all go at it."""
        for number, host in enumerate(self.hosts):
            wanted = interval_s if number < count else _IDLE_S
            if self.supervisor.interval(host.name) != wanted:
                self.supervisor.set_interval(host.name, wanted)
        frames = self.switch.frames
        if interval_s < _IDLE_S:
            async with asyncio.timeout(30):
                while self.switch.frames < frames + 3 * count:
                    await asyncio.sleep(0.01)
        else:
            await asyncio.sleep(0.2)

    async def measure(self, mode: str, seconds: float) -> dict[str, Any]:
        switch = self.switch
        switch.mode = mode
        gc.collect()
        await asyncio.sleep(0.1)
        switch.ages.clear()
        frames, size, wall, cpu = switch.frames, switch.bytes, perf_counter(), process_time()
        await asyncio.sleep(seconds)
        used, took = process_time() - cpu, perf_counter() - wall
        samples, size = switch.frames - frames, switch.bytes - size
        switch.mode = "whole"
        figures = {"samples": samples, "cpu_s": used, "wall_s": took, "frame_bytes": size / max(1, samples)}
        return figures | (spread(switch.ages) if mode == "latency" else {})


async def main() -> None:
    configure(wrapper_class=make_filtering_bound_logger(ERROR))
    allow_files()
    asked_for = order()
    if asked_for.get("plain"):  # every packet goes asyncssh's own way, every connection is read by itself
        setattr(ShortWay, "take", lambda _: None)  # noqa: B010 - a method of the class
        setattr(Gather, "watch", lambda *_: None)  # noqa: B010
    client = Client(asked_for)
    await client.start()
    count = len(client.hosts)
    await client.connect(count // 4)  # what the first ones cost beside is the program's
    before = rss()
    await client.connect(count)
    answer(ready=True, host_bytes=(rss() - before) / (count - count // 4))
    while (asked := await asyncio.to_thread(order))["do"] != "stop":
        if asked["do"] == "pace":
            await client.pace(asked.get("interval", _IDLE_S), asked.get("hosts", len(client.hosts)))
            answer(paced=True)
        else:
            answer(**await client.measure(asked["mode"], asked["seconds"]))
    await client.supervisor.stop(3.0)
    await client.bus.stop()


if __name__ == "__main__":
    asyncio.run(main())
