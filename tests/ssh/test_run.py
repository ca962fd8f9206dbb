"""Single commands over a real sshd: quoting, exit codes, deadline, output cap."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.exceptions import SSHCommandError, SSHConnectionError, SSHTimeoutError
from core.models import Reason
from core.ssh.error_mapping import reason_of
from core.ssh.session import AsyncSSHSession
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd, processes_with, running


@pytest.fixture
async def session(sshd: RealSshd, make_factory: MakeFactory) -> AsyncIterator[AsyncSSHSession]:
    opened = await make_factory().connect(sshd.host())
    yield opened
    await opened.close()


async def test_words_are_quoted(session: AsyncSSHSession) -> None:
    words = ["a b", "$HOME", "`id`", "it's", '"', "\\", "; exit 3", "*", "", "ü\n"]
    result = await session.run(["printf", "[%s]", *words])
    assert result.stdout == "".join(f"[{word}]" for word in words)
    assert (result.exit_code, result.stderr, result.truncated) == (0, "", False)


async def test_a_closed_connection_is_said_to_be_closed(session: AsyncSSHSession) -> None:
    session._connection.close()
    for _ in range(2):  # while it closes, and when it has
        for ask in (
            session.run(["true"]),
            session.follow(["true"]),
            session.open_stream(lambda frame, at: None, interval_s=1),
            session.file_info("/etc/passwd"),
        ):
            with pytest.raises(SSHConnectionError, match=r"connection is closed.*try again") as caught:
                await ask
            assert reason_of(caught.value) is Reason.LOST and "command may" not in caught.value.message
        await session._connection.wait_closed()


async def test_a_host_that_runs_no_command_says_that(tmp_path: Path, make_factory: MakeFactory) -> None:
    with running(tmp_path / "sshd", config=["MaxSessions 0"]) as sshd:
        session = await make_factory().connect(sshd.host())
        try:
            with pytest.raises(SSHCommandError, match="no command may be run"):
                await session.run(["true"])
        finally:
            await session.close()


async def test_exit_code_and_stderr(session: AsyncSSHSession) -> None:
    result = await session.run(["sh", "-c", "echo out; echo bad >&2; exit 7"])
    assert (result.exit_code, result.stdout, result.stderr) == (7, "out\n", "bad\n")


async def test_a_command_that_is_not_there(session: AsyncSSHSession) -> None:
    assert (await session.run(["no-such-command-here"])).exit_code == 127


async def test_the_deadline_ends_the_command(session: AsyncSSHSession) -> None:
    start = time.monotonic()
    with pytest.raises(SSHTimeoutError) as caught:
        await session.run(["sleep", "8.3131"], timeout_s=0.5)
    assert time.monotonic() - start < 7
    assert caught.value.timeout_seconds == 0.5
    assert reason_of(caught.value) is Reason.TIMEOUT
    # sshd takes signals for a session only where it has dropped privileges, so not for a login as root (sshd(8)).
    if os.geteuid() != 0:
        await gone("sleep 8.3131")


async def test_a_command_that_reads_ends_with_its_channel(session: AsyncSSHSession) -> None:
    with pytest.raises(SSHTimeoutError):
        await session.run(["sh", "-c", "while sleep 0.2; do echo 3132; done"], timeout_s=0.5)
    await gone("echo 3132")


async def gone(word: str) -> None:
    for _ in range(50):
        if not processes_with(word):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(processes_with(word))


async def test_output_is_capped(session: AsyncSSHSession) -> None:
    result = await session.run(["head", "-c", "10000000", "/dev/zero"], max_output=1 << 20)
    assert len(result.stdout) == 1 << 20
    assert result.truncated
    assert (await session.run(["echo", "on"])).stdout == "on\n"


async def test_a_half_line_and_bytes_that_are_no_text(session: AsyncSSHSession) -> None:
    assert (await session.run(["printf", "half"])).stdout == "half"
    assert (await session.run(["printf", "\\377x"])).stdout == "\ufffdx"


async def test_many_at_once(session: AsyncSSHSession) -> None:
    results = await asyncio.gather(*(session.run(["echo", str(n)]) for n in range(8)))
    assert [r.stdout for r in results] == [f"{n}\n" for n in range(8)]
