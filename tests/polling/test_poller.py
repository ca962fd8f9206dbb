"""The poller against a scripted transport at its port: faults that a real host makes only by luck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from core.events import EventBus, HostStateChanged
from core.exceptions import (
    DataCollectionError,
    InfrastructureException,
    SSHAuthenticationError,
    SSHConnectionError,
    SSHHostKeyError,
)
from core.live_state import LiveState, fullest
from core.models import (
    FilesystemFigures,
    Host,
    HostSample,
    HostState,
    Reason,
    SystemFigures,
    Transition,
    WriterStats,
)
from core.polling.assess import Assessor, Limits
from core.polling.backoff import Backoff, Breaker
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import FrameHandler, SystemClock

Act = Callable[[], Any]


class Stream:
    def __init__(self, fail: InfrastructureException | None) -> None:
        self.closed, self._fail = asyncio.Event(), fail
        self.paces: list[float] = []
        self.keeps_pace = True

    async def wait_closed(self) -> None:
        if self._fail:
            raise self._fail
        await self.closed.wait()

    def set_interval(self, interval_s: float) -> None:
        self.paces.append(interval_s)
        if not self.keeps_pace:
            self.closed.set()

    async def close(self) -> None:
        self.closed.set()


class Session:
    def __init__(self, frames: list[bytes], fail: InfrastructureException | None) -> None:
        self.frames, self.fail, self.intervals, self.closed = frames, fail, [], False
        self.streams: list[Stream] = []

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> Stream:
        self.intervals.append(interval_s)
        for frame in self.frames:
            on_frame(frame, datetime.now(UTC))
        self.streams.append(Stream(self.fail))
        return self.streams[-1]

    async def run(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


class Factory:
    """Answers each connect with the next of its script; the last answer stands."""

    def __init__(self, *script: Session | InfrastructureException) -> None:
        self.script, self.calls = list(script), 0

    async def connect(self, host: Host) -> Session:
        answer = self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        if isinstance(answer, InfrastructureException):
            raise answer
        return answer


class Sink:
    def __init__(self) -> None:
        self.samples: list[HostSample] = []
        self.transitions: list[Transition] = []

    def put(self, sample: HostSample) -> None:
        self.samples.append(sample)

    def put_transition(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def stats(self) -> WriterStats:
        return WriterStats()


class Assembler:
    """Frames are numbers: the CPU percentage; anything else cannot be read."""

    def __init__(self, host: str) -> None:
        self.host, self.seq = host, 0

    def feed(self, frame: bytes, received: datetime) -> HostSample:
        if not frame.isdigit():
            raise DataCollectionError("garbage", hostname=self.host)
        self.seq += 1
        return HostSample(self.host, received, self.seq, "b", 1.0, received, SystemFigures(cpu_pct=float(frame)))


REASONS = {
    "SSH_AUTHENTICATION_ERROR": Reason.LOGIN,
    "SSH_HOST_KEY_ERROR": Reason.KEY_UNKNOWN,
    "DATA_COLLECTION_ERROR": Reason.DATA,
}


class Later(SystemClock):
    """The time so many seconds from now."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Rig:
    def __init__(self, factory: Factory, base: float) -> None:
        self.clock = Later()
        self.factory, self.sink, self.bus = factory, Sink(), EventBus()
        self.live = LiveState(SystemClock())
        self.live.set_hosts([Host("web")])
        self.events: list[HostStateChanged] = []
        self.bus.subscribe(HostStateChanged, self.events.append)
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=factory,
                assembler=Assembler,
                sink=self.sink,
                live=self.live,
                bus=self.bus,
                clock=self.clock,
                reason_of=lambda e: REASONS.get(e.error_code, Reason.PORT),
                limits=Limits(90, 95, 90),
                backoff=Backoff(base, base),
                interval_s=0.05,
            )
        )

    @property
    def state(self) -> tuple[HostState, Reason]:
        view = self.live.current().hosts[0]
        return view.state, view.reason

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def rig(*script: Session | InfrastructureException, base: float = 0.01) -> AsyncIterator[Rig]:
    it = Rig(Factory(*script), base)
    async with it.bus:
        it.supervisor.set_hosts([Host("web")])
        it.supervisor.start()
        try:
            yield it
        finally:
            await it.supervisor.stop()


REFUSED = SSHConnectionError("port 22 refuses connections", hostname="web")


async def test_a_failure_and_a_recovery_are_told_once_each() -> None:
    async with rig(REFUSED, REFUSED, REFUSED, Session([b"5", b"6"], None)) as it:
        await it.until(lambda: it.state == (HostState.ONLINE, Reason.NONE))
        await it.until(lambda: len(it.events) == 2)
        assert [(t.old, t.new, t.reason) for t in it.sink.transitions] == [
            (HostState.UNKNOWN, HostState.OFFLINE, Reason.PORT),
            (HostState.OFFLINE, HostState.ONLINE, Reason.NONE),
        ]
        assert [s.system.cpu_pct for s in it.sink.samples] == [5, 6]


async def test_a_lost_stream_is_offline_at_once_and_the_connection_is_closed() -> None:
    lost = Session([b"5"], SSHConnectionError("connection lost", hostname="web"))
    async with rig(lost, REFUSED, base=60.0) as it:
        await it.until(lambda: it.state[0] is HostState.OFFLINE)
        assert lost.closed and it.factory.calls == 1
        view = it.live.current().hosts[0]
        assert view.next_try is not None and view.sample is not None


async def test_an_unknown_key_waits_for_a_person_and_acceptance_connects_at_once() -> None:
    unknown = SSHHostKeyError("unknown key", hostname="web")
    async with rig(unknown, Session([b"1"], None), base=60.0) as it:
        await it.until(lambda: it.state == (HostState.OFFLINE, Reason.KEY_UNKNOWN))
        await asyncio.sleep(0.05)
        assert it.factory.calls == 1
        it.supervisor.wake("web")
        await it.until(lambda: it.state[0] is HostState.ONLINE)


async def test_frames_that_cannot_be_read_are_no_figures_and_are_said() -> None:
    async with rig(Session([b"x", b"y", b"z"], None), base=60.0) as it:
        await it.until(lambda: it.state == (HostState.OFFLINE, Reason.DATA))
        assert it.sink.samples == [] and it.live.current().hosts[0].sample is None


async def test_a_new_interval_is_told_to_the_running_stream() -> None:
    session = Session([b"1"], None)
    async with rig(session) as it:
        await it.until(lambda: bool(it.sink.samples))
        it.supervisor.set_interval("web", 2.0)
        it.supervisor.wake()
        assert session.streams[0].paces == [2.0, 2.0] and session.intervals == [0.05]
        assert it.supervisor.interval("web") == 2.0


async def test_a_shorter_interval_takes_no_host_for_silent_that_was_asked_seldom() -> None:
    session = Session([b"1"], None)
    async with rig(session) as it:
        await it.until(lambda: bool(it.sink.samples))
        it.supervisor.set_interval("web", 600.0)
        it.clock.ahead = 300.0
        it.supervisor.set_interval("web", 1.0)
        await asyncio.sleep(0.05)
        assert it.state[0] is HostState.ONLINE and it.factory.calls == 1
        it.clock.ahead += 16.0  # but asked again and again it is no less silent
        it.supervisor.wake()
        await it.until(lambda: it.factory.calls == 2)


async def test_a_loop_that_keeps_no_pace_is_opened_anew_on_the_same_connection() -> None:
    session = Session([b"1"], None)
    async with rig(session) as it:
        await it.until(lambda: bool(it.sink.samples))
        session.streams[0].keeps_pace = False
        it.supervisor.set_interval("web", 2.0)
        await it.until(lambda: session.intervals == [0.05, 2.0])
        assert it.factory.calls == 1 and not session.closed and it.state[0] is HostState.ONLINE


async def test_a_pause_ends_the_loop_and_keeps_the_connection() -> None:
    session = Session([b"1"], None)
    async with rig(session) as it:
        await it.until(lambda: bool(it.sink.samples))
        await it.supervisor.set_paused(True)
        await it.until(lambda: session.streams[0].closed.is_set())
        assert not session.closed and len(session.streams) == 1
        await it.supervisor.set_paused(False)
        await it.until(lambda: len(session.streams) == 2)
        assert it.factory.calls == 1


async def test_a_host_that_refuses_the_login_is_tried_seldom_and_says_when() -> None:
    refused = SSHAuthenticationError("the login was refused", hostname="web")
    async with rig(refused, Session([b"1"], None)) as it:
        await it.until(lambda: it.state == (HostState.OFFLINE, Reason.LOGIN))
        it.supervisor.wake()  # "poll all now" does not mean it
        await asyncio.sleep(0.05)
        assert it.factory.calls == 1
        view = it.live.current().hosts[0]
        assert view.next_try is not None and (view.next_try - datetime.now(UTC)).total_seconds() > 200
        it.supervisor.wake("web")
        await it.until(lambda: it.state[0] is HostState.ONLINE)


async def test_hosts_that_leave_the_inventory_are_polled_no_more() -> None:
    session = Session([b"1"], None)
    async with rig(session) as it:
        await it.until(lambda: bool(it.sink.samples))
        it.supervisor.set_hosts([])
        await it.until(lambda: session.closed)


async def test_maintenance_is_a_state_and_nothing_is_polled() -> None:
    async with rig(Session([b"1"], None)) as it:
        it.supervisor.set_hosts([Host("web", maintenance=True)])
        await it.until(lambda: it.state[0] is HostState.MAINTENANCE)
        it.supervisor.set_hosts([Host("web")])
        await it.until(lambda: it.state[0] is HostState.ONLINE)


def test_backoff_is_bounded_and_jittered() -> None:
    backoff = Backoff(1.0, 300.0)
    assert [backoff.ceiling(n) for n in (1, 2, 3, 20, 10_000)] == [2, 4, 8, 300, 300]
    assert backoff.delay(5, 0.0) == pytest.approx(0.1) and backoff.delay(5, 0.5) == 16


def test_refused_logins_stay_under_what_a_ban_takes() -> None:
    breaker = Breaker()
    assert [breaker.delay(n, 0.0) for n in (1, 2, 3, 5, 10_000)] == [300, 600, 1200, 3600, 3600]
    assert breaker.delay(1, 0.5) == 375


def test_one_spike_is_no_trouble_and_a_full_disk_is_at_once() -> None:
    assessor = Assessor(Limits(90, 95, 90))

    def assess(found: HostSample) -> tuple[HostState, Reason, str]:
        return assessor.assess(found, found.system.mem_pct, fullest(found))

    def sample(cpu: float | None, used: int) -> HostSample:
        fs = (FilesystemFigures("/var", "/dev/sda2", "ext4", 100, used, 100 - used),)
        return HostSample("web", datetime.now(UTC), 1, "b", 1.0, None, SystemFigures(cpu_pct=cpu), filesystems=fs)

    assert [assess(sample(99, 10))[0] for _ in range(3)] == [
        HostState.ONLINE, HostState.ONLINE, HostState.DEGRADED,
    ]  # fmt: skip
    assert assess(sample(None, 10))[0] is HostState.ONLINE
    assert assess(sample(1, 95)) == (HostState.DEGRADED, Reason.RESOURCE, "/var 95% full")
    assert assess(sample(1, 89))[0] is HostState.DEGRADED  # within the hysteresis
    assert assess(sample(1, 80))[0] is HostState.ONLINE
