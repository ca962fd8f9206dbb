"""The pushing loop over a real sshd: true figures, any login shell, noise, and an end in every case."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from core.exceptions import DataCollectionError, SSHCommandError, SSHConnectionError
from core.models import Reason, SectionStatus
from core.ssh.error_mapping import reason_of
from tests.ssh.conftest import MakeFactory
from tests.ssh.following import samples_of, take
from tests.ssh.sshd import RealSshd, processes_with, running


@pytest.mark.parametrize("force_sh", [False, True], ids=["python", "sh"])
async def test_frames_tell_the_truth_about_this_machine(
    sshd: RealSshd, make_factory: MakeFactory, force_sh: bool
) -> None:
    first, second = await samples_of(make_factory(force_sh=force_sh), sshd.host(), 2)
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert first.system.mem_total == int(memory["MemTotal"].split()[0]) * 1024
    assert first.system.cpus == os.cpu_count()
    assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.uptime_s == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=5)
    assert first.host_clock is not None and abs((first.host_clock - first.ts).total_seconds()) < 3
    root = next(f for f in first.filesystems or () if f.mount == "/")
    figures = os.statvfs("/")
    assert root.size == figures.f_blocks * figures.f_frsize
    assert first.system.cpu_pct is None and first.interval_s is None
    assert second.seq == first.seq + 1
    assert second.interval_s == pytest.approx(1.0, abs=0.6)
    assert second.system.cpu_pct is not None and 0 <= second.system.cpu_pct <= 100
    assert second.filesystems is None
    assert {i.interface for i in second.interfaces or ()} <= set(os.listdir("/sys/class/net"))
    assert all(d.busy_pct is not None for d in second.disks or ())
    assert first.sections["df"] is first.sections["mounts"] is SectionStatus.OK


async def test_banner_motd_and_profile_noise_do_no_harm(tmp_path: Path, make_factory: MakeFactory) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Authorised use only\n" * 30)
    noise = "printf 'motd without an end'; echo; head -c 70000 /dev/urandom; printf '@0 F 1 0 - - -'; echo stderr >&2"
    force = f'ForceCommand {noise}; eval "$SSH_ORIGINAL_COMMAND"'
    with running(tmp_path / "sshd", config=[f"Banner {banner}", force]) as server:
        samples = await samples_of(make_factory(), server.host(), 2)
    assert [s.seq for s in samples] == [0, 1]


@pytest.mark.parametrize("force_sh", [False, True], ids=["python", "sh"])
async def test_the_loop_ends_with_its_stream(sshd: RealSshd, make_factory: MakeFactory, force_sh: bool) -> None:
    factory = make_factory(force_sh=force_sh)
    session = await factory.connect(sshd.host())
    try:
        await take(session, 1, interval_s=300)
        before = await _loops_gone(sshd, 5)
        assert not before
        await take(session, 1)  # and the connection serves another stream
    finally:
        await session.close()


async def test_no_loop_outlives_a_killed_client(sshd: RealSshd, tmp_path: Path) -> None:
    """kill -9 of the client: sshd sees the connection end, the loop the end of its stdin."""
    for force_sh in (False, True):
        client = await _client(sshd, tmp_path, force_sh=force_sh)
        client.kill()
        await client.wait()
        assert not await _loops_gone(sshd, 20)


@pytest.mark.slow
@pytest.mark.parametrize("force_sh", [False, True], ids=["python", "sh"])
async def test_no_loop_outlives_a_client_that_fell_silent(sshd: RealSshd, tmp_path: Path, force_sh: bool) -> None:
    """A stopped client is what a cut cable looks like from the host: the connection stays, no heartbeat comes."""
    client = await _client(sshd, tmp_path, force_sh=force_sh)
    client.send_signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        assert not await _loops_gone(sshd, 20)
        assert time.monotonic() - start > 8  # and not before its time
    finally:
        client.kill()
        await client.wait()


async def _client(sshd: RealSshd, folder: Path, *, force_sh: bool) -> asyncio.subprocess.Process:
    """A process with an open stream, started and seen to get frames."""
    host = sshd.host()
    code = f"""
import asyncio, pathlib
from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.models import Host
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
async def main():
    keys = HostKeyReviews(pathlib.Path({str(sshd.known_hosts)!r}))
    factory = AsyncSSHFactory(SSHSettings(), keys, loop_calls(1 << 18, force_sh={force_sh}))
    session = await factory.connect({host!r})
    stream = await session.open_stream(lambda frame, at: print("frame", flush=True), interval_s=30)
    await stream.wait_closed()
asyncio.run(main())
"""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert client.stdout is not None
    assert await asyncio.wait_for(client.stdout.readline(), 20) == b"frame\n"
    return client


async def _loops_gone(sshd: RealSshd, seconds: float) -> dict[int, str]:
    end = time.monotonic() + seconds
    while True:
        children = set(sshd.children())
        left = {p: line for p, line in processes_with("").items() if p in children and "sshd" not in line}
        if not left or time.monotonic() > end:
            return left
        await asyncio.sleep(0.1)


async def test_a_broken_connection_is_lost(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())
    stream = await session.open_stream(lambda frame, at: None, interval_s=1)
    sshd.drop_connections()
    async with asyncio.timeout(30):
        with pytest.raises(SSHConnectionError) as caught:
            await stream.wait_closed()
    assert reason_of(caught.value) is Reason.LOST
    await stream.close()
    await session.close()


@pytest.mark.parametrize(
    ("command", "words"),
    [("/bin/false", "does not run"), ("echo this account is closed", "this account is closed")],
)
async def test_a_login_without_a_shell(tmp_path: Path, make_factory: MakeFactory, command: str, words: str) -> None:
    with (
        running(tmp_path / "sshd", config=[f"ForceCommand {command}"]) as server,
        pytest.raises(SSHCommandError) as caught,
    ):
        await samples_of(make_factory(), server.host())
    assert reason_of(caught.value) is Reason.SHELL
    assert words in caught.value.message


async def test_a_shell_that_says_nothing(tmp_path: Path, make_factory: MakeFactory) -> None:
    with (
        running(tmp_path / "sshd", config=["ForceCommand sleep 30"]) as server,
        pytest.raises(SSHCommandError) as caught,
    ):
        await samples_of(make_factory(login_timeout_s=1.5), server.host())
    assert reason_of(caught.value) is Reason.SHELL
    assert "no figures came within 1.5 s" in caught.value.message


async def test_a_frame_over_the_cap_is_refused(sshd: RealSshd, make_factory: MakeFactory) -> None:
    with pytest.raises(DataCollectionError) as caught:
        await samples_of(make_factory(max_bytes=1000), sshd.host())
    assert "JUMPWATCH_POLLING_FRAME_MAX_BYTES" in caught.value.message
    assert reason_of(caught.value) is Reason.DATA


async def test_a_failing_handler_comes_out_of_wait_closed(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())

    def broken(frame: bytes, at: object) -> None:
        raise RuntimeError("handler")

    try:
        stream = await session.open_stream(broken, interval_s=1)
        with pytest.raises(RuntimeError, match="handler"):
            await asyncio.wait_for(stream.wait_closed(), 10)
        assert (await session.run(["echo", "still", "here"])).stdout == "still here\n"
    finally:
        await session.close()
