"""checks.toml: existing Nagios plugins that run on the hosts as checks, chosen by host, group or tag."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.exceptions import ConfigurationError
from core.models import Host

_MOST_BYTES = 1 << 20
_LISTS = ("argv", "hosts", "groups", "tags")
_RANGES = {"interval_s": (5.0, 30 * 86400.0), "timeout_s": (0.5, 600.0)}


@dataclass(frozen=True, slots=True)
class Check:
    """One [[checks]] table. Without hosts, groups and tags it runs everywhere, else where any of them fits."""

    name: str
    argv: tuple[str, ...]
    interval_s: float = 300.0
    timeout_s: float = 30.0
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sudo: bool = False  # run by ``sudo -n``

    def runs_on(self, host: Host) -> bool:
        """Whether it is for that host."""
        if not (self.hosts or self.groups or self.tags):
            return True
        return host.name in self.hosts or bool({*self.groups} & {*host.groups} or {*self.tags} & {*host.tags})


def load_checks(path: Path) -> tuple[Check, ...]:
    """Read the file; a missing one holds none. ConfigurationError names the check and the key that is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", operation="read checks") from None
    if len(raw) > _MOST_BYTES:
        raise ConfigurationError(f"{path} is over {_MOST_BYTES >> 20} MiB", operation="read checks")
    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start})", operation="read checks") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}", operation="read checks") from None
    tables = document.pop("checks", [])
    if document:
        raise ConfigurationError(f"{path}: {next(iter(document))!r} is not known here: a check is a [[checks]] table")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{path}: checks must be [[checks]] tables", operation="read checks")
    checks = [_check(table, f"{path}, check {place}") for place, table in enumerate(tables, 1)]
    names = [check.name for check in checks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{path}: there are two checks called {name}", operation="read checks")
    return tuple(checks)


def _check(table: dict[str, Any], where: str) -> Check:
    known = {field.name for field in fields(Check)}
    for key, value in table.items():
        if key not in known:
            raise _wrong(where, f"{key!r} is not known (known: {', '.join(sorted(known))})")
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise _wrong(where, f"{key} must be a list of texts")
        if key in _RANGES:
            low, high = _RANGES[key]
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise _wrong(where, f"{key} must be a number of seconds from {low:g} to {high:g}")
        if key == "name" and not isinstance(value, str):
            raise _wrong(where, "name must be a text")
        if key == "sudo" and not isinstance(value, bool):
            raise _wrong(where, "sudo must be true or false")
    if missing := {"name", "argv"} - table.keys():
        raise _wrong(where, f"it needs {' and '.join(sorted(missing))}")
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return Check(**values)


def _wrong(where: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {text}", operation="read checks")
