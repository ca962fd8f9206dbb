"""Reading host names out of an OpenSSH client configuration; what ssh_config says of them stays there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.exceptions import ConfigurationError
from core.inventory.disk import read_text
from core.inventory.reading import FORGES, MAX_IMPORT_BYTES, Reading
from core.models import Host

_MAX_DEPTH = 16  # as OpenSSH has it
_PAIR = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*\S)\s*")


@dataclass(slots=True)
class _State:
    base: Path  # relative includes start here
    reading: Reading
    names: dict[str, str] = field(default_factory=dict)  # name -> where
    users: dict[str, str] = field(default_factory=dict)

    def skip(self, name: str, where: str, why: str) -> None:
        self.reading.skip(name, where, why)


def read_ssh_config(text: str, path: Path) -> Reading:
    """Return the concrete hosts of an ssh_config text and of what it includes; ``path`` is where the text stands.

    Blocking (reads included files): call it off the loop.
    """
    state = _State(path.parent, Reading("ssh_config", files=[path]))
    _text(text, path, state, depth=0)
    for name, where in state.names.items():
        if state.users.get(name) == "git" or name in FORGES:
            state.skip(name, where, "is a code forge, which gives no shell")
        else:
            state.reading.take(Host(name=name), where)
    return state.reading


def _text(text: str, path: Path, state: _State, *, depth: int) -> None:
    current: list[str] = []
    block = ""  # "", "host" or "match": what an Include would stand in
    for number, keyword, words in _lines(text):
        where = f"{path}:{number}"
        if keyword == "host":
            current, block = _host_line(words, where, state), "" if words == ["*"] else "host"
        elif keyword == "match":
            current, block = [], "" if [word.lower() for word in words] == ["all"] else "match"
            if block:
                state.skip("Match " + " ".join(words)[:60], where, "Match blocks name no hosts")
        elif keyword == "user" and words:
            for name in current:
                state.users.setdefault(name, words[0])
        elif keyword == "include":
            _include(words, state, where=where, depth=depth, block=block)


def _host_line(words: list[str], where: str, state: _State) -> list[str]:
    """Take the concrete names of a Host line and return them; patterns are reported."""
    names = []
    for word in words:
        if word.startswith("!"):
            state.skip(word, where, "excludes hosts, names none")
        elif "*" in word or "?" in word:
            if word != "*":  # the usual block of defaults is worth no line
                state.skip(word, where, "is a pattern: add its hosts by name")
        else:
            names.append(word)
            state.names.setdefault(word, where)
    return names


def _include(words: list[str], state: _State, *, where: str, depth: int, block: str) -> None:
    for word in words:
        if block:
            state.skip(f"Include {word}", where, "stands inside a Host or Match block")
            continue
        if depth >= _MAX_DEPTH:
            state.skip(f"Include {word}", where, "is nested too deep")
            continue
        for match in _matches(word, state, where):
            if match in state.reading.files:
                state.skip(f"Include {match}", where, "was read already")
            elif match.is_file():
                _included(match, state, where=where, depth=depth + 1)


def _matches(word: str, state: _State, where: str) -> list[Path]:
    try:
        target = Path(word).expanduser()
        target = target if target.is_absolute() else state.base / target
        target = target.absolute()
        return sorted(Path(target.anchor).glob(str(target.relative_to(target.anchor))))
    except (OSError, ValueError, RuntimeError, NotImplementedError, IndexError):  # no such home, no pattern, a NUL
        state.skip(f"Include {word}", where, "is no pattern of files")
        return []


def _included(path: Path, state: _State, *, where: str, depth: int) -> None:
    try:
        text = read_text(path, most=MAX_IMPORT_BYTES, what="ssh_config") or ""
    except ConfigurationError as error:
        state.skip(f"Include {path}", where, error.message)
        return
    state.reading.files.append(path)
    _text(text, path, state, depth=depth)


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
