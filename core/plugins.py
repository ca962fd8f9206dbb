"""Collectors of the user's own: files in the config folder's ``collectors``, and entry points of installed packages.

A file is Python that runs with all of this program's rights, so it must be the user's own and nobody else's to write.
One that is broken is named with its line and left out; the others run.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from core.collectors.catalog import COLLECTORS
from core.collectors.collector import Collector, Parse
from core.exceptions import DataCollectionError
from core.models import Finding, SectionStatus
from core.ports import CommandResult

GROUP = "jumpwatch.collectors"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_MOST_BYTES = 1 << 20
_MOST_OUTPUT = 16 << 20


@dataclass(frozen=True, slots=True)
class Plugin(Collector):
    """A collector from outside: its parser is not ours, so it runs apart and in bounded time."""

    foreign: bool = True


@dataclass(slots=True)
class Plugins:
    """What was found; ``faults`` are lines for a person, one for each that was left out."""

    collectors: dict[str, Collector] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def take(self, offered: Any, origin: str, path: str) -> None:
        """Add one collector, or each of several; what is none is a fault."""
        several = offered if isinstance(offered, list | tuple) else [offered]
        for one in several:
            if fault := _fault(one) or self._taken(one.name):
                self.faults.append(f"{origin}: {fault}")
            else:
                self.collectors[one.name] = _plugin(one, origin, path)

    def _taken(self, name: str) -> str:
        taken = name in COLLECTORS or name in self.collectors or name in ("check", "all", "off")
        return f"there is a collector {name} already: give it another name" if taken else ""


def load_plugins(folder: Path) -> Plugins:
    """Load entry points, then the files of the folder by name; blocks, and runs their code."""
    found = Plugins()
    for point in entry_points(group=GROUP):
        origin = f"entry point {point.name} ({point.value})"
        try:
            offered = point.load()
        except Exception as exc:  # noqa: BLE001 - foreign code may raise anything; it is told and left out
            found.faults.append(f"{origin}: {_told(exc, '')}")
        else:
            found.take(offered, origin, sys.modules[point.module].__file__ or "")
    for path in _files(folder, found.faults):
        try:
            module = _module(path)
        except Exception as exc:  # noqa: BLE001 - as above
            found.faults.append(_placed(exc, path))
            continue
        offered = getattr(module, "COLLECTORS", None) or getattr(module, "COLLECTOR", None)
        if offered is None:
            found.faults.append(f"{path}: it sets neither COLLECTOR nor COLLECTORS")
        else:
            found.take(offered, str(path), str(path))
    return found


def _files(folder: Path, faults: list[str]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    if why := _unsafe(os.stat(folder)):
        faults.append(f"{folder}: {why}; its collectors are not loaded")
        return
    yield from sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", ".")))


def _unsafe(found: os.stat_result) -> str:
    if found.st_uid not in (os.geteuid(), 0):
        return "it belongs to another user: chown it to yourself"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it: chmod go-w"
    return ""


def _module(path: Path) -> ModuleType:
    """Run a file as a module. What is checked is what is run: both come of one open file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError("it is no regular file")
        if why := _unsafe(found):
            raise PermissionError(why)
        source = file.read(_MOST_BYTES + 1)
    if len(source) > _MOST_BYTES:
        raise ValueError(f"it is over {_MOST_BYTES >> 20} MiB, which is no collector")
    module = ModuleType(f"jumpwatch_collectors.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - the user's own file, checked above
    except BaseException as exc:
        del sys.modules[module.__name__]
        if isinstance(exc, SystemExit):
            raise RuntimeError("it ends the program (sys.exit) instead of setting COLLECTOR") from exc
        raise
    return module


def _placed(exc: Exception, path: Path) -> str:
    line = _line(exc, str(path))
    return f"{path}{f', line {line}' if line else ''}: {_told(exc, '')}"


def _line(exc: BaseException, path: str) -> int | None:
    """The last line of the file that the error came by."""
    if isinstance(exc, SyntaxError) and exc.filename == path:
        return exc.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == path]
    return lines[-1] if lines else None


def _told(exc: BaseException, path: str) -> str:
    line = _line(exc, path) if path else None
    text = str(exc.strerror if isinstance(exc, OSError) and exc.strerror else exc).split("\n")[0][:300]
    words = text if isinstance(exc, PermissionError) else f"{type(exc).__name__}: {text}".removesuffix(": ")
    return f"line {line}: {words}" if line else words


def _fault(one: Any) -> str:
    if not isinstance(one, Collector):
        return f"COLLECTOR must be a core.collectors.catalog.Collector, and is {type(one).__name__}"
    if not isinstance(one.name, str) or not _NAME.fullmatch(one.name):
        return f"the name {str(one.name)[:60]!r} must be of small letters, digits, _ and -"
    words = isinstance(one.argv, tuple) and all(isinstance(w, str) and "\0" not in w for w in one.argv)
    if not words or not one.argv:
        return f"argv of {one.name} must be a tuple of texts"
    for what, value, low, high in (
        ("interval_s", one.interval_s, 5, 30 * 86400),
        ("timeout_s", one.timeout_s, 0.1, 600),
        ("max_output", one.max_output, 1, _MOST_OUTPUT),
    ):
        if not isinstance(value, int | float) or not low <= value <= high:
            return f"{what} of {one.name} must be from {low} to {high}"
    return "" if callable(one.parse) else f"parse of {one.name} must be a function"


def _plugin(one: Collector, origin: str, path: str) -> Plugin:
    values: Mapping[str, Any] = {name: getattr(one, name) for name in Collector.__dataclass_fields__}
    return Plugin(**{**values, "parse": _guarded(one.name, one.parse, origin, path)})


def _guarded(name: str, parse: Parse, origin: str, path: str) -> Parse:
    """Return the parser; whatever it raises or returns, a finding of that name or DataCollectionError comes of it."""

    def guarded(result: CommandResult) -> Finding:
        try:
            found = parse(result)
        except DataCollectionError:
            raise
        except Exception as exc:
            raise DataCollectionError(f"{origin}, {_told(exc, path)}", operation="collect") from exc
        if not isinstance(found, Finding) or not isinstance(found.status, SectionStatus):
            raise DataCollectionError(f"{origin}: parse must return a Finding", operation="collect")
        if found.severity not in ("info", "warning", "error") or not isinstance(found.detail, str):
            raise DataCollectionError(f"{origin}: severity must be info, warning or error", operation="collect")
        return replace(found, kind=name, detail=found.detail[:2000])

    return guarded
