"""Host patterns of Ansible inventories: ``web[01:50:2].example.com``, ``db-[a:f]``, ``host:22``, ``[2001:db8::1]``."""

from __future__ import annotations

import itertools
import re
import string

from core.exceptions import ValidationError
from core.inventory.reading import MAX_HOSTS

_BRACKETED = re.compile(r"\[(?P<host>[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*)\](?::(?P<port>[0-9]{1,5}))?")
_WITH_PORT = re.compile(r"(?P<host>(?:[^:\[\]]|\[[^\]]*\])+):(?P<port>[0-9]{1,5})")
_RANGE = re.compile(r"\[(?P<begin>[A-Za-z0-9]*):(?P<end>[A-Za-z0-9]+)(?::(?P<step>[0-9]{1,6}))?\]")
_LETTERS = string.ascii_letters
_MAX_DIGITS = 9


def is_bracketed(word: str) -> bool:
    """Say whether a word is an IPv6 address in brackets, with or without a port."""
    match = _BRACKETED.fullmatch(word)  # three words with colons between are a range
    return match is not None and (match["host"].count(":") > 2 or "::" in match["host"])


def expand(pattern: str) -> tuple[list[str], int | None]:
    """Return the names that a pattern stands for, and the port it ends in; raises ValidationError.

    A range counts from begin to end, both included, with as many digits as begin has.
    """
    if is_bracketed(pattern) and (match := _BRACKETED.fullmatch(pattern)):
        return [match["host"]], int(match["port"]) if match["port"] else None
    port = None
    if match := _WITH_PORT.fullmatch(pattern):
        pattern, port = match["host"], int(match["port"])
    parts: list[list[str]] = []
    total, at = 1, 0
    for found in _RANGE.finditer(pattern):
        values = _values(found, pattern)
        parts += [[pattern[at : found.start()]], values]
        at, total = found.end(), total * len(values)
        if total > MAX_HOSTS:
            raise ValidationError(f"{pattern[:80]!r} stands for over {MAX_HOSTS} hosts")
    rest = pattern[at:]
    if "[" in rest or "]" in rest:
        raise ValidationError(f"{pattern[:80]!r} has a bracket that is no range such as [01:50] or [a:f]")
    parts.append([rest])
    return ["".join(words) for words in itertools.product(*parts)], port


def _values(found: re.Match[str], pattern: str) -> list[str]:
    begin, end, step = found["begin"] or "0", found["end"], int(found["step"] or 1)
    if step < 1:
        raise _bad(found, pattern, "a step of 0")
    if begin.isdigit() and end.isdigit():
        if max(len(begin), len(end)) > _MAX_DIGITS:
            raise _bad(found, pattern, "too long a number")
        if len(begin) > 1 and begin[0] == "0" and len(begin) != len(end):
            raise _bad(found, pattern, "ends of different length")
        numbers = range(int(begin), int(end) + 1, step)
        if len(numbers) > MAX_HOSTS:
            raise _bad(found, pattern, f"over {MAX_HOSTS} hosts")
        values = [str(number).zfill(len(begin)) if begin[0] == "0" else str(number) for number in numbers]
    elif len(begin) == len(end) == 1 and begin in _LETTERS and end in _LETTERS:
        values = list(_LETTERS[_LETTERS.index(begin) : _LETTERS.index(end) + 1 : step])
    else:
        raise _bad(found, pattern, "ends that are neither two numbers nor two letters")
    if not values:
        raise _bad(found, pattern, "its end before its begin")
    return values


def _bad(found: re.Match[str], pattern: str, why: str) -> ValidationError:
    return ValidationError(f"{pattern[:80]!r}: the range {found[0][:40]} has {why}")
