"""ssh_config(5) as text: lines taken apart as ssh(1) does it, read anew when a file changes. Blocking: for threads."""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_BLANK = " \t\r\f\v"
_MAX_BYTES = 4 << 20


class ConfigSyntaxError(ValueError):
    """A line that ssh would refuse too; the message names file and line."""


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One line: the keyword in lower case, its words without quotes, and all behind the keyword as it stands."""

    path: Path
    number: int
    keyword: str
    words: tuple[str, ...]
    rest: str

    def refuse(self, why: str) -> ConfigSyntaxError:
        """The error that names this line."""
        return ConfigSyntaxError(f"{self.path} line {self.number}: {self.keyword}: {why}")

    @property
    def word(self) -> str:
        """The only word."""
        if not self.words or not self.words[0]:
            raise self.refuse("a value is missing")
        if len(self.words) > 1:
            raise self.refuse(f"{self.words[1]!r} is one word too many")
        return self.words[0]


def split_keyword(text: str) -> tuple[str, str]:
    """Part keyword and rest at blanks and at most one equals sign."""
    text = text.strip(_BLANK)
    end = next((n for n, sign in enumerate(text) if sign in _BLANK + "="), len(text))
    rest = text[end:].lstrip(_BLANK)
    if rest.startswith("="):
        rest = rest[1:].lstrip(_BLANK)
    return text[:end], rest


def split_words(text: str) -> Iterator[str]:
    """Yield the words of a line up to a comment; quotes and backslashes as ssh has them. Raises ValueError."""
    place = 0
    while place < len(text):
        if text[place] in _BLANK:
            place += 1
            continue
        if text[place] == "#":
            return
        word, place = _word(text, place)
        yield word


def _word(text: str, place: int) -> tuple[str, int]:
    signs: list[str] = []
    quote = ""
    while place < len(text):
        sign, after = text[place], text[place + 1 : place + 2]
        if sign == "\\" and after and (after in "'\"\\" or (after == " " and not quote)):
            signs.append(after)
            place += 1
        elif not quote and sign in " \t":
            break
        elif not quote and sign in "'\"":
            quote = sign
        elif sign == quote:
            quote = ""
        else:
            signs.append(sign)
        place += 1
    if quote:
        raise ValueError("a quote is not closed")
    return "".join(signs), place


def match_words(text: str) -> Iterator[str]:
    """Yield the words of a Match line, where blanks or one equals sign part them and only double quotes hold."""
    while text := text.lstrip(_BLANK):
        if text[0] == "#":
            return
        if text[0] == '"':
            end = text.find('"', 1)
            if end < 0:
                raise ValueError("a quote is not closed")
            yield text[1:end]
            text = text[end + 1 :]
        else:
            word, text = split_keyword(text)
            yield word


@dataclass(slots=True)
class ConfigFile:
    """The lines of one file in blocks: each begins with what decides whether its other lines count."""

    blocks: tuple[tuple[ConfigLine, ...], ...]
    checked: bool = False  # every line was looked at once: those of blocks that do not count need not be again


class ConfigFiles:
    """Parsed files, each read once as long as it does not change."""

    def __init__(self) -> None:
        self._cache: dict[Path, tuple[tuple[int, int, int], ConfigFile]] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, *, own: bool = True) -> ConfigFile | None:
        """Return the lines of a file, None where it is not there; raises OSError or ConfigSyntaxError.

        ``own``: like ssh, refuse a file that others could have written.
        """
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        if own and (stat.st_uid not in (0, os.getuid()) or stat.st_mode & 0o022):
            raise ConfigSyntaxError(f"{path}: others own it or may write it; ssh refuses it too (chmod 600 {path})")
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        with self._lock:
            cached = self._cache.get(path)
            if cached is None or cached[0] != stamp:
                if stat.st_size > _MAX_BYTES:
                    raise ConfigSyntaxError(f"{path}: larger than {_MAX_BYTES >> 20} MiB: no ssh_config")
                cached = (stamp, ConfigFile(tuple(_blocks(_parse(path)))))
                self._cache[path] = cached
            return cached[1]


def _parse(path: Path) -> Iterator[ConfigLine]:
    for number, text in enumerate(path.read_text("utf-8", "surrogateescape").split("\n"), 1):
        keyword, rest = split_keyword(text)
        if not keyword or keyword.startswith("#"):
            continue
        try:
            line = ConfigLine(path, number, keyword.lower(), tuple(split_words(rest)), rest)
        except ValueError as exc:
            raise ConfigSyntaxError(f"{path} line {number}: {keyword}: {exc}") from None
        if not rest:
            raise line.refuse("a value is missing")
        yield line


def _blocks(lines: Iterable[ConfigLine]) -> Iterator[tuple[ConfigLine, ...]]:
    block: list[ConfigLine] = []
    for line in lines:
        if line.keyword in ("host", "match", "include") and block:
            yield tuple(block)
            block = []
        block.append(line)
    if block:
        yield tuple(block)


def included(word: str, base: Path) -> list[Path]:
    """Return the files of one Include word in their order; a relative one starts at ``base``."""
    name = os.path.expanduser(word)
    return [Path(found) for found in sorted(glob.glob(name if os.path.isabs(name) else str(base / name)))]
