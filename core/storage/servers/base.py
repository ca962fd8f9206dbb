"""What every server of ours promises, and how a child process is brought to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How asyncpg or SQLAlchemy connects: a Unix socket, no password, no TLS."""

    socket_dir: str
    port: int
    user: str
    database: str
    single_session: bool
    kind: Literal["embedded", "wasm"]


class ManagedServer(Protocol):
    """A database server whose life is ours."""

    async def start(self, progress: Progress) -> ServerAddress:
        """Start or join the server; ConfigurationError or DatabaseConnectionError say why it cannot be."""

    async def stop(self) -> None:
        """Let go of the server; safe to call twice, bounded, leaves no process behind."""


async def end_process(process: asyncio.subprocess.Process, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Signal a child that leads its own process group, harder each time, then kill; also when cancelled."""
    # Not process.send_signal: it polls, and takes the exit status away from asyncio's own watcher.
    try:
        for number, seconds in steps:
            if process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            await process.wait()
