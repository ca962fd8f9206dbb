"""The status line: what is live, what may be done, who polls, how the hosts and the database are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from textual import events

from console.formatting import age, clean, moment, number, span
from console.widgets.bars import OneLine
from console.widgets.line import Line
from console.widgets.severity import DATABASE_STATES, EVENT_GLYPHS, HOST_STATES
from core.models import DatabaseState, FleetView, HostState, PollerRole, StorageMode

if TYPE_CHECKING:
    from console.widgets.bars import Piece

_STATE = attrgetter("state._value_")  # counted for thousands of hosts: an Enum's own hash is slow
_ORDER = (HostState.OFFLINE, HostState.DEGRADED, HostState.UNKNOWN, HostState.MAINTENANCE, HostState.ONLINE)
_SHORT = {StorageMode.TIMESCALEDB: "tsdb", StorageMode.PARTITIONS: "part"}
_MODES = {StorageMode.TIMESCALEDB: "timescaledb", StorageMode.PARTITIONS: "partitions"}


class StatusLine(OneLine):
    """One row; what fits least falls away first, whole."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = FleetView(at=datetime.now(UTC))
        self.now = self.view.at
        self.utc = True
        self.read_only = True
        self.read_only_until: datetime | None = None
        self.paused = False
        self._clock_at, self._gate_at = 0, (0, 0)  # where a click means them
        self._counts: Counter[str] = Counter()
        self._loud: Counter[str] = Counter()

    def take(self, view: FleetView) -> None:
        """Take a newer view."""
        if view is not self.view:
            self.view = view
            self._counts = Counter(map(_STATE, view.hosts))
            self._loud = Counter(alert.severity for alert in view.alerts if alert.loud)

    def draw(self, width: int) -> Line:
        """Return the fullest line of several that fits the width."""
        for detail in (4, 3, 2, 1, 0):
            line = self._left(detail)
            clock = self._clock(detail)
            if line.width + len(clock) + 2 <= width or not detail:
                self._clock_at = max(line.width, width - len(clock) - 1)
                return line.to(max(line.width, width - len(clock) - 1)).add(clock, self.palette.dim)
        return Line()

    async def on_click(self, event: events.Click) -> None:
        """The clock changes its zone, the gate its mode."""
        if event.x >= self._clock_at:
            await self.run_action("screen.clock")
        elif self._gate_at[0] <= event.x < self._gate_at[1]:
            await self.run_action("screen.unlock")

    def _clock(self, detail: int) -> str:
        form = "%Y-%m-%d %H:%M:%S" if detail >= 4 else "%H:%M:%S"
        if self.utc:
            return self.now.astimezone(UTC).strftime(form) + " UTC"
        local = self.now.astimezone()
        return local.strftime(form) + (" " + (local.tzname() or "local") if detail else " local")

    def _left(self, detail: int) -> Line:
        line = Line().gap()
        parts = [self._live(), self._gate(detail), self._role(detail)]
        for number_of, (text, style) in enumerate(parts):
            line.gap((2 if detail > 1 else 1) if number_of else 0)
            if number_of == 1:
                self._gate_at = (line.width, line.width + len(text))
            line.add(text, style)
        bar = ("  " if detail < 3 else " │ ", self.palette.faint)
        for group in (self._hosts(detail), self._alerts(detail), self._lag(detail), self._database(detail)):
            if group:
                line.add(*bar)
                for index, (text, style) in enumerate(group):
                    line.gap(1 if index else 0).add(text, style)
        return line

    def _live(self) -> Piece:
        look = self.palette
        if not self.view.live:
            return f"REPLAY {moment(self.view.at, self.utc, '%m-%d %H:%M:%S')}", look.badge_warn
        return ("PAUSED", look.badge_warn) if self.paused else ("LIVE", look.badge_ok)

    def _gate(self, detail: int) -> Piece:
        if self.read_only:
            return "RO", self.palette.badge_idle
        if self.read_only_until is None:
            return "RW", self.palette.badge_warn
        left = (self.read_only_until - self.now).total_seconds()
        return f"RW {span(left) if detail > 2 else age(left)}", self.palette.badge_warn

    def _role(self, detail: int) -> Piece:
        role = self.view.role
        style = self.palette.badge_warn if role is PollerRole.VIEWER else self.palette.badge_idle
        return role.value.upper(), style

    def _hosts(self, detail: int) -> list[Piece]:
        look = self.palette
        pieces: list[Piece] = []
        for state in _ORDER:
            if amount := self._counts[state.value]:
                glyph, word = HOST_STATES[state]
                word = word if detail >= 3 else word[:3] if detail == 2 else ""
                pieces.append((f"{glyph} {amount} {word}".rstrip(), look.state(state)))
        return pieces or [("no hosts", look.dim)]

    def _alerts(self, detail: int) -> list[Piece]:
        """The alerts that wait for a person, by severity; nothing where there is none."""
        look = self.palette
        pieces: list[Piece] = []
        for severity, word, style in (("error", "error", look.bad), ("warning", "warn", look.warn)):
            if amount := self._loud[severity]:
                word = word if detail >= 3 else ""
                pieces.append((f"{EVENT_GLYPHS[severity]}{amount} {word}".rstrip(), style))
        return [("alerts" if detail >= 2 else "al", look.dim), *pieces] if pieces else []

    def _lag(self, detail: int) -> list[Piece]:
        lag = self.view.lag_s
        if lag is None or not detail:
            return []
        return [(f"lag {number(lag, 1)}s", self.palette.warn if lag > 2 else self.palette.dim)]

    def _database(self, detail: int) -> list[Piece]:
        look, database = self.palette, self.view.database
        glyph, word, severity = DATABASE_STATES[database.state]
        style = look.level(severity) if severity else look.ok if database.state is DatabaseState.CONNECTED else look.dim
        pieces: list[Piece] = [("db", look.dim), (f"{glyph} {word}", style)]
        if detail and database.capability is not None:
            mode = _MODES[database.capability.mode] if detail != 2 else _SHORT[database.capability.mode]
            version = database.capability.extension_version if detail >= 4 else None
            pieces.append((clean(f"{mode} {version}" if version else mode), look.dim))
        writer = self.view.writer
        if detail >= 2 and writer.spooled:
            pieces.append((f"spool {writer.spooled}", look.warn))
        if detail >= 2 and writer.dropped:
            pieces.append((f"lost {writer.dropped}", look.bad))
        return pieces
