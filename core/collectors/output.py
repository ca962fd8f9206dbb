"""What the slow collectors share: scripts for any login shell, marked sections, and refusals told apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from core.collectors.text import clean, unreadable
from core.exceptions import DataCollectionError
from core.models import Finding, SectionStatus
from core.ports import CommandResult

_START = "LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export LC_ALL PATH; "
_FOREIGN = re.compile(r"[\n!]|\\[\\']")  # tcsh takes neither of the first two in a word, fish reads the others its way
_WHOLE = re.compile(r"\d{1,19}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
# sudo(8) in the C locale. What it says beside running the command ("unable to resolve host") is no refusal.
_SUDO = re.compile(
    r"^sudo: .*(?:password|authentication|terminal|tty|afraid|must be|sorry|sudoers|not found|no new privileges).*$"
    r"|^Sorry, user .* (?:may not run sudo|is not allowed to execute) .*$|^.{1,64} is not in the sudoers file.*$"
    r"|^(?:\S+: )?(?:\d+: |line \d+: )?sudo: (?:command )?not found$",
    re.MULTILINE,
)
_DENIED = re.compile(r"[Pp]ermission denied|[Oo]peration not permitted|must be (?:run as )?root|EACCES")
_STDERR = 8000  # characters of complaints that are looked at
MAX_INT = 1 << 63
LINE_MAX = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between one ``@jw NAME words`` line and the next."""

    name: str
    words: tuple[str, ...]
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty; raise DataCollectionError for an endless one."""
        return lines_of(self.name, self.text)


def lines_of(kind: str, text: str) -> list[str]:
    """Return the lines that are not empty; raise DataCollectionError for one too long to be what a tool prints."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(len(line) > LINE_MAX for line in lines):
        raise broken(kind, max(lines, key=len))
    return lines


def script(text: str) -> tuple[str, ...]:
    """Return the argv of a constant script; ``$1`` in it is ``sudo -n`` where root is allowed, else empty."""
    if _FOREIGN.search(text):
        raise AssertionError(f"not for every login shell: {text!r}")
    return "sh", "-c", _START + text


def sections(kind: str, result: CommandResult) -> list[Section]:
    """Cut marked output into its sections; raise DataCollectionError where it was cut or has no end mark."""
    if result.truncated:
        raise unusable(kind, "the output was longer than its limit")
    found: list[Section] = []
    name, words, lines = "", (), []  # type: str, tuple[str, ...], list[str]
    for line in result.stdout.split("\n"):
        if not line.startswith("@jw "):
            lines.append(line.removesuffix("\r"))
            continue
        found.append(Section(name, words, "\n".join(lines)))
        name, *rest = line[4:].split(" ")
        words, lines = tuple(rest), []
    if name != "end" or any(line.strip() for line in lines):
        raise broken(kind, result.stdout or result.stderr)
    return found[1:]  # what came before the first mark is the login shell's noise


def refused(kind: str, result: CommandResult, tool: str) -> Finding | None:
    """Return what a command that never ran says: no shell, no such tool, no leave; None where it ran."""
    text = result.stderr[:_STDERR] or ("" if "@jw " in result.stdout else result.stdout)
    complaint = _SUDO.search(text)
    if complaint is not None:
        return forbidden(kind, f"{clean(complaint[0])}: allow sudo -n {tool} for this login (NOPASSWD in sudoers)")
    if "@jw " in result.stdout or result.stdout.strip():
        return None
    if result.exit_code == 126:
        return forbidden(kind, f"{tool} may not be run by this login")
    if result.exit_code == 127:
        return absent(kind, f"{tool} is not there")
    return None


def denied(text: str) -> bool:
    """Whether a tool's complaint is about leave."""
    return _DENIED.search(text) is not None


def absent(kind: str, detail: str) -> Finding:
    """The host has no such thing; ``detail`` says how to get it."""
    return Finding(kind, SectionStatus.ABSENT, None, detail)


def forbidden(kind: str, detail: str) -> Finding:
    """It is there and this login may not read it; ``detail`` says how to allow it."""
    return Finding(kind, SectionStatus.FORBIDDEN, None, detail, "warning")


def broken(kind: str, text: str) -> DataCollectionError:
    """The error for output that is not in its format."""
    return unreadable(kind, text.lstrip()[:400].encode("utf-8", "replace"))


def unusable(kind: str, why: str) -> DataCollectionError:
    """The error for a tool that ran and failed; ``why`` is shown whole."""
    return DataCollectionError(
        f"{kind} cannot be read: {clean(why)[:300]}", operation="collect", details={"kind": "data"}
    )


def first_line(text: str) -> str:
    """The first line that says something, safe to show and not too long."""
    return next((clean(line.strip())[:200] for line in text.split("\n") if line.strip()), "")


def whole(kind: str, text: str, most: int = MAX_INT) -> int:
    """Read a whole number that is not negative; raise DataCollectionError for anything else."""
    if _WHOLE.fullmatch(text) is None or int(text) > most:
        raise broken(kind, text)
    return int(text)


def maybe_whole(kind: str, text: str, unknown: tuple[str, ...] = ("-", "")) -> int | None:
    """As ``whole``, where one of ``unknown`` stands for a figure that is not told."""
    return None if text in unknown else whole(kind, text)


def decimal(text: str) -> float | None:
    """Read a number such as 12 or 3.5; None for anything else."""
    return float(text) if _DECIMAL.fullmatch(text) else None


def load_json(kind: str, text: str) -> Any:
    """Read JSON; raise DataCollectionError where it is none (NaN and endless nesting are none)."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise broken(kind, text) from None


def _no_number(word: str) -> Any:
    raise ValueError(word)


def within(value: Any, *path: str) -> Any:
    """Return what stands at a path of keys; None where it is not there."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def count(value: Any, *path: str, most: int = MAX_INT) -> int | None:
    """Return a whole number at a path, 0 to ``most``; None for anything else."""
    found = within(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= most else None


def words(value: Any, *path: str) -> str:
    """Return a text at a path, safe to show; empty where there is none."""
    found = within(value, *path)
    return clean(found.strip()) if isinstance(found, str) else ""
