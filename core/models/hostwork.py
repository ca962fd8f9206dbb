"""What is done on hosts and what comes back: a command's result, a log's lines, a saved command."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

LOG_LINES = 5000


@dataclass(frozen=True, slots=True)
class HostResult:
    """What one host answered to an action. ``output`` and ``errors`` are the host's own words, cut to a cap."""

    host: str
    ok: bool
    exit_code: int | None = None  # None: it never told one (lost connection, deadline)
    output: str = ""
    errors: str = ""
    truncated: bool = False
    seconds: float | None = None
    note: str = ""  # one clear line of ours: what failed, or what is honest to say of a success


@dataclass(frozen=True, slots=True)
class SavedCommand:
    """A command kept under a name. Without hosts, groups and tags it is offered everywhere."""

    name: str
    argv: tuple[str, ...]
    timeout_s: float = 60.0
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sudo: bool = False  # by ``sudo -n``, on hosts whose settings allow it


@dataclass(frozen=True, slots=True)
class LogSource:
    """Whose log is followed: the host's, one of its units', or one of its containers'."""

    host: str
    unit: str = ""
    container: str = ""
    engine: str = ""

    @property
    def what(self) -> str:
        """The source in words."""
        return self.container or self.unit or "journal"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of a log; ``priority`` is syslog's, 0 (emergency) to 7 (debug), None where the line tells none."""

    number: int  # grows by one a line: its identity
    ts: datetime | None
    priority: int | None
    source: str  # unit, program or container
    text: str


@dataclass(slots=True)
class LogFeed:
    """The newest lines of a log that is followed, bounded; what falls off the old end is counted."""

    most: int = LOG_LINES
    records: deque[LogRecord] = field(default_factory=deque)
    dropped: int = 0
    note: str = ""  # what the person has to know: absent, forbidden, and the way out
    state: str = "connecting"  # connecting, following, ended
    argv: tuple[str, ...] = ()
    version: int = 0  # grows with every change

    def add(self, records: Iterable[LogRecord]) -> None:
        """Append records, oldest first."""
        self.records.extend(records)
        while len(self.records) > self.most:
            self.records.popleft()
            self.dropped += 1
        self.version += 1

    def say(self, state: str, note: str = "") -> None:
        """Tell how it stands; an empty note keeps the one before."""
        self.state, self.note = state, note or self.note
        self.version += 1
