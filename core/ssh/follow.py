"""A command that goes on: its output taken as it comes, held back where nobody takes it."""

from __future__ import annotations

import asyncio

import asyncssh

from core.ssh.error_mapping import map_error

_HELD = 1 << 18  # bytes of each stream before the host is held back
_CLOSE_WAIT_S = 1.0


class FollowedCommand(asyncssh.SSHClientSession[bytes]):
    """Implements core.ports.OutputStream; lives in the event loop of its connection."""

    def __init__(self, host: str, place: str) -> None:
        self._host, self._place = host, place
        self._held = (bytearray(), bytearray())
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._error: Exception | None = None
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._paused = self._closing = False
        self.exit_code: int | None = None

    # asyncssh's callbacks

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        held = self._held[0 if datatype is None else 1]
        held += data
        if len(held) >= _HELD and not self._paused and self._chan is not None:
            self._paused = True
            self._chan.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        return False

    def exit_status_received(self, status: int) -> None:
        self.exit_code = status

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = None if self._closing else exc
        self._closed.set()
        self._news.set()

    # the port

    async def read(self) -> tuple[bytes, bytes] | None:
        """Return what came since the last call, waiting for some; None at the end. Raises the SSH family."""
        await self._news.wait()
        self._news.clear()
        out, err = (bytes(held) for held in self._held)
        for held in self._held:
            held.clear()
        if self._closed.is_set():
            self._news.set()  # the next call finds the end
            if not (out or err):
                if self._error is not None:
                    raise map_error(self._error, self._place, hostname=self._host, greeted=True, operation="follow")
                return None
        if self._paused and self._chan is not None:  # also where it is closing: what came before is still held in it
            self._paused = False
            self._chan.resume_reading()
        return out, err

    async def close(self) -> None:
        """Close the channel, by which the command ends; waits for it a second at most."""
        self._closing = True
        if self._chan is None or self._closed.is_set():
            return
        self._chan.close()
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._closed.wait()
        except TimeoutError:
            self._chan.abort()
