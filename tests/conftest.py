"""What every test run shares: its databases, one server a worker; as root, its servers' folders are gone after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.storage.databases import (
    blank,
    database,
    embedded_server,
    embedded_template,
    engine_cache,
    other,
    wasm_server,
)

__all__ = ["blank", "database", "embedded_server", "embedded_template", "engine_cache", "other", "wasm_server"]

_ROOTS_FOLDER = Path("/var/lib/jumpwatch")  # where root's embedded servers keep their data
_before: set[str] = set()


def _folders() -> set[str]:
    return {p.name for p in _ROOTS_FOLDER.iterdir()} if os.geteuid() == 0 and _ROOTS_FOLDER.is_dir() else set()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what was there."""
    _before.update(_folders())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what came, once all workers are done; a copy of the server's binaries stays for the next run."""
    if hasattr(session.config, "workerinput"):
        return
    if _another_run():  # what is new may be its folders, at rest between two commands: left to it
        return
    for name in _folders() - _before:
        if not name.startswith("pg18-"):
            shutil.rmtree(_ROOTS_FOLDER / name, ignore_errors=True)


def _another_run() -> bool:
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if int(command.parent.name) != os.getpid() and any(Path(os.fsdecode(w)).name == "pytest" for w in words[:4]):
            return True
    return False
