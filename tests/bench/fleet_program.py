"""The program without its screen, for the fleet benchmark: pollers, live state, bus and writer, on one core.

It reads its job from stdin, polls, measures, lets the fleet fall silent, stores all it has, and says what it saw.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from logging import ERROR
from pathlib import Path
from time import perf_counter, process_time, time
from typing import Any

from pydantic import SecretStr
from structlog import configure, make_filtering_bound_logger

from console.composition.garbage import settle, tidy
from console.composition.huge_pages import enlarge
from core.collectors.assemble import SampleAssembler
from core.collectors.loop import loop_calls
from core.config import DatabaseSettings, RetentionSettings, SSHSettings
from core.events import LOUD, EventBus
from core.live_state import LiveState
from core.models import Host, HostSample, HostState, Transition, WriterStats
from core.polling.assess import Limits
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from core.storage.engine import Database
from core.storage.writer import BatchWriter
from tests.bench.poll_client import allow_files, answer, huge, order, rss

_TOP_MS = 10_000
_QUIET_S = 3600.0
_STORE_S = 240.0
_RSS_EVERY_S = 5.0


class Watched:
    """The writer, with an eye on how old a sample is when it is handed over; a host's clock is this machine's."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer, self.taken = writer, 0
        self.ages = [0] * (_TOP_MS + 1)

    def put(self, sample: HostSample) -> None:
        self.taken += 1
        if sample.host_clock is not None:
            age_ms = int((time() - sample.host_clock.timestamp()) * 1e3)
            self.ages[min(_TOP_MS, max(0, age_ms))] += 1
        self._writer.put(sample)

    def put_transition(self, transition: Transition) -> None:
        self._writer.put_transition(transition)

    def stats(self) -> WriterStats:
        return self._writer.stats()

    def percentile(self, share: float) -> int:
        """Return a percentile of the ages in milliseconds, rounded up."""
        wanted, seen = sum(self.ages) * share / 100.0, 0
        for step, count in enumerate(self.ages):
            seen += count
            if count and seen >= wanted:
                return step + 1
        return 0


class Program:
    """Everything of one run."""

    def __init__(self, job: dict[str, Any], spool: Path) -> None:
        self.job = job
        self.hosts = [Host(**{**host, "identity_files": tuple(host["identity_files"])}) for host in job["hosts"]]
        self.database = Database(DatabaseSettings(url=SecretStr(job["url"])), RetentionSettings())
        self.writer = BatchWriter(self.database, RetentionSettings(), spool)
        self.sink = Watched(self.writer)
        self.live, self.bus = LiveState(SystemClock()), EventBus()
        keys = HostKeyReviews(Path(str(self.hosts[0].known_hosts)))
        self.factory = AsyncSSHFactory(SSHSettings(), keys, loop_calls(1 << 18))
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=self.factory,
                assembler=SampleAssembler,
                sink=self.sink,
                live=self.live,
                bus=self.bus,
                clock=SystemClock(),
                reason_of=reason_of,
                limits=Limits(90, 95, 90),
                backoff=Backoff(1.0, 300.0),
                interval_s=1.0,
            )
        )
        self.sent = self.skipped = 0

    async def run(self) -> dict[str, Any]:
        """Do the whole of it."""
        await self.bus.start()
        self.bus.subscribe(LOUD, self.live.record_event, name="live-events", capacity=4096)
        await self.database.open()
        self.live.set_hosts(self.hosts)
        writing = asyncio.create_task(self.writer.run())
        keeping = [asyncio.create_task(tidy()), asyncio.create_task(enlarge())]
        started = perf_counter()
        self.supervisor.set_hosts(self.hosts)
        self.supervisor.start()
        async with asyncio.timeout(60 + len(self.hosts) * 0.1):
            while not all(view.state is HostState.ONLINE for view in self.live.current().hosts):
                await asyncio.sleep(0.25)
        connected = perf_counter() - started
        await asyncio.sleep(self.job["warm_s"])
        figures = await self.measure(self.job["seconds"])
        await self.end()
        await self.writer.stop(60.0)
        await writing
        stats = self.writer.stats()
        await self.supervisor.stop(5.0)
        for task in keeping:
            task.cancel()
        await self.bus.stop()
        await self.database.close()
        left = {"sent": self.sent, "skipped": self.skipped, "taken": self.sink.taken}
        return {**figures, **left, "dropped": stats.dropped, "spooled": stats.spooled, "connected_s": connected}

    async def measure(self, seconds: float) -> dict[str, Any]:
        """Watch the program for so long."""
        await self.tally()
        self.sink.ages = [0] * (_TOP_MS + 1)
        sizes, spooled, taken, wall, cpu = [], 0, self.sink.taken, perf_counter(), process_time()
        while (left := wall + seconds - perf_counter()) > 0:
            await asyncio.sleep(min(_RSS_EVERY_S, left))
            sizes.append(rss())
            spooled = max(spooled, self.writer.stats().spooled)
        took, used = perf_counter() - wall, process_time() - cpu
        late = await self.tally()
        half = sizes[len(sizes) // 2 :]
        return {
            "core_pct": 100.0 * used / took,
            "samples_s": (self.sink.taken - taken) / took,
            "cpu_ms": 1e3 * used / max(1, self.sink.taken - taken),
            "rss": max(sizes),
            "huge": huge(),
            "spooled_most": spooled,
            "growth": half[-1] / half[0],
            "age_p50_ms": self.sink.percentile(50),
            "age_p99_ms": self.sink.percentile(99),
            "age_max_ms": self.sink.percentile(100),
            "late_p50_ms": late["late_p50_ms"],
            "late_p99_ms": late["late_p99_ms"],
        }

    async def tally(self) -> dict[str, Any]:
        """Ask the simulator how many frames it sent since it was last asked, and how late it was."""
        session = await self.factory.connect(self.hosts[0])
        try:
            said = (await session.run(["simulator-tally"])).stdout
        finally:
            await session.close()
        found = dict(order(said))
        self.sent += found["frames"]
        self.skipped += found["skipped"]
        return found

    async def end(self) -> None:
        """Let every host send a last frame and fall silent; return when nothing is under way."""
        for host in self.hosts:
            self.supervisor.set_interval(host.name, _QUIET_S)
        before = -1
        while before != self.sink.taken:
            before = self.sink.taken
            await asyncio.sleep(2.0)
        await self.tally()
        async with asyncio.timeout(_STORE_S):  # a database that was slow meanwhile has the rest in the spool to take
            while (stats := self.writer.stats()).queued or stats.spooled:
                await asyncio.sleep(0.25)


async def main() -> None:
    configure(wrapper_class=make_filtering_bound_logger(ERROR))
    allow_files()
    job = order()
    os.sched_setaffinity(0, job["cores"])
    settle()  # as the console does once all is imported
    spool = Path(tempfile.mkdtemp(prefix="jw-bench-"))
    try:
        answer(**await Program(job, spool).run())
    finally:
        shutil.rmtree(spool, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
