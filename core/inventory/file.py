"""hosts.toml: one [[hosts]] table a host; errors name the line; writes are atomic and keep comments."""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.exceptions import (
    ConfigurationError,
    DeviceNotFoundError,
    ResourceConflictError,
    ValidationError,
)
from core.models import Host

_NAME = re.compile(r"[A-Za-z0-9._:][A-Za-z0-9._:-]{0,252}")
_ADDRESS = re.compile(r"[A-Za-z0-9._:%][A-Za-z0-9._:%-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._@\\+$-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._:/-]{0,62}")
_UNIT = re.compile(r"[A-Za-z0-9@:_.\\][A-Za-z0-9@:_.\\-]{0,255}")
_HEADER = re.compile(r"^\s*\[\[\s*hosts\s*\]\]", re.MULTILINE)
_ANY_HEADER = re.compile(r"^\s*\[", re.MULTILINE)
_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,), "address": (str,), "port": (int,), "user": (str,), "groups": (list,), "tags": (list,),
    "interval_s": (int, float), "identity_files": (list,), "known_hosts": (str,), "maintenance": (bool,),
    "collectors": (list,), "sudo": (list,), "services": (list,),
}  # fmt: skip
_WORDS = {str: "a text", int: "a whole number", float: "a number", list: "a list of texts", bool: "true or false"}
_MAX_BYTES = 16 << 20
_LOCK_WAIT_S = 5.0
_INTRO = "# Jumpwatch: the hosts that are watched. One [[hosts]] table each; only name is needed.\n"


def validate_host(host: Host) -> None:
    """Raise ValidationError where a field of the host breaks its form; the message names field, value and rule."""
    rules = (
        ("name", host.name, _NAME, "letters, digits and . _ : - (not first)"),
        ("address", host.address or "x", _ADDRESS, "a name or an IP address"),
        ("user", host.user if host.user is not None else "x", _USER, "a login name"),
        *(
            (key, word, _WORD, "letters, digits and . _ : / -")
            for key in ("groups", "tags", "collectors", "sudo")
            for word in getattr(host, key) or ()
        ),
        *(("services", unit, _UNIT, "a unit's name, such as nginx.service") for unit in host.services),
    )
    for key, value, pattern, rule in rules:
        if not pattern.fullmatch(value):
            raise ValidationError(f"{key} {value[:60]!r} must be {rule}", details={"field": key})
    if host.port is not None and not 1 <= host.port <= 65535:
        raise ValidationError(f"port {host.port} must be from 1 to 65535", details={"field": "port"})
    if host.interval_s is not None and not 1 <= host.interval_s <= 3600:
        raise ValidationError(f"interval_s {host.interval_s:g} must be from 1 to 3600", details={"field": "interval_s"})


def host_from(table: Mapping[str, Any]) -> Host:
    """Build a valid Host of a [[hosts]] table, or raise ValidationError."""
    for key, value in table.items():
        kinds = _TYPES.get(key)
        if kinds is None:
            close = difflib.get_close_matches(key, _TYPES, n=1)
            hint = f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(_TYPES)})"
            raise ValidationError(f"{key!r} is not a setting of a host{hint}", details={"field": key})
        good = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not good or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise ValidationError(f"{key} must be {_WORDS[kinds[-1]]}", details={"field": key})
    if "name" not in table:
        raise ValidationError("a host needs a name", details={"field": "name"})
    values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in table.items()}
    host = Host(**values)
    validate_host(host)
    return host


class Inventory:
    """The hosts of one file, in its order. Changes stay in memory until ``save``."""

    def __init__(self, path: Path, text: str = "", hosts: tuple[Host, ...] = ()) -> None:
        self.path = path
        self._text = text  # as read, so that save can tell whether somebody else wrote in between
        self._hosts = {host.name: host for host in hosts}
        self._added: list[Host] = []
        self._removed: list[str] = []

    @classmethod
    def load(cls, path: Path) -> Inventory:
        """Read the file (a missing one is an empty inventory); ConfigurationError names the line that is wrong."""
        text = _read(path)
        return cls(path, text, _parse(path, text))

    @classmethod
    @contextmanager
    def edit(cls, path: Path) -> Iterator[Inventory]:
        """Load under a lock, and save at the end of the block: two commands at once lose nothing."""
        _make_folder(path)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(lock, path)
            inventory = cls.load(path)
            yield inventory
            inventory.save()
        finally:
            os.close(lock)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts in the order of the file."""
        return tuple(self._hosts.values())

    def __len__(self) -> int:
        return len(self._hosts)

    def __contains__(self, name: object) -> bool:
        return name in self._hosts

    def get(self, name: str) -> Host:
        """Return one host, or raise DeviceNotFoundError with the nearest name."""
        host = self._hosts.get(name)
        if host is None:
            close = difflib.get_close_matches(name, self._hosts, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise DeviceNotFoundError(f"no host {name[:80]!r} in {self.path}{hint}", hostname=name)
        return host

    def group(self, group: str) -> tuple[Host, ...]:
        """Return the hosts of one group."""
        return tuple(host for host in self.hosts if group in host.groups)

    def add(self, host: Host) -> None:
        """Add a valid host; ResourceConflictError where the name is taken."""
        validate_host(host)
        if host.name in self._hosts:
            raise ResourceConflictError(f"{host.name} is in {self.path} already", hostname=host.name)
        self._hosts[host.name] = host
        self._added.append(host)

    def remove(self, name: str) -> Host:
        """Take a host out, or raise DeviceNotFoundError."""
        host = self.get(name)
        del self._hosts[name]
        if host in self._added:
            self._added.remove(host)
        else:
            self._removed.append(name)
        return host

    def save(self) -> bool:
        """Write the changes (mode 0600, atomic, comments kept) and return whether there were any."""
        if not self._added and not self._removed:
            return False
        if _read(self.path) != self._text:
            raise ResourceConflictError(f"{self.path} was changed by somebody else in between: do it again")
        text = self._rewritten()
        _parse(self.path, text)  # never put a file there that cannot be read back
        _write(self.path, text)
        self._text, self._added, self._removed = text, [], []
        return True

    def _rewritten(self) -> str:
        import tomlkit  # late: polling reads the inventory and never writes it
        from tomlkit.items import AoT

        document = tomlkit.parse(self._text or _INTRO)
        tables = document.get("hosts")
        if tables is not None and not isinstance(tables, AoT):
            raise ConfigurationError(f"{self.path}: hosts is an inline list; write it as [[hosts]] tables to change it")
        if tables is None:
            tables = tomlkit.aot()
            document["hosts"] = tables
        for name in self._removed:
            index = next(at for at, table in enumerate(tables) if table.get("name") == name)
            del tables[index]
        for host in self._added:
            table = tomlkit.table()
            for key, value in _as_table(host).items():
                table[key] = value
            tables.append(table)
        return tomlkit.dumps(document)


def _as_table(host: Host) -> dict[str, Any]:
    pairs = ((key, getattr(host, key)) for key in _TYPES)
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in pairs
        if value or (key, value) in (("name", ""), ("collectors", ()))
    }


def _parse(path: Path, text: str) -> tuple[Host, ...]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}", operation="read inventory") from None
    for key in document:
        if key != "hosts":
            hint = " (a host is a [[hosts]] table)" if isinstance(document[key], dict) else ""
            raise ConfigurationError(f"{path}: {key!r} is not known here{hint}", operation="read inventory")
    tables = document.get("hosts", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{path}: hosts must be [[hosts]] tables", operation="read inventory")
    hosts: dict[str, Host] = {}
    for index, table in enumerate(tables):
        try:
            host = host_from(table)
        except ValidationError as error:
            place = _place(text, index, str(error.details.get("field", "")))
            raise ConfigurationError(f"{path}{place}: {error.message}", operation="read inventory") from None
        if host.name in hosts:
            raise ConfigurationError(f"{path}{_place(text, index, 'name')}: {host.name} is there twice")
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


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ConfigurationError(f"{path} is over {_MAX_BYTES >> 20} MiB, which is no inventory")
        return raw.decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"{path.parent} cannot be made: {error.strerror}") from None


def _wait_for(lock: int, path: Path) -> None:
    """Take the lock; another command holds it for a read and a write, no longer."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ResourceConflictError(f"{path} is being changed by another command: try again") from None
            time.sleep(0.02)


def _write(path: Path, text: str) -> None:
    """Write beside the file, flush to disk, and rename over it; a symbolic link is followed, not replaced."""
    path = path.resolve()
    _make_folder(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
