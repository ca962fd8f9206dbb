"""The events of alerts: raised, acknowledged, silenced, resolved; each names its alert by rule, host and item."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from core.event_base import BaseEvent
from core.event_fields import Moment, Number, Severity, Text


class _OfAlert(BaseModel):
    """What all of them say; ``key`` finds the alert in the view and in the database."""

    key: Text
    rule: Text
    host: Text = ""  # empty: Jumpwatch itself
    item: Text = ""
    level: Severity = "warning"
    text: Text = ""

    def _where(self) -> str:
        return f"{self.host}: {self.text}" if self.host else self.text


class AlertRaised(_OfAlert, BaseEvent):
    """Something is wrong, or worse than it was, or a silence has run out and it still is."""

    type: Literal["alert.raised"] = "alert.raised"
    again: bool = False
    flapping: Number = 0

    @property
    def severity(self) -> Severity:
        return self.level

    def summary(self) -> str:
        how = f" (raised {self.flapping} times within the hour: held)" if self.flapping else ""
        return f"{self._where()} [{self.rule}{', still' if self.again else ''}]{how}"


class AlertAcknowledged(_OfAlert, BaseEvent):
    """Somebody knows of it and said so."""

    type: Literal["alert.acknowledged"] = "alert.acknowledged"
    actor: Text = ""
    note: Text = ""

    def summary(self) -> str:
        return f"{self._where()} [{self.rule}] acknowledged by {self.actor}: {self.note}"


class AlertSilenced(_OfAlert, BaseEvent):
    """Somebody wants to hear nothing of it until then; ``until`` None: the silence was taken back."""

    type: Literal["alert.silenced"] = "alert.silenced"
    actor: Text = ""
    note: Text = ""
    until: Moment | None = None

    def summary(self) -> str:
        end = f"silenced until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "no longer silenced"
        return f"{self._where()} [{self.rule}] {end} by {self.actor}" + (f": {self.note}" if self.note else "")


class AlertResolved(_OfAlert, BaseEvent):
    """It is over."""

    type: Literal["alert.resolved"] = "alert.resolved"
    lasted_s: float | None = None

    def summary(self) -> str:
        return f"{self._where()} [{self.rule}] is over"
