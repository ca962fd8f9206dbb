"""One kept connection to one host: the stream, and single commands with a deadline and an output cap."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncssh

from core.exceptions import SSHCommandError, SSHTimeoutError
from core.models import Reason
from core.ports import CommandResult, FileInfo, FrameHandler, OnBytes
from core.ssh.error_mapping import closed_error, map_error
from core.ssh.files import HostFiles
from core.ssh.follow import FollowedCommand
from core.ssh.gather import Gather
from core.ssh.stream import LoopMaker, LoopStream

_CLOSE_WAIT_S = 2.0
_OPEN_WAIT_S = 15.0
_COMMANDS = 4  # at once, beside the stream: sshd allows ten channels by default (MaxSessions)
S = TypeVar("S", bound=asyncssh.SSHClientSession[bytes])


class AsyncSSHSession:
    """Implements core.ports.HostSession; made by AsyncSSHFactory, closed by whoever asked for it."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        *,
        host: str,
        place: str,
        heartbeat_s: float,
        loops: LoopMaker,
        gather: Gather,
        first_frame_s: float,
        keepalive_s: float,
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._connection = connection
        self._host, self._place = host, place
        self._heartbeat_s, self._first_frame_s, self._keepalive_s = heartbeat_s, first_frame_s, keepalive_s
        self._loops, self._gather = loops, gather
        self._release = release
        self._commands = asyncio.Semaphore(_COMMANDS)

    @property
    def server_version(self) -> str:
        """What the SSH server calls itself."""
        return str(self._connection.get_extra_info("server_version", ""))

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> LoopStream:
        """Start the pushing loop; frames come to ``on_frame`` in this event loop. Raises the SSH family."""
        remote = self._loops(interval_s)

        def make() -> LoopStream:
            return LoopStream(
                remote,
                on_frame,
                host=self._host,
                place=self._place,
                heartbeat_s=self._heartbeat_s,
                first_frame_s=self._first_frame_s,
                on_pace=self._keep_alive,
                gather=self._gather,
            )

        _, stream = await self._open(make, remote.command, "stream")
        self._keep_alive(interval_s)
        return stream

    def _keep_alive(self, interval_s: float | None) -> None:
        """Ask a silent host whether it is there; not where frames come more often and tell it for nothing."""
        often = interval_s is not None and interval_s <= self._keepalive_s
        self._connection.set_keepalive(0 if often else self._keepalive_s)

    async def run(self, argv: Sequence[str], *, timeout_s: float = 10.0, max_output: int = 1 << 20) -> CommandResult:
        """Run one command (each word quoted for the remote shell) and return its output as text.

        Four run at once; the wait for a turn is part of ``timeout_s``.
        Output beyond ``max_output`` bytes of stdout ends the command: it is cut and ``truncated`` is set. Raises
        SSHTimeoutError after ``timeout_s`` seconds, SSHConnectionError where the connection breaks.
        """
        command = shlex.join(argv)
        chan: asyncssh.SSHClientChannel[bytes] | None = None
        output = _Command(max_output)
        try:
            async with asyncio.timeout(timeout_s), self._commands:
                chan, _ = await self._open(lambda: output, command, "run")
                chan.write_eof()
                await output.done.wait()
        except TimeoutError:
            raise SSHTimeoutError(
                f"{self._place}: {argv[0]!r} took longer than {timeout_s:g} s",
                timeout_seconds=timeout_s,
                hostname=self._host,
                operation="run",
                details={"kind": Reason.TIMEOUT.value, "command": argv[0]},
            ) from None
        finally:
            if chan is not None:
                with contextlib.suppress(OSError):  # the channel is closed already
                    if not output.closed:
                        chan.kill()  # closing alone leaves a command that neither reads nor writes running
                chan.close()
        if output.error is not None:
            raise map_error(output.error, self._place, hostname=self._host, greeted=True, operation="run")
        return CommandResult(
            exit_code=output.exit,
            stdout=output.text(0),
            stderr=output.text(1),
            truncated=output.truncated,
        )

    async def follow(self, argv: Sequence[str], *, terminal: bool = False) -> FollowedCommand:
        """Start a command that goes on, stderr beside stdout but on a terminal. Raises the SSH family."""
        options = {"term_type": "dumb", "term_size": (4096, 50)} if terminal else {}
        _, followed = await self._open(
            lambda: FollowedCommand(self._host, self._place), shlex.join(argv), "follow", **options
        )
        return followed

    @property
    def _files(self) -> HostFiles:
        return HostFiles(self._connection, self._host, self._place)

    async def file_info(self, path: str) -> FileInfo:
        """Look at a path on the host."""
        return await self._files.info(path)

    async def send_file(self, local: str, remote: str, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a local file to the host."""
        await self._files.send(Path(local), remote, overwrite=overwrite, on_bytes=on_bytes)

    async def fetch_file(self, remote: str, local: str, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a file of the host here."""
        await self._files.fetch(remote, Path(local), overwrite=overwrite, on_bytes=on_bytes)

    async def _open(
        self, make: Callable[[], S], command: str, operation: str, **options: Any
    ) -> tuple[asyncssh.SSHClientChannel[bytes], S]:
        try:
            async with asyncio.timeout(_OPEN_WAIT_S):
                chan, session = await self._connection.create_session(make, command, encoding=None, **options)
                return chan, cast(S, session)
        except TimeoutError:
            raise SSHTimeoutError(
                f"{self._place}: no channel within {_OPEN_WAIT_S:g} s over an open connection; the host may be hung",
                timeout_seconds=_OPEN_WAIT_S,
                hostname=self._host,
                operation=operation,
                details={"kind": Reason.TIMEOUT.value},
            ) from None
        except asyncssh.ChannelOpenError as exc:
            if gone := closed_error(exc, self._place, hostname=self._host, operation=operation):
                raise gone from None
            raise SSHCommandError(
                f"{self._place}: logged in, but no command may be run ({exc.reason})",
                hostname=self._host,
                operation=operation,
                details={"kind": Reason.SHELL.value},
            ) from None
        except (asyncssh.Error, OSError) as exc:
            raise map_error(exc, self._place, hostname=self._host, greeted=True, operation=operation) from None

    async def close(self) -> None:
        """Close the connection and what it was tunnelled through; waits two seconds at most."""
        self._connection.close()
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
        finally:
            if self._release is not None:
                await self._release()


class _Command(asyncssh.SSHClientSession[bytes]):
    """Collects the output of one command up to a cap."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._parts: tuple[list[bytes], list[bytes]] = ([], [])
        self._sizes = [0, 0]
        self.done = asyncio.Event()
        self.exit: int | None = None
        self.error: Exception | None = None
        self.truncated = False
        self.closed = False

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        stream = 0 if datatype is None else 1
        room = self._cap - self._sizes[stream]
        if len(data) > room:
            data, self.truncated = data[:room], True
        self._parts[stream].append(data)
        self._sizes[stream] += len(data)
        if self.truncated and stream == 0:
            self.done.set()

    def exit_status_received(self, status: int) -> None:
        self.exit = status

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.done.is_set():
            self.error = exc
        self.done.set()

    def text(self, stream: int) -> str:
        """Standard output (0) or error (1)."""
        return b"".join(self._parts[stream]).decode("utf-8", "replace")
