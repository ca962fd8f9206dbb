"""TimescaleDB in WebAssembly under Node: the demo's database, one session at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from core.children import end_process
from core.exceptions import ConfigurationError, DatabaseConnectionError
from core.storage.servers import npm
from core.storage.servers.base import Progress, ServerAddress
from core.storage.servers.files import (
    PORT,
    FileLock,
    check_version,
    make_socket_folder,
    prepare_data_folder,
    remove_socket_folder,
    socket_path,
    tail_of,
)

_NODE_MAJOR = 20
_POSTGRES_MAJOR = 17
_NAME = "jumpwatch"
_START_SECONDS = 120.0
_LOCK_SECONDS = 5.0  # the host of a console that was killed needs a moment to end
_STOP_SECONDS = 4.0
_NEED = f"The demo needs Node.js {_NODE_MAJOR} or newer to run TimescaleDB in WebAssembly"


def wasm_missing() -> str | None:
    """Say in one line what the engine lacks on this machine, or None; blocks for a few hundredths of a second."""
    problem = _node_missing()
    if problem is None and shutil.which("npm") is None:
        return "npm is not on PATH. The demo fetches its TimescaleDB engine with it at first use."
    return problem


def _node_missing() -> str | None:
    node = shutil.which("node")
    if node is None:
        return f"Node.js (node) is not on PATH. {_NEED}."
    try:
        asked = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"Node.js at {node} does not run ({error}). {_NEED}."
    found = re.match(r"v(\d+)\.", asked.stdout.strip())
    if found is None:
        return f"Node.js at {node} does not tell its version. {_NEED}."
    if int(found[1]) < _NODE_MAJOR:
        return f"Node.js {asked.stdout.strip()} at {node} is too old. {_NEED}."
    return None


class WasmServer:
    """One Node process that holds the database; it ends when this process ends."""

    def __init__(self, data_dir: Path, cache_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._cache_dir = cache_dir.absolute()
        self._process: asyncio.subprocess.Process | None = None
        self._socket_dir: Path | None = None

    async def start(self, progress: Progress) -> ServerAddress:
        """Fetch the engine if it is not there, start the host, wait until it answers."""
        if self._process is not None and self._process.returncode is None and self._socket_dir is not None:
            return self._address(self._socket_dir)
        await self.stop()
        problem = await asyncio.to_thread(_node_missing)
        if problem is not None:
            raise ConfigurationError(f"{problem} Install it, or use the embedded database.", operation="start_wasm")
        await asyncio.to_thread(prepare_data_folder, self._data_dir, os.geteuid())
        check_version(self._data_dir / "pgdata", _POSTGRES_MAJOR, f"Remove {self._data_dir}: it holds demo data only.")
        modules = await npm.ensure_installed(self._cache_dir, progress)
        lock = await self._lock(progress)
        try:
            folder = self._socket_dir = make_socket_folder()
            process = self._process = await self._spawn(modules, folder, lock)
        except BaseException:
            self._remove_socket()
            raise
        finally:
            lock.close()  # the host holds it from here on, as long as it lives
        try:
            await self._until_ready(process, progress)
        except BaseException:
            await self.stop()
            raise
        return self._address(folder)

    async def stop(self) -> None:
        """Close the database and end the host."""
        process, self._process = self._process, None
        try:
            if process is not None:
                if process.stdin is not None:
                    process.stdin.close()
                await end_process(process, [(signal.SIGTERM, _STOP_SECONDS)])
        finally:
            self._remove_socket()

    @property
    def _log(self) -> Path:
        return self._data_dir / "host.log"

    @staticmethod
    def _address(folder: Path) -> ServerAddress:
        return ServerAddress(str(folder), PORT, user=_NAME, database=_NAME, single_session=True, kind="wasm")

    def _remove_socket(self) -> None:
        folder, self._socket_dir = self._socket_dir, None
        if folder is not None:
            remove_socket_folder(folder)

    async def _lock(self, progress: Progress) -> FileLock:
        # Two processes on one data folder lose data without a word: the lock goes to the host with its file descriptor.
        lock = FileLock(self._data_dir / "lock")
        try:
            if not lock.try_lock(exclusive=True):
                progress("Waiting for another demo to let go of its data")
                if not await lock.lock(exclusive=True, seconds=_LOCK_SECONDS):
                    raise ConfigurationError(
                        f"Another demo is running on {self._data_dir}. Close it, or give this one its own folder.",
                        operation="start_wasm",
                    )
        except BaseException:
            lock.close()
            raise
        return lock

    async def _spawn(self, modules: Path, folder: Path, lock: FileLock) -> asyncio.subprocess.Process:
        node = shutil.which("node") or "node"
        paths = ("--modules", modules, "--data", self._data_dir, "--socket", socket_path(folder))
        try:
            with self._log.open("wb") as log:
                return await asyncio.create_subprocess_exec(
                    *(node, npm.PACKAGE_DATA / "host.mjs", *paths, "--console", str(os.getpid())),
                    cwd=self._data_dir,
                    env={**npm.child_environment(), "TZ": "UTC"},
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    pass_fds=(lock.fd,),
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigurationError(f"Node.js cannot be started: {error}.", operation="start_wasm") from error

    async def _until_ready(self, process: asyncio.subprocess.Process, progress: Progress) -> None:
        if process.stdout is None:
            raise self._failure("its output is not to be had")
        try:
            async with asyncio.timeout(_START_SECONDS):
                async for line in process.stdout:
                    said = _stage(line)
                    if said.get("stage") == "ready":
                        return
                    if said.get("stage") == "failed":
                        raise self._failure(said.get("text", ""))
                    progress(said.get("text", "Starting the demo database"))
        except TimeoutError as error:
            raise self._failure(f"it was not ready after {_START_SECONDS:.0f} s") from error
        raise self._failure(tail_of(self._log) or "it ended at once")

    def _failure(self, why: str) -> DatabaseConnectionError:
        return DatabaseConnectionError(
            f"The demo database did not start: {why}. Its log is {self._log}; if its data is damaged, remove "
            f"{self._data_dir} (it holds demo data only).",
            operation="start_wasm",
        )


def _stage(line: bytes) -> dict[str, str]:
    with contextlib.suppress(ValueError):
        said = json.loads(line)
        if isinstance(said, dict):
            return {str(key): str(value) for key, value in said.items()}
    return {}
