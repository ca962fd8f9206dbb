"""Alerts as they travel: what is wrong where since when, and what a person said of it. An unknown figure is None."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models.findings import Level


class AlertState(StrEnum):
    """What an alert wants of a person, loudest first."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    SUPPRESSED = "suppressed"  # maintenance, or hidden behind a worse one: its host is away
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One step in the life of an alert; a row of its history and a mark on the time line."""

    key: str
    ts: datetime
    change: str  # raised, worse, acknowledged, silenced, unsilenced, resolved
    severity: Level = "warning"
    text: str = ""  # the alert's line at that moment
    actor: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong. ``key`` (rule, host, item) names it; what comes again later is another occurrence."""

    key: str
    rule: str
    host: str  # empty: Jumpwatch itself
    item: str  # mount, unit, container, drive ...; empty: the host as a whole
    severity: Level
    text: str  # what, with its figure: "/var 92% full"
    raised: datetime
    updated: datetime
    title: str = ""  # the rule's, in words
    value: float | None = None
    limit: str = ""  # the bound it passed, in words: "from 90%, for 1 min"
    advice: str = ""  # the way out
    forecast: str = ""  # in words: "full in 1 d 4 h"
    acked: datetime | None = None
    acked_by: str = ""
    note: str = ""  # given with the acknowledgement or the silence
    silenced: datetime | None = None  # when
    silenced_until: datetime | None = None
    hidden: str = ""  # why it is suppressed; empty where it is not
    flapping: int = 0  # times raised within the hour, where that is too often; held open meanwhile
    resolved: datetime | None = None
    changes: tuple[AlertChange, ...] = ()  # the last ones, oldest first

    @property
    def state(self) -> AlertState:
        """What it wants of a person; a silence that has run out is taken away by the engine."""
        if self.resolved is not None:
            return AlertState.RESOLVED
        if self.hidden:
            return AlertState.SUPPRESSED
        if self.silenced_until is not None:
            return AlertState.SILENCED
        return AlertState.RAISED if self.acked is None else AlertState.ACKNOWLEDGED

    @property
    def loud(self) -> bool:
        """Whether it still waits for a person."""
        return self.state is AlertState.RAISED


_ITEM_MOST = 280
STATE_ORDER = {state: rank for rank, state in enumerate(AlertState)}
LEVEL_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "info": 2}


def worst_first(alert: Alert) -> tuple[int, int, float, str]:
    """Return the key that sorts alerts: by state, by severity, the newest first."""
    when = alert.resolved or alert.raised
    return STATE_ORDER[alert.state], LEVEL_ORDER[alert.severity], -when.timestamp(), alert.key


def alert_key(rule: str, host: str, item: str) -> str:
    """Return what names an alert: it is typed by nobody, stored in the database, and never taken apart."""
    if len(item) > _ITEM_MOST:  # a mount may have 4096 characters, a key of a table may not
        item = item[:_ITEM_MOST] + sha256(item.encode("utf-8", "replace")).hexdigest()[:12]
    key = "\t".join((rule, host, item))
    # One line of text that every database takes: hosts name their things as they like.
    return key if key.isascii() and "\n" not in key and "\0" not in key else "".join(map(_harmless, key))


def _harmless(char: str) -> str:
    return char if char == "\t" or char.isprintable() else f"\\u{ord(char):04x}"
