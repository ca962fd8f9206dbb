"""A running loop takes another interval, commands run beside it, and many connections to one server take turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.collectors.frame import parse_frame
from core.ssh.gather import Gather
from core.ssh.stream import LoopStream
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd, running


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_running_loop_takes_another_interval(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())
    frames: list[int] = []
    try:
        stream = await session.open_stream(lambda frame, at: frames.append(parse_frame(frame).seq), interval_s=600)
        await until(lambda: frames == [0])
        stream.set_interval(0.05)  # at once, and from now on
        await until(lambda: len(frames) >= 4)
        stream.set_interval(600)
        await asyncio.sleep(0.5)
        quiet = len(frames)
        stream.set_interval(600)  # nothing but the frame that is asked for
        await until(lambda: len(frames) == quiet + 1)
        assert frames == list(range(len(frames))), "one loop all the time"
        await stream.close()
        await stream.wait_closed()
    finally:
        await session.close()


async def test_a_loop_in_sh_ends_to_be_opened_anew(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory(force_sh=True).connect(sshd.host())
    frames: list[bytes] = []
    try:
        stream = await session.open_stream(lambda frame, at: frames.append(frame), interval_s=600)
        await until(lambda: len(frames) == 1)
        stream.set_interval(1)
        async with asyncio.timeout(30):
            await stream.wait_closed()  # without an error
        again = await session.open_stream(lambda frame, at: frames.append(frame), interval_s=1)
        await until(lambda: len(frames) >= 2)
        await again.close()
    finally:
        await session.close()


async def test_commands_run_beside_the_stream_on_its_connection(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())
    frames: list[bytes] = []
    try:
        stream = await session.open_stream(lambda frame, at: frames.append(frame), interval_s=0.1)
        said = await asyncio.gather(*(session.run(["echo", str(number)]) for number in range(20)))
        assert [one.stdout for one in said] == [f"{number}\n" for number in range(20)]
        before = len(frames)
        await until(lambda: len(frames) > before)
        await stream.close()
    finally:
        await session.close()


async def test_many_logins_to_one_server_take_turns(tmp_path: Path, make_factory: MakeFactory) -> None:
    """OpenSSH drops what comes while ten others log in, as it does by default from the hundredth on."""
    with running(tmp_path / "sshd", config=["MaxStartups 10:100:10"]) as server:
        factory = make_factory(connect_timeout_s=30.0, login_timeout_s=30.0)
        sessions = await asyncio.gather(*(factory.connect(server.host(f"h{number}")) for number in range(30)))
        for session in sessions:
            await session.close()


class Remote:
    """A loop that says three frames at once."""

    command, stdin, heartbeat, noise = "", b"", b"", b""

    def feed(self, data: bytes) -> list[bytes]:
        return [b"a", b"b", b"c"]

    def pace(self, interval_s: float) -> bytes:
        return b""


@pytest.mark.asyncio
async def test_frames_that_come_at_once_have_times_of_their_own() -> None:
    taken: list[tuple[bytes, datetime]] = []
    stream = LoopStream(
        Remote(), lambda frame, at: taken.append((frame, at)), host="h", place="h", heartbeat_s=5, first_frame_s=5,
        on_pace=lambda _: None, gather=Gather(),
    )  # fmt: skip
    stream.data_received(b"x", None)
    assert [frame for frame, _ in taken] == [b"a", b"b", b"c"]
    assert len({at for _, at in taken}) == 3 and taken[0][1] <= datetime.now(UTC)
