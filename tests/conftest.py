"""What every test run shares: as root, the embedded servers' folders that it made are gone after it."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

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
    for name in _folders() - _before:
        if not name.startswith("pg18-") and not _in_use(_ROOTS_FOLDER / name):
            shutil.rmtree(_ROOTS_FOLDER / name, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    """Another run's server may have come meanwhile: its guard holds the folder's lock."""
    try:
        with (folder / "guard.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
