"""The demo fleet's process, as its parent sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.exceptions import ExternalServiceError
from core.models import Host
from core.simulator.fleet import WATCHED

_READY_S = 20.0
_STOP_S = 1.5
_LINE_LIMIT = 4 << 20
_ERROR_LIMIT = 4096
_ALLOWED = ("drives", "ports")  # by sudo, on the nas alone: elsewhere the demo shows what is forbidden
_ROOT = str(Path(__file__).resolve().parents[2])


class SimulatorProcess:
    """Starts and stops ``python -m core.simulator``. It ends by itself when this process dies: its stdin closes."""

    def __init__(self, *, seed: int = 0, single_port: bool = False, options: Sequence[str] = ()) -> None:
        self._seed = seed
        self._options = [*options, *(["--single-port"] if single_port else [])]
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None  # owned here: stop() waits for it
        self._errors = bytearray()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def start(self, state_dir: Path, hosts: int = 12) -> list[Host]:
        """Start the fleet and return its hosts, ready to connect; ExternalServiceError where it does not start."""
        if self.pid is not None:
            raise ExternalServiceError("The demo fleet runs already", operation="simulator.start")
        options = ["--hosts", str(hosts), "--state-dir", str(state_dir), "--seed", str(self._seed)]
        # The package need not be installed: the child finds it where this process did.
        path = os.pathsep.join(part for part in (_ROOT, os.environ.get("PYTHONPATH", "")) if part)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "core.simulator", *options, *self._options,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                start_new_session=True, limit=_LINE_LIMIT, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        except OSError as error:
            raise ExternalServiceError(
                f"The demo fleet cannot be started: {error.strerror}", operation="simulator.start"
            ) from error
        self._errors.clear()
        self._drain = asyncio.create_task(self._read_errors(self._process), name="simulator-stderr")
        try:
            return await self._read_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def _read_ready(self, process: asyncio.subprocess.Process) -> list[Host]:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _READY_S)
            return host_list(json.loads(line))
        except TimeoutError:
            why = f"it said nothing for {_READY_S:.0f} s"
        except (ValueError, KeyError, TypeError):
            if self._drain is not None:  # it ended, or talks nonsense: its last words tell why
                await asyncio.wait({self._drain}, timeout=1.0)
            why = self._last_words() or "its first line cannot be read"
        raise ExternalServiceError(f"The demo fleet did not start: {why}", operation="simulator.start")

    def _last_words(self) -> str:
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else ""

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(4096):
            self._errors += chunk
            del self._errors[:-_ERROR_LIMIT]

    async def stop(self) -> None:
        """End the fleet; returns within two seconds with the process gone. Harmless when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
        finally:
            if process.returncode is None:  # cancelled while waiting
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            if self._drain is not None:
                self._drain.cancel()
                await asyncio.wait({self._drain})
                self._drain = None


def host_list(ready: dict[str, Any]) -> list[Host]:
    """Turn the ready line into hosts; ValueError, KeyError or TypeError where it is something else."""
    return [
        Host(
            name=one["name"],
            address=one["address"],
            port=one["port"],
            user=one["user"],
            groups=tuple(one["groups"]),
            tags=tuple(one["tags"]),
            identity_files=(ready["client_key"],),
            known_hosts=ready["known_hosts"],
            simulated=True,
            sudo=_ALLOWED if "nas" in one["tags"] else (),
            services=next((WATCHED[tag] for tag in one["tags"] if tag in WATCHED), ()),
        )
        for one in ready["hosts"]
    ]
