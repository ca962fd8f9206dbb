"""The pushing loop's channel: bytes in, frames out, a heartbeat back. Callbacks only, no task a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from logging import DEBUG
from typing import Protocol

import asyncssh

from core.exceptions import DataCollectionError, InfrastructureException, SSHCommandError
from core.models import Reason
from core.ports import FrameHandler
from core.ssh.error_mapping import connection_error, printable
from core.ssh.gather import Gather
from core.ssh.short_way import ShortWay

_CLOSE_WAIT_S = 1.0
_APART = timedelta(microseconds=1)
_STDERR_KEPT = 1000
_BEAT_GRID_S = 0.05
_AGAIN = 75  # the exit status of a loop that cannot change its pace


class RemoteLoop(Protocol):
    """One run of the loop, handed in from outside: what is sent, and the frames in what comes back."""

    @property
    def command(self) -> str: ...
    @property
    def stdin(self) -> bytes: ...
    @property
    def heartbeat(self) -> bytes: ...
    @property
    def noise(self) -> bytes: ...
    @property
    def feed(self) -> Callable[[bytes], list[bytes]]: ...
    def pace(self, interval_s: float) -> bytes: ...


LoopMaker = Callable[[float], RemoteLoop]
"""Makes a run of the loop for an interval in seconds."""


def _unlogged(*_: object, **__: object) -> None:
    """Nothing is logged."""


class LoopStream(asyncssh.SSHClientSession[bytes]):
    """Implements core.ports.FrameStream; lives in the event loop of its connection."""

    def __init__(
        self,
        remote: RemoteLoop,
        on_frame: FrameHandler,
        *,
        host: str,
        place: str,
        heartbeat_s: float,
        first_frame_s: float,
        on_pace: Callable[[float | None], None],
        gather: Gather,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._remote, self._on_frame = remote, on_frame
        self._host, self._place = host, place
        self._heartbeat_s, self._first_frame_s = heartbeat_s, first_frame_s
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._short_way: ShortWay | None = None
        self._gather = gather
        self._read_alone: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()
        self._closing = self._paced = False
        self._on_pace = on_pace
        self._error: BaseException | None = None
        self._exit: int | None = None
        self._stderr = b""
        self.frames = 0

    # asyncssh's callbacks

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan
        # asyncssh words a log line for every packet, also where nobody logs: a tenth of what a frame costs.
        if not chan.logger.isEnabledFor(DEBUG):
            for talker in (chan, chan.get_connection()):
                setattr(talker, "log_received_packet", _unlogged)  # noqa: B010 - a method of the library's object
            self._short_way = ShortWay(chan.get_connection(), chan)

    def session_started(self) -> None:
        assert self._chan is not None
        if self._short_way is not None:
            self._short_way.take()
        self._read_alone = self._gather.watch(getattr(self._chan.get_connection(), "_transport", None))
        self._chan.write(self._remote.stdin)
        self._beat_later()
        self._deadline = self._loop.call_later(self._first_frame_s, self._no_frame)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is not None:
            self._stderr = (self._stderr + data)[-_STDERR_KEPT:]
            return
        if self._closing:
            return
        received = datetime.now(UTC)
        try:
            for number, frame in enumerate(self._remote.feed(data)):
                if number:  # what came at once is told apart by its time: it is part of the key
                    received += _APART
                if self._deadline is not None:
                    self._deadline.cancel()
                    self._deadline = None
                self.frames += 1
                self._on_frame(frame, received)
        except DataCollectionError as exc:
            exc.hostname = self._host
            self._fail(exc)
        except Exception as exc:  # noqa: BLE001 - kept, and raised to the owner by wait_closed
            self._fail(exc)

    def eof_received(self) -> bool:
        return False

    def exit_status_received(self, status: int) -> None:
        self._exit = status

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if self._short_way is not None:
            self._short_way.leave()
        if self._read_alone is not None:
            self._read_alone()
        if self._error is None and not self._closing and not (self._paced and self._exit == _AGAIN):
            self._error = self._ended(exc)
        self._on_pace(None)
        self._closed.set()

    # the port

    def set_interval(self, interval_s: float) -> None:
        """Change the pace and ask for a frame at once; ``wait_closed`` returns where the loop must be opened anew."""
        if self._chan is not None and not self._chan.is_closing():
            self._paced = True
            self._on_pace(interval_s)
            self._chan.write(self._remote.pace(interval_s))

    async def wait_closed(self) -> None:
        """Return after close(); raise the SSH family, or DataCollectionError for a frame over the cap."""
        await self._closed.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End the loop on the host; waits for the channel a second at most."""
        self._closing = True
        self._stop_timers()
        if self._chan is not None and not self._closed.is_set():
            self._chan.close()
            try:
                async with asyncio.timeout(_CLOSE_WAIT_S):
                    await self._closed.wait()
            except TimeoutError:
                self._chan.abort()
        self._closed.set()

    # our own

    def _beat(self) -> None:
        if self._chan is None or self._chan.is_closing():
            return
        if self._short_way is None or not self._short_way.send(self._remote.heartbeat):
            self._chan.write(self._remote.heartbeat)
        self._beat_later()

    def _beat_later(self) -> None:
        """Heartbeats of many hosts fall on the same moments: the loop wakes up once for them."""
        later = self._loop.time() + self._heartbeat_s
        self._timer = self._loop.call_at(later - later % _BEAT_GRID_S, self._beat)

    def _no_frame(self) -> None:
        self._deadline = None
        self._fail(self._shell_error(f"logged in, but no figures came within {self._first_frame_s:g} s"))

    def _fail(self, exc: BaseException) -> None:
        if self._error is None and not self._closed.is_set():
            self._error = exc
        self._stop_timers()
        if self._chan is not None:
            self._chan.abort()
        self._closed.set()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._deadline):
            if timer is not None:
                timer.cancel()
        self._timer = self._deadline = None

    def _ended(self, exc: Exception | None) -> InfrastructureException:
        """Say why the channel ended though nobody closed it here."""
        if exc is not None or self._exit is None:
            detail = printable(str(exc).encode(), 120) if exc is not None else ""
            return connection_error(Reason.LOST, self._place, hostname=self._host, detail=detail, operation="stream")
        if self.frames:
            return self._shell_error("the loop on the host ended by itself", Reason.LOST if self._exit == 0 else None)
        return self._shell_error("logged in, but the loop does not run")

    def _shell_error(self, text: str, reason: Reason | None = None) -> SSHCommandError:
        said = printable((self._stderr or self._remote.noise)[-160:], 160)
        text = f"{self._place}: {text}" + (f"; it says: {said}" if said else "")
        if not self.frames:
            text += f"; check the login shell (try: ssh {self._host} true)"
        return SSHCommandError(
            text,
            exit_code=self._exit,
            stderr=said,
            hostname=self._host,
            operation="stream",
            details={"kind": (reason or Reason.SHELL).value},
        )
