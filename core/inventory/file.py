"""hosts.toml: one [[hosts]] table a host; errors name the line; writes are atomic and keep comments."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.exceptions import (
    ConfigurationError,
    DeviceNotFoundError,
    ResourceConflictError,
    ResourceNotFoundError,
    ValidationError,
)
from core.inventory.disk import locked, read_text, write_text
from core.inventory.fields import as_table, host_from, validate_host
from core.models import Host

if TYPE_CHECKING:
    from tomlkit.items import Table

_HEADER = re.compile(r"^\s*\[\[\s*hosts\s*\]\]", re.MULTILINE)
_ANY_HEADER = re.compile(r"^\s*\[", re.MULTILINE)
_INTRO = "# Jumpwatch: the hosts that are watched. One [[hosts]] table each; only name is needed.\n"


class Inventory:
    """The hosts of one file, in its order. Changes stay in memory until ``save``."""

    def __init__(self, path: Path, text: str = "", hosts: tuple[Host, ...] = ()) -> None:
        self.path = path
        self._text = text  # as read, so that save can tell whether somebody else wrote in between
        self._hosts = {host.name: host for host in hosts}
        self._kept = dict(self._hosts)  # what the file holds

    @classmethod
    def load(cls, path: Path) -> Inventory:
        """Read the file (a missing one is an empty inventory); ConfigurationError names the line that is wrong."""
        text = read_text(path) or ""
        return cls(path, text, parse_hosts(str(path), text))

    @classmethod
    @contextmanager
    def edit(cls, path: Path) -> Iterator[Inventory]:
        """Load under a lock, and save at the end of the block: two commands at once lose nothing."""
        with locked(path):
            inventory = cls.load(path)
            yield inventory
            inventory.save()

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts in the order of the file."""
        return tuple(self._hosts.values())

    def hosts_at(self, now: datetime) -> tuple[Host, ...]:
        """All hosts as they are at that moment: maintenance that has reached its end is over."""
        return tuple(host.at(now) for host in self._hosts.values())

    def __len__(self) -> int:
        return len(self._hosts)

    def __contains__(self, name: object) -> bool:
        return name in self._hosts

    def get(self, name: str) -> Host:
        """Return one host, or raise DeviceNotFoundError with the nearest name."""
        host = self._hosts.get(name)
        if host is None:
            hint = _nearest(name, self._hosts)
            raise DeviceNotFoundError(f"no host {name[:80]!r} in {self.path}{hint}", hostname=name)
        return host

    def group(self, group: str) -> tuple[Host, ...]:
        """Return the hosts of one group."""
        return tuple(host for host in self.hosts if group in host.groups)

    def tag(self, tag: str) -> tuple[Host, ...]:
        """Return the hosts that carry a tag."""
        return tuple(host for host in self.hosts if tag in host.tags)

    def chosen(self, wanted: str) -> tuple[Host, ...]:
        """Return the host of that name, or all of ``group:NAME`` or ``tag:NAME``; an error where there is none."""
        several = wanted not in self and wanted.startswith(("group:", "tag:"))
        return self.having(wanted) if several else (self.get(wanted),)

    def having(self, wanted: str) -> tuple[Host, ...]:
        """Return the hosts of ``group:NAME`` or ``tag:NAME``; ResourceNotFoundError where there is none."""
        kind, _, word = wanted.partition(":")
        found = self.group(word) if kind == "group" else self.tag(word)
        if not found:
            words = {w for host in self.hosts for w in (host.groups if kind == "group" else host.tags)}
            raise ResourceNotFoundError(f"no host has the {kind} {word[:80]!r} in {self.path}{_nearest(word, words)}")
        return found

    def add(self, host: Host) -> None:
        """Add a valid host; ResourceConflictError where the name is taken."""
        validate_host(host)
        if host.name in self._hosts:
            raise ResourceConflictError(f"{host.name} is in {self.path} already", hostname=host.name)
        self._hosts[host.name] = host

    def update(self, host: Host) -> bool:
        """Put a valid host in place of the one of its name; return whether anything differs."""
        validate_host(host)
        before = self.get(host.name)
        self._hosts[host.name] = host
        return before != host

    def remove(self, name: str) -> Host:
        """Take a host out, or raise DeviceNotFoundError."""
        host = self.get(name)
        del self._hosts[name]
        return host

    def save(self) -> bool:
        """Write the changes (mode 0600, atomic, comments kept) and return whether there were any."""
        if self._hosts == self._kept:
            return False
        if (read_text(self.path) or "") != self._text:
            raise ResourceConflictError(f"{self.path} was changed by somebody else in between: do it again")
        text = self._rewritten()
        parse_hosts(str(self.path), text)  # never put a file there that cannot be read back
        write_text(self.path, text)
        self._text, self._kept = text, dict(self._hosts)
        return True

    def _rewritten(self) -> str:
        import tomlkit  # late: polling reads the inventory and never writes it
        from tomlkit.items import AoT, Table

        document = tomlkit.parse(self._text or _INTRO)
        tables = document.get("hosts")
        if tables is not None and not isinstance(tables, AoT):
            raise ConfigurationError(f"{self.path}: hosts is an inline list; write it as [[hosts]] tables to change it")
        if tables is None:
            tables = tomlkit.aot()
            document["hosts"] = tables
        for index in reversed(range(len(tables))):  # from the end, so that an index stays right
            table = tables[index]
            name = str(table.get("name"))
            host = self._hosts.get(name)
            if host is None:
                del tables[index]
            elif host != self._kept[name] and isinstance(table, Table):
                _rewrite(table, self._kept[name], host)
        for name, host in self._hosts.items():
            if name not in self._kept:
                table = tomlkit.table()
                for key, value in as_table(host).items():
                    table[key] = value
                tables.append(table)
        return tomlkit.dumps(document)


def _rewrite(table: Table, before: Host, after: Host) -> None:
    """Change the fields that differ; what stands below the last field (comments on the next host) stays below."""
    old, new = as_table(before), as_table(after)
    below = []
    body = table.value.body
    while body and body[-1][0] is None:
        below.append(body.pop())
    for key in old.keys() - new.keys():
        if key in table:  # maintenance may follow from maintenance_until alone
            del table[key]
    for key, value in new.items():
        if key not in old or old[key] != value:
            table[key] = value
    body.extend(reversed(below))


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def parse_hosts(name: str, text: str) -> tuple[Host, ...]:
    """Return the hosts of a text in the form of hosts.toml; ConfigurationError names file and line."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ConfigurationError(f"{name}: {error}", operation="read inventory") from None
    for key in document:
        if key != "hosts":
            hint = " (a host is a [[hosts]] table)" if isinstance(document[key], dict) else ""
            raise ConfigurationError(f"{name}: {key[:60]!r} is not known here{hint}", operation="read inventory")
    tables = document.get("hosts", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{name}: hosts must be [[hosts]] tables", operation="read inventory")
    hosts: dict[str, Host] = {}
    for index, table in enumerate(tables):
        try:
            host = host_from(table)
        except ValidationError as error:
            place = _place(text, index, str(error.details.get("field", "")))
            raise ConfigurationError(f"{name}{place}: {error.message}", operation="read inventory") from None
        if host.name in hosts:
            raise ConfigurationError(
                f"{name}{_place(text, index, 'name')}: {host.name} is there twice: rename or remove one of them"
            )
        hosts[host.name] = host
    return tuple(hosts.values())


def _place(text: str, index: int, field: str) -> str:
    """Return ", line N" of a field of the index-th [[hosts]] table, or its ordinal where it is written inline."""
    headers = list(_HEADER.finditer(text))
    if index >= len(headers):
        return f", host {index + 1}"
    start = headers[index].end()
    after = _ANY_HEADER.search(text, start)
    block = text[start : after.start() if after else len(text)]
    found = re.search(rf"^[ \t]*[\"']?{re.escape(field)}[\"']?[ \t]*=", block, re.MULTILINE) if field else None
    return f", line {text.count(chr(10), 0, start + found.start() if found else headers[index].end()) + 1}"
