"""The demo fleet's process: it starts with keys of its own, and it always ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.exceptions import ExternalServiceError
from core.simulator.process import SimulatorProcess

ROOT = Path(__file__).resolve().parents[2]


def start(state: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "core.simulator", "--state-dir", str(state), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )


def gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if gone(pid):
            return True
        time.sleep(0.02)
    return gone(pid)


@pytest.mark.parametrize("how", ["stdin", "SIGTERM"])
def test_it_ends_within_a_second_and_takes_its_keys_along(tmp_path: Path, how: str) -> None:
    state = tmp_path / "state"
    with start(state, "--hosts", "3") as process:
        try:
            assert process.stdout is not None and process.stdin is not None
            ready = json.loads(process.stdout.readline())
            assert len(ready["hosts"]) == 3
            if how == "stdin":
                process.stdin.close()
            else:
                process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert os.listdir(state) == []


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from core.simulator.process import SimulatorProcess\n"
        "async def main():\n"
        "    simulator = SimulatorProcess()\n"
        "    await simulator.start(Path(sys.argv[1]), hosts=2)\n"
        "    print(simulator.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "state")], stdout=subprocess.PIPE, cwd=ROOT
    )
    with parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert not gone(pid)
        finally:
            parent.kill()
    assert wait_gone(pid, 3)


async def test_keys_are_private_and_new_in_each_run(tmp_path: Path) -> None:
    state = tmp_path / "state"
    keys = []
    for _ in range(2):
        simulator = SimulatorProcess()
        try:
            host = (await simulator.start(state, hosts=1))[0]
            key = Path(host.identity_files[0])
            assert stat.S_IMODE(state.stat().st_mode) == 0o700
            assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            keys.append(key.read_text())
        finally:
            await simulator.stop()
        assert simulator.pid is None
    assert keys[0] != keys[1]


async def test_two_fleets_share_a_state_folder_and_a_dead_ones_keys_are_swept(tmp_path: Path) -> None:
    first, second, third = SimulatorProcess(), SimulatorProcess(), SimulatorProcess()
    try:
        one = (await first.start(tmp_path, hosts=1))[0]
        two = (await second.start(tmp_path, hosts=1))[0]
        assert Path(one.identity_files[0]).exists() and one.identity_files != two.identity_files
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await first.stop()
        assert Path(one.identity_files[0]).exists()
        await third.start(tmp_path, hosts=1)
        assert not Path(one.identity_files[0]).exists()
        assert Path(two.identity_files[0]).exists()
    finally:
        await asyncio.gather(first.stop(), second.stop(), third.stop())
    assert os.listdir(tmp_path) == []


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    simulator = SimulatorProcess()
    with pytest.raises(ExternalServiceError, match=r"state folder .*file"):
        await simulator.start(tmp_path / "file", hosts=1)
    assert simulator.pid is None
    with pytest.raises(ExternalServiceError, match="can be played"):
        await simulator.start(tmp_path / "state", hosts=0)
    await simulator.stop()


async def test_its_ports_are_free_after_the_end(tmp_path: Path) -> None:
    simulator = SimulatorProcess()
    host = (await simulator.start(tmp_path / "state", hosts=1))[0]
    await simulator.stop()
    with socket.socket() as probe:
        assert probe.connect_ex((host.address, host.port or 0)) != 0
