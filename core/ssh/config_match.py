"""ssh_config(5) evaluated for one host: Host and Match, Include, the first value wins. Blocking: for threads."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from core.ssh.config_lines import ConfigFiles, ConfigLine, included, match_words
from core.ssh.config_text import expand, like, like_list, on_network
from core.ssh.config_words import ADDED, ALIASES, CHOICES, COMMANDS, IGNORED, KNOWN, LISTS, NUMBERS, TEXTS, YES_NO

_MAX_DEPTH = 16  # as OpenSSH has it
_EXEC_S = 10.0
Value = str | int | bool | list[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks and where from: what Match and the tokens speak of."""

    local_user: str
    home: Path
    local_host: str
    uid: int

    @classmethod
    def here(cls) -> Identity:
        """The user of this process."""
        import getpass

        return cls(getpass.getuser(), Path("~").expanduser(), socket.gethostname(), os.getuid())


@dataclass(slots=True)
class Evaluation:
    """The values found so far; a second pass (canonical name, Match final) goes over the files again."""

    original: str  # the name as it was given
    me: Identity
    files: ConfigFiles
    host: str = ""  # what Host patterns are held against: the name given, in the last pass the canonical one
    final: bool = False
    wants_final: bool = False
    values: dict[str, Value] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # where each value stands, for an error
    ignored: str = ""
    tokens: Callable[[Evaluation], dict[str, str]] | None = None

    def read(self, path: Path, *, own: bool, base: Path) -> None:
        """Go over one file and what it includes; raises ConfigSyntaxError or OSError."""
        self._file(path, own=own, base=base, depth=0, active=True, never=False)

    def text(self, keyword: str) -> str:
        """A value that is one text; empty where there is none."""
        value = self.values.get(keyword)
        return value if isinstance(value, str) else ""

    def texts(self, keyword: str) -> list[str]:
        """A value that is several."""
        value = self.values.get(keyword)
        return list(value) if isinstance(value, list) else []

    def number(self, keyword: str, default: int) -> int:
        """A value that is a number."""
        value = self.values.get(keyword)
        return value if isinstance(value, int) else default

    def yes(self, keyword: str, *, default: bool = False) -> bool:
        """A value that is yes or no."""
        value = self.values.get(keyword)
        return value if isinstance(value, bool) else default

    def _file(self, path: Path, *, own: bool, base: Path, depth: int, active: bool, never: bool) -> None:
        file = self.files.read(path, own=own)
        if file is None:
            return
        for block in file.blocks:
            head, rest = block[0], block[1:]
            if head.keyword == "host":
                active = not never and self._host(head)
            elif head.keyword == "match":
                matches = self._match(head, never=never)
                active = not never and matches
            elif head.keyword == "include":
                if depth >= _MAX_DEPTH:
                    raise head.refuse("nested too deep")
                for found in (found for word in head.words for found in included(word, base)):
                    # What is set inside counts only where this block does.
                    self._file(found, own=True, base=base, depth=depth + 1, active=active, never=never or not active)
            else:
                rest = block
            if active or not file.checked:
                for line in rest:
                    self._option(ALIASES.get(line.keyword, line.keyword), line, active=active)
        file.checked = True

    def _option(self, keyword: str, line: ConfigLine, *, active: bool) -> None:
        if keyword not in KNOWN:
            if not any(like(keyword, p) for p in self.ignored.lower().split(",")):
                raise line.refuse("no such option (IgnoreUnknown would pass it over)")
        elif keyword == "ignoreunknown":
            self.ignored = self.ignored or (line.word if active else "")
        elif keyword not in IGNORED:
            value = _value(keyword, line)  # a broken line is refused wherever it stands
            if active:
                self._take(keyword, value, line)

    def _take(self, keyword: str, value: Value, line: ConfigLine) -> None:
        if keyword in ADDED and isinstance(value, str):
            values = self.values.setdefault(keyword, [])
            if isinstance(values, list) and value not in values:
                values.append(value)
            return
        if keyword in COMMANDS and "proxyjump" in self.values:
            if keyword in ("proxycommand", "proxyjump"):
                return
        elif keyword == "proxyjump" and "proxycommand" in self.values:  # whichever comes first shuts the other out
            return
        if keyword not in self.values:
            self.values[keyword] = value
            self.places[keyword] = f"{line.path} line {line.number}"

    def _host(self, line: ConfigLine) -> bool:
        if not line.words:
            raise line.refuse("a pattern is missing")
        active = False
        for word in line.words:
            if word.startswith("!"):
                if like(self.host, word[1:]):
                    return False
            elif like(self.host, word):
                active = True
        return active

    # Match

    def _match(self, line: ConfigLine, *, never: bool) -> bool:
        words = match_words(line.rest)
        result, count, all_seen = not never, 0, False
        try:
            for word in words:
                negate, name = word.startswith("!"), word.lstrip("!").lower()
                count += 1
                if all_seen:
                    raise line.refuse("'all' stands alone, or behind canonical or final")
                if name == "all":
                    all_seen, hit = True, True
                elif name in ("canonical", "final"):
                    self.wants_final |= name == "final"
                    hit = self.final
                else:
                    hit = self._criterion(name, next(words, ""), line, wanted=result)
                if hit == negate:
                    result = False
        except ValueError as exc:
            raise exc if line.path.name in str(exc) else line.refuse(str(exc)) from None
        if not count:
            raise line.refuse("a condition is missing")
        return result

    def _criterion(self, name: str, argument: str, line: ConfigLine, *, wanted: bool) -> bool:
        if not argument and name != "tagged":
            raise line.refuse(f"{name} wants a value")
        if name == "host":
            return like_list(self.hostname().lower(), argument.lower())
        if name == "originalhost":
            return like_list(self.original.lower(), argument.lower())
        if name == "user":
            return like_list(self.text("user") or self.me.local_user, argument)
        if name == "localuser":
            return like_list(self.me.local_user, argument)
        if name == "tagged":
            return like_list(self.text("tag"), argument)
        if name == "localnetwork":
            return wanted and on_network(argument)
        if name == "sessiontype":
            return like_list("exec", argument)
        if name == "command":
            return False  # the loop is no command that a configuration could know
        if name == "exec":
            return wanted and self._exec(argument)
        raise line.refuse(f"{name} is no condition that this program knows")

    def hostname(self) -> str:
        """The name to connect to as far as it is known now."""
        given = self.text("hostname")
        if not given or self.final:
            return given or self.host
        return expand(given, {"h": self.host})

    def _exec(self, command: str) -> bool:
        tokens = self.tokens(self) if self.tokens is not None else {}
        argv = [os.environ.get("SHELL") or "/bin/sh", "-c", expand(command, tokens)]
        silent = subprocess.DEVNULL
        try:
            return subprocess.run(argv, stdin=silent, stdout=silent, stderr=silent, timeout=_EXEC_S).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


@lru_cache(8192)
def _value(keyword: str, line: ConfigLine) -> Value:
    if keyword in COMMANDS:
        return line.rest
    if keyword in LISTS:
        return list(line.words)
    word = line.word
    if keyword in TEXTS or keyword in ADDED:
        return word
    low = {"true": "yes", "false": "no"}.get(word.lower(), word.lower())
    if keyword in YES_NO or keyword in CHOICES:
        choices = CHOICES.get(keyword, ("yes", "no"))
        if low not in choices:
            raise line.refuse(f"{word!r} must be one of {', '.join(choices)}")
        return low == "yes" if keyword in YES_NO else low
    if keyword in NUMBERS and word.isdigit():
        return int(word)
    if keyword == "port":
        return _port(word, line)
    raise line.refuse(f"{word!r} must be a number")


def _port(word: str, line: ConfigLine) -> int:
    try:
        port = int(word) if word.isdigit() else socket.getservbyname(word, "tcp")
    except OSError:
        port = 0
    if not 1 <= port <= 65535:
        raise line.refuse(f"{word!r} must be a port from 1 to 65535")
    return port
