"""Logs that are followed: the words that follow one on a host, and the pure reader of its lines.

journalctl's JSON has a line a record (systemd.journal-fields(7)); a syslog file has RFC 3164's form or ISO times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.collectors.output import script
from core.collectors.text import clean
from core.models import LogRecord, LogSource

BACKLOG = 200
LINE_MOST = 4000  # characters of a line that are kept
_RECORD_MOST = 1 << 18  # bytes of one record; what is longer is cut, and is no JSON then
# A reader of stdin ends the command with the channel, for a signal does not reach every login (sshd(8)); a background
# job's stdin is /dev/null, hence descriptor 3. It signals itself too where the command is gone already: no harm.
_GUARD = "exec 3<&0; (cat <&3; kill $$) >/dev/null 2>&1 & exec </dev/null 3<&-; "
_HOST = (
    _GUARD + "for d in /run/log/journal /var/log/journal; do "
    "if [ -d $d ] && command -v journalctl >/dev/null 2>&1; then echo @jw journal; "
    f'exec $1 journalctl -o json --no-pager -f -n {BACKLOG} ${{2:+-u "$2"}}; fi; done; '
    "for f in /var/log/syslog /var/log/messages; do "
    'if [ -n "$1" ] || [ -r $f ]; then if [ -e $f ]; then echo @jw file $f; '
    f"exec $1 tail -n {BACKLOG} -F $f; fi; fi; "
    "if [ -e $f ]; then echo @jw denied $f; fi; done; echo @jw none"
)
_CONTAINER = _GUARD + f'echo @jw container; exec $1 "$2" logs -f --tail {BACKLOG} --timestamps "$3"'
_SYSLOG = re.compile(
    r"(?P<when>\S+T\S+|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S{1,255}) "
    r"(?P<tag>[^:\[\s]{1,128})(?:\[\d+\])?: (?P<text>.*)",
    re.ASCII,
)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?(.*)", re.ASCII | re.DOTALL)
_NO_ACCESS = ("not seeing messages from other users", "insufficient permissions", "permission denied", "not permitted")


def log_argv(source: LogSource, *, sudo: bool) -> tuple[str, ...]:
    """Return the argv that follows a log: journal, else syslog file; it ends with its channel."""
    root = "sudo -n" if sudo else ""
    if source.container:
        return (*script(_CONTAINER), "jumpwatch", root, source.engine, source.container)
    return (*script(_HOST), "jumpwatch", root, source.unit)


class LogReader:
    """Turns what comes into records; keeps a half line for the next bytes. ``note`` says what the person must know."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._kind = "container" if source.container else ""
        self._half = b""
        self._number = 0
        self.note = ""

    def feed(self, data: bytes) -> list[LogRecord]:
        """Return the records of all lines that are whole now."""
        *lines, self._half = (self._half + data).split(b"\n")
        if len(self._half) > _RECORD_MOST:
            lines.append(self._half)
            self._half = b""
        records = []
        for raw in lines:
            text = raw[:_RECORD_MOST].decode("utf-8", "replace").rstrip("\r")
            if text.startswith("@jw "):
                self._mark(text[4:].split(" ", 1))
            elif text.strip() and (self._kind or self._source.container):
                records.append(self._read(text))
        return records

    def complain(self, data: bytes) -> list[LogRecord]:
        """Take what came on stderr: a container's own lines, or what its follower complains about."""
        if self._kind == "container":
            return self.feed_whole(data)
        text = data.decode("utf-8", "replace")
        said = next((clean(line.strip()) for line in text.split("\n") if line.strip()), "")
        low = text.lower()
        if any(words in low for words in _NO_ACCESS):
            self.note = (
                "forbidden in part: this login sees its own messages alone; add it to the group systemd-journal, "
                'or put "logs" into the host\'s sudo list'
            )
        elif said and not self.note:
            self.note = said[:300]
        return []

    def feed_whole(self, data: bytes) -> list[LogRecord]:
        """Read lines of a second stream by themselves; a half line there counts as a whole one."""
        half, self._half = self._half, b""
        records = self.feed(data if data.endswith(b"\n") else data + b"\n")
        self._half = half
        return records

    def _mark(self, words: Sequence[str]) -> None:
        rest = clean(words[1]) if len(words) > 1 else ""
        if words[0] in ("journal", "container"):
            self._kind = words[0]
        elif words[0] == "file":
            self._kind = "file"
            self.note = f"no journal there: {rest} is followed"
            if self._source.unit:
                self.note += ", all units of it"
        elif words[0] == "denied":
            self.note = f'forbidden: {rest} may not be read by this login; put "logs" into the host\'s sudo list'
        elif words[0] == "none" and not self.note:
            self.note = "absent: neither a journal nor /var/log/syslog or /var/log/messages is there"

    def _read(self, text: str) -> LogRecord:
        self._number += 1
        if self._kind == "journal":
            return _journal(self._number, text)
        if self._kind == "file":
            return _syslog(self._number, text)
        return _container(self._number, text, self._source.container)


def _journal(number: int, text: str) -> LogRecord:
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return LogRecord(number, None, None, "", _shown(text))
    priority, stamp = str(told.get("PRIORITY", "")), str(told.get("__REALTIME_TIMESTAMP", ""))
    names = ("SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_COMM")
    source = next((value for name in names if isinstance(value := told.get(name), str) and value), "")
    return LogRecord(
        number,
        _moment(int(stamp) / 1e6) if stamp.isdecimal() and len(stamp) < 19 else None,
        int(priority) if priority in "01234567" and len(priority) == 1 else None,
        clean(source)[:64],
        _shown(_message(told.get("MESSAGE"))),
    )


def _message(value: Any) -> str:
    """A text, or its bytes as numbers where it is none (journalctl's own way to say so)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value[:LINE_MOST]).decode("utf-8", "replace")
    return "(no message)" if value is None else "(more than one message)"


def _syslog(number: int, text: str) -> LogRecord:
    found = _SYSLOG.fullmatch(text)
    if found is None:
        return LogRecord(number, None, None, "", _shown(text))
    return LogRecord(number, _when(found["when"]), None, clean(found["tag"]), _shown(found["text"]))


def _container(number: int, text: str, name: str) -> LogRecord:
    found = _STAMP.fullmatch(text)
    if found is None:
        return LogRecord(number, None, None, clean(name), _shown(text))
    return LogRecord(number, _when(f"{found[1]}{found[3]}"), None, clean(name), _shown(found[4]))


def _when(text: str) -> datetime | None:
    """An ISO time with its zone; RFC 3164 names neither year nor zone, so that its times stay unknown."""
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return when if when.tzinfo is not None else None


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _shown(text: str) -> str:
    """One line that is safe to show; colours of programs go, control signs become blanks."""
    text = _COLOUR.sub("", text[: 2 * LINE_MOST])
    return "".join(sign if sign.isprintable() else " " for sign in text)[:LINE_MOST]


_COLOUR = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")
