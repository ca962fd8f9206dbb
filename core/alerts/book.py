"""The alerts that stand, and what people said of them: raised, worse, acknowledged, silenced, hidden, resolved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from core.models import Alert, AlertChange, Level
from core.models.alerts import LEVEL_ORDER, worst_first

_CHANGES_KEPT = 12
_RESOLVED_KEPT = 50
_RESOLVED_S = 3600.0  # how long one that is over is still shown


@dataclass(frozen=True, slots=True)
class Step:
    """A change with the alert as it is now; ``loud``: a person wants to be told."""

    change: AlertChange
    alert: Alert
    loud: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of an alert until then, however often it comes and goes."""

    until: datetime
    at: datetime
    note: str = ""


class AlertBook:
    """Holds alerts by key. Each change is told to ``tell``; ``version`` grows with everything that can be seen."""

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self._tell = tell
        self.open: dict[str, Alert] = {}
        self._resolved: deque[Alert] = deque(maxlen=_RESOLVED_KEPT)
        self._silences: dict[str, Silence] = {}
        self._told: set[str] = set()
        self._sorted: tuple[Alert, ...] | None = None

    def all(self, now: datetime) -> tuple[Alert, ...]:
        """Return what stands, worst first, and what was over within the last hour."""
        while self._resolved and _age(now, self._resolved[0]) > _RESOLVED_S:
            self._resolved.popleft()
            self._sorted = None
        if self._sorted is None:
            self._sorted = tuple(sorted([*self.open.values(), *self._resolved], key=worst_first))
        return self._sorted

    def restore(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Take what was stored, so that nothing is raised a second time; in place of all that is held."""
        self.open.clear()
        self._resolved.clear()
        for alert in sorted(alerts, key=lambda each: each.raised):
            if alert.silenced_until is not None and alert.silenced_until > now:
                at = alert.silenced or now
                self._silences[alert.key] = Silence(alert.silenced_until, at, alert.note)
            elif alert.silenced_until is not None:
                alert = replace(alert, silenced=None, silenced_until=None)
            if alert.resolved is None:
                self.open[alert.key] = alert
                self._told.add(alert.key)
            elif _age(now, alert) <= _RESOLVED_S:
                self._resolved.append(alert)
        self._sorted = None

    # What the engine finds.
    def raise_(self, alert: Alert) -> None:
        """A new alert; a silence of its key that still runs holds for it."""
        if silence := self._silences.get(alert.key):
            alert = replace(alert, silenced=silence.at, silenced_until=silence.until, note=silence.note)
        self._change(alert, "raised", alert.raised)

    def worse(self, alert: Alert, severity: Level, now: datetime) -> None:
        """It is worse than it was: an acknowledgement of the lesser trouble does not hold for this one."""
        self._change(replace(alert, severity=severity, acked=None, acked_by="", updated=now), "worse", now)

    def update(self, alert: Alert) -> None:
        """The same trouble with another figure."""
        if alert != self.open.get(alert.key):
            self.open[alert.key] = alert
            self._sorted = None

    def resolve(self, key: str, now: datetime, note: str = "") -> None:
        """It is over."""
        alert = self.open.pop(key, None)
        if alert is None:
            return
        over = replace(alert, resolved=now, updated=now, hidden="")
        over, change = _with_change(over, "resolved", now, note=note)
        self._resolved.append(over)
        self._sorted = None
        told = key in self._told and alert.silenced_until is None
        self._told.discard(key)
        self._tell(Step(change, over, told))

    def hide(self, keys: Iterable[str], why: Callable[[Alert], str]) -> None:
        """Say of these why nobody wants to see them now; empty: they are seen again, without being told anew."""
        for key in list(keys):
            alert = self.open.get(key)
            if alert is not None and alert.hidden != (reason := why(alert)):
                self.update(replace(alert, hidden=reason))

    def run_out(self, now: datetime) -> None:
        """End the silences whose time is over; what still stands is told."""
        for key in [key for key, silence in self._silences.items() if silence.until <= now]:
            del self._silences[key]
            if alert := self.open.get(key):
                self._change(replace(alert, silenced=None, silenced_until=None), "unsilenced", now, note="ran out")

    # What people say.
    def acknowledge(self, keys: Iterable[str], actor: str, note: str, now: datetime) -> list[str]:
        """Somebody knows of these and says so; return the keys that were there."""
        done = []
        for key in keys:
            if alert := self.open.get(key):
                known = replace(alert, acked=now, acked_by=actor, note=note)
                self._change(known, "acknowledged", now, actor=actor, note=note)
                done.append(key)
        return done

    def silence(self, keys: Iterable[str], until: datetime, actor: str, note: str, now: datetime) -> list[str]:
        """Nobody is told of these until then."""
        done = []
        for key in keys:
            self._silences[key] = Silence(until, now, note)
            if alert := self.open.get(key):
                quiet = replace(alert, silenced=now, silenced_until=until, note=note or alert.note)
                self._change(quiet, "silenced", now, actor=actor, note=note)
                done.append(key)
        return done

    def unsilence(self, keys: Iterable[str], actor: str, now: datetime) -> list[str]:
        """Take silences back."""
        done = []
        for key in keys:
            self._silences.pop(key, None)
            alert = self.open.get(key)
            if alert is not None and alert.silenced_until is not None:
                loud = replace(alert, silenced=None, silenced_until=None)
                self._change(loud, "unsilenced", now, actor=actor)
                done.append(key)
        return done

    def take(self, alert: Alert) -> None:
        """Take what was said of an alert at another console; it is told and stored there."""
        if alert.silenced_until is not None:
            self._silences[alert.key] = Silence(alert.silenced_until, alert.silenced or alert.updated, alert.note)
        else:
            self._silences.pop(alert.key, None)
        self.update(alert)

    def _change(self, alert: Alert, change: str, now: datetime, *, actor: str = "", note: str = "") -> None:
        alert, entry = _with_change(alert, change, now, actor=actor, note=note)
        self.open[alert.key] = alert
        self._sorted = None
        by_hand = change in ("acknowledged", "silenced")
        if alert.loud:
            self._told.add(alert.key)
        self._tell(Step(entry, alert, alert.loud or by_hand))


def _with_change(
    alert: Alert, change: str, now: datetime, *, actor: str = "", note: str = ""
) -> tuple[Alert, AlertChange]:
    entry = AlertChange(alert.key, now, change, alert.severity, alert.text, actor, note)
    return replace(alert, changes=(*alert.changes, entry)[-_CHANGES_KEPT:]), entry


def _age(now: datetime, alert: Alert) -> float:
    return (now - (alert.resolved or now)).total_seconds()


def is_worse(new: Level, old: Level) -> bool:
    """Whether one severity is worse than another."""
    return LEVEL_ORDER[new] < LEVEL_ORDER[old]
