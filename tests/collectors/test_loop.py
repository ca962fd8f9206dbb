"""The loop's programs run by local shells: frames, ticks, heartbeats, df that hangs, hosts without /proc."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.collectors.assemble import SampleAssembler
from core.collectors.frame import FrameReader
from core.collectors.loop import HEARTBEAT, LoopRequest, forced_command_script, parse_request
from core.models import HostSample, SectionStatus
from tests.parts import need

SH = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"], "ksh": ["ksh"]}


class Loop:
    """One running loop in a session of its own, read with a deadline."""

    def __init__(self, argv: Sequence[str], request: LoopRequest, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=env
        )
        self.request = request
        self.reader = FrameReader(request.nonce, 1 << 18)
        self.assembler = SampleAssembler("h")
        self.send(request.stdin)

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def samples(self, count: int, seconds: float = 60) -> list[HostSample]:
        return [self.assembler.feed(frame, datetime.now(UTC)) for frame in self.frames(count, seconds)]

    def frames(self, count: int, seconds: float = 60) -> list[bytes]:
        assert self.process.stdout is not None
        frames: list[bytes] = []
        end = time.monotonic() + seconds
        beat = 0.0
        while len(frames) < count and time.monotonic() < end:
            if time.monotonic() > beat:
                beat = time.monotonic() + 1
                self.send(HEARTBEAT)
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                if not data:
                    break
                frames += self.reader.feed(data)
        return frames

    def members(self) -> list[int]:
        """The living processes of its session."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(words[3]) == self.process.pid and words[0] != "Z":
                        found.append(int(entry.name))
        return found

    def gone(self, seconds: float) -> bool:
        """Whether nothing of it lives after so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.process.poll()
            if not self.members():
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.process.wait(5)


@contextlib.contextmanager
def loop(
    shell: str = "dash",
    interval_s: float = 1,
    *,
    force_sh: bool,
    silence_s: float = 15,
    env: dict[str, str] | None = None,
) -> Iterator[Loop]:
    need(shell, shutil.which(SH[shell][0]) is not None, f"install {shell}")
    request = LoopRequest(interval_s, force_sh=force_sh, silence_s=silence_s)
    command = request.command.replace("/bin/sh", " ".join(SH[shell]))
    running = Loop([*SH[shell], "-c", command], request, env)
    try:
        yield running
    finally:
        running.close()


both = pytest.mark.parametrize("force_sh", [False, True], ids=["python", "sh"])


@both
@pytest.mark.parametrize("shell", SH)
def test_frames_from_each_shell(shell: str, force_sh: bool) -> None:
    with loop(shell, force_sh=force_sh) as running:
        first, second, third = running.samples(3)
        assert [first.seq, second.seq, third.seq] == [0, 1, 2]
        assert first.filesystems and not second.filesystems
        assert third.system.cpu_pct is not None and 0.5 < (third.interval_s or 0) < 3
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.gone(5 if force_sh else 1), "end of stdin ends it at once, but for a timer"


@both
def test_silence_ends_it_and_heartbeats_keep_it(force_sh: bool) -> None:
    with loop(interval_s=60, silence_s=3, force_sh=force_sh) as running:
        assert len(running.frames(2, 6)) == 1
        assert running.members()
        start = time.monotonic()
        assert running.gone(6)
        assert time.monotonic() - start > 1.5


@both
def test_killed_alone_it_leaves_nothing_for_long(force_sh: bool) -> None:
    with loop(interval_s=1, silence_s=5, force_sh=force_sh) as running:
        running.frames(1)
        running.process.kill()
        with contextlib.suppress(BrokenPipeError):
            running.send(HEARTBEAT)
            running.send(HEARTBEAT)
        assert running.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            running.process.stdin.close()
        assert running.gone(8)


@both
def test_a_df_that_hangs_delays_nothing_and_is_told(tmp_path: Path, force_sh: bool) -> None:
    """A dead NFS server: the other figures keep coming, and the local filesystems are asked for by themselves."""
    fake = tmp_path / "df"
    fake.write_text('#!/bin/sh\ncase "$*" in *-l*) exec /bin/df "$@";; esac\nexec sleep 60\n')
    fake.chmod(0o755)
    with loop(interval_s=1, force_sh=force_sh, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}) as run:
        samples = run.samples(8 if force_sh else 22, 45)
        told = [s for s in samples if s.sections.get("df") is SectionStatus.TIMEOUT]
        assert told and told[0].system.load1 is not None
        if not force_sh:
            assert any(s.filesystems for s in told)
            assert max(s.interval_s or 0 for s in samples) < 3
        assert run.process.stdin is not None
        run.process.stdin.close()
        assert run.gone(6)


def test_a_late_loop_skips_ticks() -> None:
    with loop(interval_s=1, force_sh=False) as running:
        running.samples(1)
        os.killpg(running.process.pid, signal.SIGSTOP)
        time.sleep(3.2)
        os.killpg(running.process.pid, signal.SIGCONT)
        late, after, _ = running.samples(3, 6)
        assert late.interval_s is not None and late.interval_s > 3
        assert after.seq == late.seq + 1
        assert after.interval_s is not None and 0.2 < after.interval_s < 1.2, "no burst of missed ticks"


@both
def test_fractions_of_a_second(force_sh: bool) -> None:
    with loop(interval_s=1.5, force_sh=force_sh) as running:
        *_, last = running.samples(3)
        assert last.interval_s == pytest.approx(2 if force_sh else 1.5, abs=0.3)


def test_the_request_is_read_back() -> None:
    request = LoopRequest(2.5, force_sh=True)
    assert parse_request(request.command) == request
    assert parse_request("ls") is None
    assert parse_request(request.command + "; id") is None


def test_two_requests_never_share_a_nonce() -> None:
    assert LoopRequest(1).nonce != LoopRequest(1).nonce


@both
def test_the_script_for_a_forced_command(tmp_path: Path, force_sh: bool) -> None:
    script = tmp_path / "loop"
    script.write_text(forced_command_script())
    request = LoopRequest(1, force_sh=force_sh)
    running = Loop(["sh", str(script)], request, {**os.environ, "SSH_ORIGINAL_COMMAND": request.command})
    try:
        assert len(running.samples(2)) == 2
    finally:
        running.close()


@pytest.mark.parametrize(
    "command",
    ["id", "", "x jumpwatch-loop 1 NONCE=$(id>&2) INTERVAL=1 SILENCE=1", "x jumpwatch-loop 1 NONCE=a INTERVAL=a[`id`]"],
)
def test_the_forced_command_takes_no_orders(tmp_path: Path, command: str) -> None:
    script = tmp_path / "loop"
    script.write_text(forced_command_script())
    done = subprocess.run(
        ["bash", str(script)], input=b"\n", capture_output=True, timeout=10,
        env={**os.environ, "SSH_ORIGINAL_COMMAND": command}, check=False,
    )  # fmt: skip
    assert done.returncode == 126 and b"uid=" not in done.stderr + done.stdout
