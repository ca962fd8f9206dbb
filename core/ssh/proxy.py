"""ProxyCommand: a process of our own between us and the host, ended with its connection."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress

from core.ssh.error_mapping import printable

_KEPT = 400


class ProxyCommand(asyncio.SubprocessProtocol):
    """The running command: our end of its stdin and stdout is ``sock``; the last of its stderr is kept."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._transport: asyncio.SubprocessTransport | None = None
        self._stderr = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._stderr = (self._stderr + data)[-_KEPT:]

    @property
    def said(self) -> str:
        """What it complained of last, as one safe line."""
        return printable(self._stderr, 160)

    def close(self) -> None:
        """End the command and what it started."""
        self.sock.close()
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if transport.get_returncode() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), signal.SIGTERM)
        transport.close()


async def start_proxy(command: str) -> ProxyCommand:
    """Start the command under the user's shell, as ssh(1) does; raises OSError."""
    loop = asyncio.get_running_loop()
    ours, its = socket.socketpair()
    try:
        _, protocol = await loop.subprocess_exec(
            lambda: ProxyCommand(ours),
            os.environ.get("SHELL") or "/bin/sh",
            "-c",
            f"exec {command}",
            stdin=its.fileno(),
            stdout=its.fileno(),
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    ours.setblocking(False)
    return protocol
