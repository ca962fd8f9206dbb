"""Reading host names out of an OpenSSH client configuration; what ssh_config says of them stays there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.exceptions import ConfigurationError, ValidationError
from core.inventory.file import validate_host
from core.models import Host

_MAX_DEPTH = 16  # as OpenSSH has it
_PAIR = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*\S)\s*")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A name that was left out, where it stands, and why."""

    name: str
    where: str  # file:line
    why: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found: hosts to add, and what was skipped."""

    hosts: tuple[Host, ...]
    skipped: tuple[Skipped, ...]
    files: tuple[Path, ...]


@dataclass(slots=True)
class _Reading:
    base: Path  # relative includes start here
    found: dict[str, str] = field(default_factory=dict)  # name -> where
    users: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def read_ssh_config(path: Path, *, known: frozenset[str] = frozenset(), groups: tuple[str, ...] = ()) -> ImportReport:
    """Return the concrete hosts of an ssh_config file and its includes; ``known`` names are reported, not repeated.

    Blocking (reads files): call it off the loop. Raises ConfigurationError where the first file cannot be read.
    """
    path = path.expanduser()
    reading = _Reading(base=path.parent)
    _file(path, reading, depth=0, first=True)
    hosts = []
    for name, where in reading.found.items():
        host = Host(name=name, groups=groups)
        why = "is in the inventory already" if name in known else _unfit(host, reading.users.get(name))
        if why:
            reading.skipped.append(Skipped(name, where, why))
        else:
            hosts.append(host)
    return ImportReport(tuple(hosts), tuple(reading.skipped), tuple(reading.files))


def _unfit(host: Host, user: str | None) -> str:
    if user == "git":
        return "logs in as git: a code forge gives no shell"
    try:
        validate_host(host)
    except ValidationError as error:
        return error.message
    return ""


def _file(path: Path, reading: _Reading, *, depth: int, first: bool = False) -> None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if first:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}", operation="import hosts") from None
        reading.skipped.append(Skipped("Include", str(path), f"cannot be read: {error.strerror}"))
        return
    reading.files.append(path)
    current: list[str] = []
    block = ""  # "", "host" or "match": what an Include would stand in
    for number, keyword, words in _lines(text):
        where = f"{path}:{number}"
        if keyword == "host":
            current, block = _host_line(words, where, reading), "" if words == ["*"] else "host"
        elif keyword == "match":
            current, block = [], "" if [word.lower() for word in words] == ["all"] else "match"
            if block:
                reading.skipped.append(Skipped("Match " + " ".join(words)[:60], where, "Match blocks name no hosts"))
        elif keyword == "user" and words:
            for name in current:
                reading.users.setdefault(name, words[0])
        elif keyword == "include":
            _include(words, reading, where=where, depth=depth, block=block)


def _host_line(words: list[str], where: str, reading: _Reading) -> list[str]:
    """Take the concrete names of a Host line and return them; patterns are reported."""
    names = []
    for word in words:
        if word.startswith("!"):
            reading.skipped.append(Skipped(word, where, "excludes hosts, names none"))
        elif "*" in word or "?" in word:
            if word != "*":  # the usual block of defaults is worth no line
                reading.skipped.append(Skipped(word, where, "is a pattern: add its hosts by name"))
        else:
            names.append(word)
            reading.found.setdefault(word, where)
    return names


def _include(words: list[str], reading: _Reading, *, where: str, depth: int, block: str) -> None:
    for word in words:
        if block:
            reading.skipped.append(Skipped(f"Include {word}", where, "stands inside a Host or Match block"))
            continue
        if depth >= _MAX_DEPTH:
            reading.skipped.append(Skipped(f"Include {word}", where, "is nested too deep"))
            continue
        target = Path(word).expanduser()
        target = target if target.is_absolute() else reading.base / target
        matches = sorted(Path(target.anchor).glob(str(target.relative_to(target.anchor))))
        for match in matches:
            if match in reading.files:
                reading.skipped.append(Skipped(f"Include {match}", where, "was read already"))
            elif match.is_file():
                _file(match, reading, depth=depth + 1)


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        match = _PAIR.fullmatch(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(match[2], comments=True)
        except ValueError:  # an open quote: ssh itself would refuse the line
            words = match[2].replace('"', "").split()
        yield number, match[1].lower(), words
