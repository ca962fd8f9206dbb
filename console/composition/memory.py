"""What the console remembers, as a small JSON file in the state folder: written whole, and never trusted when read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from core.models.console import Memory

NAME = "console.json"
_VERSION = 1
_MOST_BYTES = 256 * 1024
_MOST_TEXT = 2000


class MemoryFile:
    """One file for all consoles of a user; each writes a whole one, the last one to leave is remembered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""  # what was wrong with the file, for the person

    def load(self) -> Memory:
        """Return what is remembered; a file that cannot be read is set aside, and ``note`` says so. Blocking."""
        try:
            with self.path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return Memory()
        except OSError as error:
            self.note = f"{self.path} cannot be read ({error.strerror}): the layout starts anew"
            return Memory()
        try:
            if len(data) > _MOST_BYTES:
                raise ValueError("too large")
            return memory_from(json.loads(data))
        except (ValueError, TypeError, RecursionError):
            aside = self.path.with_suffix(".broken")
            with suppress(OSError):
                self.path.replace(aside)
            self.note = f"{self.path} was broken: it is {aside.name} now, and the layout starts anew"
            return Memory()

    def save(self, memory: Memory) -> bool:
        """Write it atomically, readable by its owner alone; false where another console is writing. Blocking."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                return False
            fresh = self.path.with_suffix(f".{os.getpid()}.new")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(as_json(memory), file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            return True
        finally:
            os.close(lock)


def as_json(memory: Memory) -> dict[str, Any]:
    """Return the memory as JSON has it."""
    left = memory.left_at.isoformat() if memory.left_at else None
    panes = {name: dict(layout) for name, layout in memory.panes.items()}
    return asdict(memory) | {"version": _VERSION, "left_at": left, "panes": panes, "commands": list(memory.commands)}


def memory_from(found: object) -> Memory:
    """Return the memory that a document tells of; raises ValueError or TypeError for one that is none."""
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        raise ValueError("not ours")
    left = found.get("left_at")
    moment = datetime.fromisoformat(left) if isinstance(left, str) else None
    return Memory(
        pane=_text(found.get("pane", "fleet")),
        panes={_text(name): _layout(layout) for name, layout in _table(found.get("panes", {})).items()},
        theme=_text(found.get("theme", "")),
        utc=bool(found.get("utc", True)),
        commands=tuple(_text(each) for each in list(found.get("commands", ()))[-200:]),
        guided=bool(found.get("guided", False)),
        left_at=moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None,
    )


def _layout(found: object) -> Mapping[str, str]:
    return {_text(key): _text(value) for key, value in _table(found).items()}


def _table(found: object) -> dict[Any, Any]:
    if not isinstance(found, dict) or len(found) > 200:
        raise ValueError("no table")
    return found


def _text(found: object) -> str:
    if not isinstance(found, str) or len(found) > _MOST_TEXT or not found.isprintable():
        raise ValueError("no text")
    return found
