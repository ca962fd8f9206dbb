"""What one channel of a demo host may be used for: the loop, fixed commands, a small shell, files in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from core.collectors.collector import Collector
from core.collectors.loop import LoopRequest
from core.simulator.acting import Played, played
from core.simulator.commands import answer
from core.simulator.files import DemoSftp
from core.simulator.fleet import LOGIN
from core.simulator.inspection import collector_of, told
from core.simulator.local import run_here
from core.simulator.logs import backlog_s, follower, mark_of
from core.simulator.machine import Machine
from core.simulator.shell import DemoShell
from core.simulator.tally import COMMAND
from core.simulator.wire import Frames, loop_request, paced
from core.ssh.short_way import ShortWay

if TYPE_CHECKING:
    from core.simulator.service import SimulatedHost

_COMMAND_LIMIT = 4096
_GOES_DOWN_S = 0.3
_WAIT_S = 15.0  # for the program's line on stdin
_REFUSED = b"simulator: this command is not on the list\n"
_EXIT_REFUSED = 126
_SFTP_VERSION = 3  # what OpenSSH speaks


class _Inner(Protocol):
    """Who takes the channel over: the shell, or the file server."""

    def session_started(self) -> None: ...
    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None: ...
    def eof_received(self) -> bool | None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class HostChannel(asyncssh.SSHServerSession[bytes]):
    """One channel. What a client sends is compared with what is known, and never run."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._command = ""
        self._request: LoopRequest | None = None
        self._program = bytearray()
        self._frames: Frames | None = None
        self._short_way: ShortWay | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._heard = self._loop.time()
        self._paused = False
        self._work: asyncio.Task[None] | None = None
        self._inner: _Inner | None = None
        self._chan: asyncssh.SSHServerChannel[bytes]

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def shell_requested(self) -> bool:
        self._inner = DemoShell(self._chan, self._host.spec.name, self._typed)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        if subsystem != "sftp":
            return False
        files = self._host.files
        inner: SSHServerStreamSession[bytes] = SSHServerStreamSession(
            None, lambda _chan: DemoSftp(self._chan, files), _SFTP_VERSION
        )
        inner.connection_made(self._chan)
        self._inner = inner
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return len(command) <= _COMMAND_LIMIT

    def session_started(self) -> None:
        if self._inner is not None:
            self._inner.session_started()
            return
        self._request = loop_request(self._command)
        if self._request is not None:
            self._timer = self._loop.call_later(_WAIT_S, self._finish, _EXIT_REFUSED)
            return
        kernel = self._host.now()
        if self._command == COMMAND:
            text: str | None = self._host.tally.report()
        else:
            text = answer(self._command, kernel, self._host.spec.name, LOGIN)
        if text is None and isinstance(kernel, Machine) and self._act(kernel):
            return
        wanted = collector_of(self._command) if text is None else None
        if wanted is not None and isinstance(kernel, Machine):
            text = told(*wanted, kernel)
        if text is not None:
            self._chan.write(text.encode())
            self._finish(0)
        elif wanted is not None and not wanted[1]:  # nobody becomes root on this very machine
            self._work = asyncio.create_task(self._run_here(wanted[0]))
        else:
            self._refuse()

    def _typed(self, command: str) -> Played | None:
        """Answer a line of the shell; None where the host has no such command."""
        kernel = self._host.now()
        text = answer(command, kernel, self._host.spec.name, LOGIN)
        if text is not None:
            return Played(text)
        found = played(command, kernel) if isinstance(kernel, Machine) else None
        if found is not None and found.goes_down:
            self._loop.call_later(_GOES_DOWN_S, self._host.go_down)
        return found

    def _act(self, machine: Machine) -> bool:
        """Play an action or begin a log; False where the command is neither."""
        if (telling := follower(self._command, machine)) is not None:
            self._chan.write(mark_of(self._command).encode())
            self._tell(machine, telling, machine.elapsed - backlog_s())
            return True
        if (answered := played(self._command, machine)) is None:
            return False
        if answered.goes_down:
            self._loop.call_later(_GOES_DOWN_S, self._host.go_down)
        self._chan.write(answered.text.encode())
        self._chan.write_stderr(answered.errors.encode())
        self._finish(answered.code)
        return True

    def _tell(self, machine: Machine, telling: Callable[[float, float], str], since: float) -> None:
        """Send what a log has got since, and look again in a second."""
        self._host.now()
        if not self._paused:
            self._chan.write(telling(since, machine.elapsed).encode())
            since = machine.elapsed
        self._timer = self._loop.call_later(1.0, self._tell, machine, telling, since)

    async def _run_here(self, collector: Collector) -> None:
        """Run a command of our own catalogue on this machine; the client's words were but its name."""
        try:
            code, out, err = await run_here(collector.argv, collector.timeout_s, collector.max_output)
        except OSError:
            code, out, err = 127, b"", b""
        if not self._chan.is_closing():
            self._chan.write(out)
            self._chan.write_stderr(err)
        self._finish(code)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._inner is not None:
            self._inner.data_received(data, datatype)
            return
        self._heard = self._loop.time()
        if self._frames is not None:
            self._listen(data)
        if self._request is None or self._frames is not None:
            return
        self._program += data
        expected = self._request.stdin
        if len(self._program) >= len(expected) or not expected.startswith(self._program):
            if self._program.startswith(expected):
                self._start(self._request)
            else:
                self._refuse()
            self._program.clear()

    def eof_received(self) -> bool:
        if self._inner is not None:
            return bool(self._inner.eof_received())
        if self._work is not None:
            return True  # a command that reads nothing is not ended by that
        self._finish(0)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inner is not None:
            self._inner.connection_lost(exc)
        self._stop()
        if self._work is not None:
            self._work.cancel()

    def pause_writing(self) -> None:
        self._paused = True
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._paused = False
        if self._inner is not None:
            self._inner.resume_writing()

    def _start(self, request: LoopRequest) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._frames = Frames(self._host.spec, request, self._host.slow_every_s)
        self._short_way = ShortWay(self._chan.get_connection(), self._chan)  # thousands of us fit on one core by it
        self._short_way.take()
        self._due = self._loop.time()
        self._wake(request)

    def _listen(self, data: bytes) -> None:
        """Take what comes to a running loop: heartbeats, and a line with another interval."""
        *lines, rest = (bytes(self._program) + data).split(b"\n")
        self._program[:] = rest[-64:]
        for line in lines:
            if self._request is not None and (interval_s := paced(line)) is not None:
                self._request = replace(self._request, interval_s=interval_s)
                self._due = self._loop.time()
                if self._timer is not None:
                    self._timer.cancel()
                self._wake(self._request)

    def _wake(self, request: LoopRequest) -> None:
        """Send the frame that is due and set the time of the next; ticks that are late already are left out."""
        frames, now, step = self._frames, self._loop.time(), request.interval_s
        if frames is None:
            return
        if now - self._heard >= request.silence_s:
            self._finish(0)
            return
        if now >= self._due:
            if not self._paused:
                frame = frames.write(self._host.now())
                if self._short_way is None or not self._short_way.send(frame):
                    self._chan.write(frame)
            ticks = int((now - self._due) / step) + 1
            self._host.tally.sent(now - self._due, ticks if self._paused else ticks - 1)
            self._due += step * ticks
        # A long interval must not keep a loop alive that nobody hears: look in when the silence would end it.
        self._timer = self._loop.call_at(min(self._due, self._heard + request.silence_s), self._wake, request)

    def _refuse(self) -> None:
        self._request = None
        self._chan.write_stderr(_REFUSED)
        self._finish(_EXIT_REFUSED)

    def _finish(self, exit_code: int) -> None:
        self._stop()
        if not self._chan.is_closing():
            self._chan.exit(exit_code)

    def _stop(self) -> None:
        self._frames = None
        if self._short_way is not None:
            self._short_way.leave()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
