"""The SSH side of the demo fleet: who may log in, and what a channel may be used for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import asyncssh
from asyncssh.constants import MSG_IGNORE

from core.collectors.collector import Collector
from core.collectors.loop import LoopRequest
from core.simulator.acting import played
from core.simulator.commands import Kernel, answer
from core.simulator.fleet import LOGIN, HostSpec
from core.simulator.inspection import collector_of, told
from core.simulator.local import LocalMachine, run_here
from core.simulator.logs import backlog_s, follower, mark_of
from core.simulator.machine import Machine
from core.simulator.story import is_away
from core.simulator.tally import COMMAND, Tally
from core.simulator.wire import SLOW_EVERY_S, Frames, loop_request, paced

_COMMAND_LIMIT = 4096
_GOES_DOWN_S, _REBOOT_S = 0.3, 20.0
_WAIT_S = 15.0  # for the program's line on stdin
_REFUSED = b"simulator: this command is not on the list\n"
_EXIT_REFUSED = 126


class SimulatedHost:
    """One host of the fleet: its kernel, its connections, and whether it is on the network."""

    def __init__(
        self,
        spec: HostSpec,
        epoch: float,
        elapsed: Callable[[], float],
        tally: Tally | None = None,
        *,
        slow_every_s: float = SLOW_EVERY_S,
    ) -> None:
        self.spec = spec
        self.tally = tally or Tally()
        self.slow_every_s = slow_every_s
        self.kernel: Kernel = LocalMachine(spec) if spec.local else Machine(spec, epoch)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._elapsed = elapsed
        self._first_login: float | None = None
        self._back = 0.0  # when a reboot is over

    def logged_in(self) -> None:
        """Start the clock of its outages: none comes while a console still opens."""
        if self._first_login is None:
            self._first_login = self._elapsed()

    @property
    def away(self) -> bool:
        """It is off the network now."""
        if self._elapsed() < self._back:
            return True
        return self._first_login is not None and is_away(self.spec, self._elapsed() - self._first_login)

    def go_down(self) -> None:
        """Leave the network for as long as a reboot takes."""
        self._back = self._elapsed() + _REBOOT_S
        self.drop()

    def drop(self) -> None:
        """Cut all its connections, as a pulled cable would."""
        for connection in tuple(self.connections):
            connection.abort()

    def now(self) -> Kernel:
        """Return the kernel, moved on to this moment."""
        self.kernel.advance(self._elapsed())
        return self.kernel


def _send(send: Callable[..., None], kind: int, *words: bytes, **options: Any) -> None:
    """Leave out the packets without meaning that asyncssh puts before each of its own: OpenSSH sends none."""
    if kind != MSG_IGNORE:
        send(kind, *words, **options)


class HostServer(asyncssh.SSHServer):
    """One connection: this run's client key, the right login, and nothing else."""

    def __init__(
        self, hosts: dict[str, SimulatedHost], only: SimulatedHost | None, keys: asyncssh.SSHAuthorizedKeys
    ) -> None:
        self._hosts = hosts
        self._host = only
        self._single = only is None
        self._keys = keys
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        setattr(conn, "send_packet", partial(_send, conn.send_packet))  # noqa: B010 - a method of the library's object
        if self._host is not None:
            self._host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._host is not None and self._connection is not None:
            self._host.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        if self._connection is None:
            return True
        if self._single and self._host is None:
            self._host = self._hosts.get(username)
            if self._host is not None:
                self._host.connections.add(self._connection)
        if self._host is not None and self._host.away:
            self._connection.abort()
        elif self._host is not None and (self._single or username == LOGIN):
            self._connection.set_authorized_keys(self._keys)
        return True

    def auth_completed(self) -> None:
        if self._host is not None:
            self._host.logged_in()

    def session_requested(self) -> HostChannel | bool:
        return HostChannel(self._host) if self._host is not None else False


class HostChannel(asyncssh.SSHServerSession[bytes]):
    """One channel: the pushing loop, or one of the fixed commands. What a client sends is compared, never run."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._command = ""
        self._request: LoopRequest | None = None
        self._program = bytearray()
        self._frames: Frames | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._heard = self._loop.time()
        self._paused = False
        self._work: asyncio.Task[None] | None = None
        self._chan: asyncssh.SSHServerChannel[bytes]

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def shell_requested(self) -> bool:
        return False

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return len(command) <= _COMMAND_LIMIT

    def session_started(self) -> None:
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
        if self._work is not None:
            return True  # a command that reads nothing is not ended by that
        self._finish(0)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._work is not None:
            self._work.cancel()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def _start(self, request: LoopRequest) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._frames = Frames(self._host.spec, request, self._host.slow_every_s)
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
                self._chan.write(frames.write(self._host.now()))
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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
