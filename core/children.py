"""How a child process is brought to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence


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
