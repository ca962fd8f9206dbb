"""Existing Nagios plugins, read by exit code and performance data (Monitoring Plugins' Development Guidelines)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.collectors.collector import Collector
from core.collectors.output import absent, first_line, forbidden, refused
from core.collectors.text import clean
from core.exceptions import DataCollectionError, ValidationError
from core.models import CheckFigures, Finding, Level, Perfdatum, SectionStatus
from core.ports import CommandResult

_STATES: tuple[tuple[str, Level], ...] = (
    ("ok", "info"),
    ("warning", "warning"),
    ("critical", "error"),
    ("unknown", "warning"),
)
_LINES = 100
_NUMBER = r"-?\d{1,18}(?:\.\d{1,18})?(?:[eE][-+]?\d{1,2})?"
# A label (in quotes it may hold blanks; two quotes stand for one), then all up to the next blank.
_TOKEN = re.compile(r"\s*+(?:'((?:[^']|'')*+)'|([^\s='|]++))=(\S*+)")
_WORD = re.compile(r"\s*+\S++")
# The units of the guidelines and those that plugins in use add to them: an unknown one may be a broken number.
_UNIT = r"%|[munp]?s|min|h|d|[kKMGTPE]?i?[Bb](?:/s|ps)?|[kMG]?c(?:/s)?|/s|[munk]?[CFKWVAJ]|k?Wh|[kMG]?Hz|rpm|RPM|dBm?"
_VALUE = re.compile(rf"({_NUMBER})({_UNIT})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check(
    name: str, argv: Sequence[str], *, interval_s: float = 300.0, timeout_s: float = 30.0, wants_root: bool = False
) -> Collector:
    """Return a collector that runs an existing Nagios plugin; its kind is ``check:NAME``.

    Raises ValidationError for a name that is not of letters, digits, ``_``, ``.`` and ``-``, or an empty command.
    """
    if _NAME.fullmatch(name) is None:
        raise ValidationError(f"{name!r} is no name for a check: use letters, digits, '_', '.' and '-'")
    if not argv or not argv[0] or any("\n" in word or "\0" in word for word in argv):
        raise ValidationError(f"check {name}: give the plugin and its arguments as a list of words without line ends")
    return Collector(
        f"check:{name}",
        tuple(argv),
        lambda result: read_plugin(name, result, argv[0]),
        interval_s=interval_s,
        timeout_s=timeout_s,
        max_output=1 << 16,
        wants_root=wants_root,
    )


def read_plugin(name: str, result: CommandResult, plugin: str = "the plugin") -> Finding:
    """Read a plugin's outcome; raise DataCollectionError where it told none."""
    kind = f"check:{name}"
    gone = refused(kind, result, plugin)
    if gone is not None:
        return gone
    if result.exit_code == 127:
        return absent(kind, f"{plugin} is not there: {first_line(result.stderr or result.stdout)}".rstrip(": "))
    if result.exit_code == 126:
        return forbidden(kind, f"{plugin} may not be run by this login: {first_line(result.stderr)}".rstrip(": "))
    if result.exit_code is None:
        raise DataCollectionError(f"{plugin} was ended by a signal", operation="collect", details={"kind": "data"})
    # Any other exit code is unknown, as Nagios itself takes it.
    state, level = _STATES[result.exit_code] if 0 <= result.exit_code <= 3 else _STATES[3]
    text, long_text, perfdata = _split(result.stdout)
    if not text:
        text = first_line(result.stderr) or "(no output)"
    figures = CheckFigures(name, state, text, long_text, parse_perfdata(perfdata))
    return Finding(kind, SectionStatus.OK, figures, text, level)


def _split(output: str) -> tuple[str, tuple[str, ...], str]:
    """Cut text, long text and performance data: the first line's after ``|``, and all after a later ``|``."""
    lines = output.replace("\r", "").rstrip("\n").split("\n")
    text, _, perfdata = lines[0].partition("|")
    long_text: list[str] = []
    for place, line in enumerate(lines[1:], 1):
        told, bar, more = line.partition("|")
        if told.strip():
            long_text.append(clean(told.rstrip()))
        if bar:
            perfdata = " ".join([perfdata, more, *lines[place + 1 :]])
            break
    return clean(text.strip()), tuple(long_text[:_LINES]), perfdata


def parse_perfdata(text: str) -> tuple[Perfdatum, ...]:
    """Read ``'label'=value[unit];[warn];[crit];[min];[max] ...``; what is not in that form is left out."""
    found: list[Perfdatum] = []
    place = 0
    while len(found) < _LINES:
        token = _TOKEN.match(text, place)
        if token is not None:
            label = (token[1] or "").replace("''", "'") or token[2] or ""
            datum = _datum(label, token[3].split(";"))
            found += [datum] if datum is not None else []
        word = token or _WORD.match(text, place)
        if word is None:
            break
        place = word.end()
    return tuple(found)


def _datum(label: str, fields: list[str]) -> Perfdatum | None:
    value = _VALUE.fullmatch(fields[0])
    if value is None and fields[0] != "U":
        return None
    rest = (fields[1:] + [""] * 4)[:4]
    return Perfdatum(
        clean(label.strip()),
        float(value[1]) if value else None,
        clean(value[2] or "") if value else "",
        clean(rest[0]),
        clean(rest[1]),
        _number(rest[2]),
        _number(rest[3]),
    )


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(_NUMBER, text, re.ASCII) else None
