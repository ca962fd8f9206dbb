"""commands.toml: commands kept under a name, offered on the hosts that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.exceptions import ConfigurationError
from core.inventory.toml_file import read_toml
from core.models import Host, SavedCommand

_LISTS = ("argv", "hosts", "groups", "tags")
_TIMEOUT_S = (0.5, 3600.0)
_WORD_MOST = 4000


def load_commands(path: Path) -> tuple[SavedCommand, ...]:
    """Read the file; a missing one holds none. ConfigurationError names the command and the key that is wrong."""
    document = read_toml(path, _wrong)
    if document is None:
        return ()
    tables = document.pop("commands", [])
    if document or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _wrong(str(path), "there may be [[commands]] tables and nothing else")
    commands = [_command(table, f"{path}, command {place}") for place, table in enumerate(tables, 1)]
    names = [command.name for command in commands]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(str(path), f"there are two commands called {twice}")
    return tuple(commands)


def for_hosts(commands: Sequence[SavedCommand], hosts: Sequence[Host]) -> tuple[SavedCommand, ...]:
    """Return the commands that are for every one of these hosts."""
    return tuple(command for command in commands if all(_fits(command, host) for host in hosts))


def _fits(command: SavedCommand, host: Host) -> bool:
    if not (command.hosts or command.groups or command.tags):
        return True
    return host.name in command.hosts or bool({*command.groups} & {*host.groups} or {*command.tags} & {*host.tags})


def _command(table: dict[str, Any], where: str) -> SavedCommand:
    known = {field.name for field in fields(SavedCommand)}
    for key, value in table.items():
        if key not in known:
            raise _wrong(where, f"{key!r} is not known (known: {', '.join(sorted(known))})")
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise _wrong(where, f"{key} must be a list of texts")
        if key == "timeout_s":
            low, high = _TIMEOUT_S
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise _wrong(where, f"{key} must be a number of seconds from {low:g} to {high:g}")
        if key == "name" and not (isinstance(value, str) and value.isprintable() and value.strip()):
            raise _wrong(where, "name must be a text of one line")
        if key == "sudo" and not isinstance(value, bool):
            raise _wrong(where, "sudo must be true or false")
    if missing := {"name", "argv"} - table.keys():
        raise _wrong(where, f"it needs {' and '.join(sorted(missing))}")
    if not table["argv"] or sum(len(word) for word in table["argv"]) > _WORD_MOST:
        raise _wrong(where, f"argv needs a word, and may have {_WORD_MOST} characters")
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return SavedCommand(**values)


def _wrong(where: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {text}", operation="read commands")
