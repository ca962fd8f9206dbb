"""Fetches the WebAssembly engine with npm, once, into the cache folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from core.children import end_process
from core.exceptions import ConfigurationError
from core.storage.servers.base import Progress
from core.storage.servers.files import FileLock

PACKAGE_DATA = Path(__file__).resolve().parent.parent / "wasm"
_MANIFEST = ("package.json", "package-lock.json")
_INSTALL_SECONDS = 300.0
_WAY_OUT = (
    "Check the network and npm's own settings (npm ping), then try again; "
    "without it the demo runs on the embedded PostgreSQL, without TimescaleDB."
)


def installed(cache_dir: Path) -> Path:
    """Name the folder of the engine that this version of Jumpwatch asks for, whether it is there or not."""
    digest = hashlib.sha256((PACKAGE_DATA / "package-lock.json").read_bytes()).hexdigest()[:12]
    return cache_dir / f"wasm-{digest}"


def child_environment() -> dict[str, str]:
    """Hand on the environment (PATH, proxies, npm's settings) without our own variables: they may hold secrets."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(("JUMPWATCH_", "PG"))}


async def ensure_installed(cache_dir: Path, progress: Progress) -> Path:
    """Give the folder with node_modules in it, fetching the engine first if need be."""
    target = installed(cache_dir)
    if target.is_dir():
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigurationError(f"npm is missing, and it fetches the demo's TimescaleDB engine. {_WAY_OUT}")
    try:
        await asyncio.to_thread(cache_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(cache_dir / "wasm.lock")
    except OSError as error:
        raise ConfigurationError(f"The cache folder {cache_dir} cannot be written: {error.strerror}.") from error
    try:
        if not lock.try_lock(exclusive=True):
            progress("Waiting for another Jumpwatch that fetches the TimescaleDB engine")
            if not await lock.lock(exclusive=True, seconds=_INSTALL_SECONDS + 10):
                raise ConfigurationError(f"Another Jumpwatch has held {lock.path} for too long. {_WAY_OUT}")
        if not target.is_dir():  # else the one we waited for has done it
            progress("Fetching the TimescaleDB engine with npm (first use, about 20 MB)")
            await _install(npm, target)
    finally:
        lock.close()
    return target


async def _install(npm: str, target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=".wasm-", dir=target.parent))
    try:
        for name in _MANIFEST:
            shutil.copyfile(PACKAGE_DATA / name, draft / name)
        await _npm_ci(npm, draft)
        await asyncio.to_thread(draft.rename, target)
    except OSError as error:
        raise ConfigurationError(f"The TimescaleDB engine cannot be put into {target}: {error}. {_WAY_OUT}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


async def _npm_ci(npm: str, folder: Path) -> None:
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    process = await asyncio.create_subprocess_exec(
        *(npm, "ci", *flags),
        cwd=folder,
        env=child_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_INSTALL_SECONDS):
            _, stderr = await process.communicate()
    except TimeoutError as error:
        raise ConfigurationError(
            f"npm took more than {_INSTALL_SECONDS:.0f} s to fetch the engine. {_WAY_OUT}", operation="npm_ci"
        ) from error
    finally:
        await end_process(process, [(signal.SIGTERM, 2.0)])
    if process.returncode != 0:
        raise ConfigurationError(
            f"npm could not fetch the TimescaleDB engine: {_cause(stderr.decode('utf-8', 'replace'))}. {_WAY_OUT}",
            operation="npm_ci",
            details={"exit_code": process.returncode},
        )


def _cause(stderr: str) -> str:
    """Pick npm's own words for what went wrong out of its talk."""
    told = [line for line in stderr.splitlines() if not line.lower().startswith("npm warn")]
    lines = [re.sub(r"^npm (error|ERR!)\s*", "", line).strip() for line in told]
    said = [line for line in lines if line and not line.startswith(("A complete log", "at "))]
    return "; ".join(said[:3])[:200].rstrip(".") or "it gave no reason"
