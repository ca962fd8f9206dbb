"""The poller over real SSH: a host that returns, one that refuses, one whose loop is changed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from core.collectors.assemble import SampleAssembler
from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.events import EventBus
from core.live_state import LiveState
from core.models import Host, HostSample, HostState, HostView, Reason, Transition, WriterStats
from core.polling.assess import Limits
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from tests.ssh.sshd import RealSshd, need_sshd


class Sink:
    def __init__(self) -> None:
        self.samples: list[HostSample] = []

    def put(self, sample: HostSample) -> None:
        self.samples.append(sample)

    def put_transition(self, transition: Transition) -> None:
        pass

    def stats(self) -> WriterStats:
        return WriterStats()


class Rig:
    """One host, polled by the real parts; waits are long, so that only what is tested ends them."""

    def __init__(self, host: Host, folder: Path, interval_s: float) -> None:
        self.live, self.bus, self.sink = LiveState(SystemClock()), EventBus(), Sink()
        self.live.set_hosts([host])
        keys = HostKeyReviews(Path(str(host.known_hosts)))
        settings = SSHSettings(config_file=folder / "none", connect_timeout_s=5.0, login_timeout_s=20.0)
        self.factory = AsyncSSHFactory(settings, keys, loop_calls(1 << 18))
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=self.factory, assembler=SampleAssembler, sink=self.sink, live=self.live, bus=self.bus,
                clock=SystemClock(), reason_of=reason_of, limits=Limits(100, 100, 100), backoff=Backoff(1e4, 1e4),
                interval_s=interval_s, answers=self.factory.answers, knock_s=0.1,
            )
        )  # fmt: skip
        self.supervisor.set_hosts([host])

    @property
    def view(self) -> HostView:
        return self.live.current().hosts[0]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not true():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def rig(host: Host, folder: Path, *, interval_s: float = 600.0) -> AsyncIterator[Rig]:
    it = Rig(host, folder, interval_s)
    async with it.bus:
        it.supervisor.start()
        try:
            yield it
        finally:
            await it.supervisor.stop(5.0)


async def test_a_host_that_returns_is_polled_at_once(tmp_path: Path) -> None:
    need_sshd()
    server = RealSshd(tmp_path / "sshd")
    server.trust()
    async with rig(server.host(), tmp_path) as it:
        await it.until(lambda: it.view.state is HostState.OFFLINE)
        assert it.view.reason is Reason.PORT and it.view.next_try is not None
        await asyncio.to_thread(server.start)
        try:
            await it.until(lambda: bool(it.sink.samples))
            assert it.view.state is not HostState.OFFLINE
        finally:
            await it.supervisor.stop(5.0)
            await asyncio.to_thread(server.stop)


async def test_a_refused_login_is_not_repeated_though_the_port_answers(tmp_path: Path) -> None:
    need_sshd()
    server = RealSshd(tmp_path / "sshd")
    server.trust()
    server.authorized_keys.write_text("")
    await asyncio.to_thread(server.start)
    try:
        async with rig(server.host(), tmp_path) as it:
            await it.until(lambda: it.view.reason is Reason.LOGIN)
            await asyncio.sleep(0.6)  # several knocks long
            assert it.view.failures == 1
            server.authorize()
            it.supervisor.wake("real")
            await it.until(lambda: bool(it.sink.samples))
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_pace_and_a_pause_of_a_real_host(tmp_path: Path) -> None:
    need_sshd()
    server = RealSshd(tmp_path / "sshd")
    server.trust()
    await asyncio.to_thread(server.start)
    try:
        async with rig(server.host(), tmp_path) as it:
            await it.until(lambda: len(it.sink.samples) == 1)
            it.supervisor.wake()
            await it.until(lambda: len(it.sink.samples) == 2)
            it.supervisor.set_interval("real", 0.1)
            await it.until(lambda: len(it.sink.samples) >= 6)
            assert [one.seq for one in it.sink.samples] == list(range(len(it.sink.samples)))
            await it.supervisor.set_paused(True)
            await it.until(lambda: not [p for p in server.children() if _is_loop(p)])
            before = len(it.sink.samples)
            await it.supervisor.set_paused(False)
            await it.until(lambda: len(it.sink.samples) > before)
            assert it.sink.samples[before].seq == 0 and it.view.failures == 0
    finally:
        await asyncio.to_thread(server.stop)


def _is_loop(pid: int) -> bool:
    try:
        return b"NONCE=" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
