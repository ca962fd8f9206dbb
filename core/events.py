"""Typed events: small, serialisable, versioned; read back through one discriminated union."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, TypeAdapter
from pydantic import ValidationError as PydanticError

from core.bus import EventBus as _EventBus
from core.bus_stats import BusStats, Counts, LaneStats
from core.event_alerts import AlertAcknowledged, AlertRaised, AlertResolved, AlertSilenced
from core.event_base import BaseEvent
from core.event_fields import Number, Severity, Text, new_id, utc_now
from core.event_versions import CURRENT, lifted, register_adapter, unreadable
from core.lanes import Policy
from core.models import HostState, PollerRole, Reason, SectionStatus

__all__ = [
    "LOUD",
    "ActionFinished",
    "ActionStarted",
    "AlertAcknowledged",
    "AlertRaised",
    "AlertResolved",
    "AlertSilenced",
    "AnyEvent",
    "BaseEvent",
    "BusStats",
    "Counts",
    "DatabaseStateChanged",
    "EventBus",
    "FindingChanged",
    "HostKeyWaiting",
    "HostPolled",
    "HostStateChanged",
    "LaneStats",
    "Notice",
    "Policy",
    "PollingMeasured",
    "RoleChanged",
    "SamplesDropped",
    "get_event_bus",
    "parse_event",
    "register_adapter",
]

_set = object.__setattr__
_POLLED = {"source", "correlation_id", "host", "seq", "cpu_pct", "mem_pct", "disk_pct", "load1", "lag_s"}


class HostPolled(BaseEvent):
    """A sample arrived: the latest figures, None where unknown."""

    type: Literal["host.polled"] = "host.polled"
    host: Text
    seq: Number = 0
    cpu_pct: float | None = None
    mem_pct: float | None = None
    disk_pct: float | None = None
    load1: float | None = None
    lag_s: float | None = None
    quiet: ClassVar[bool] = True

    @classmethod
    def of_sample(
        cls, host: str, correlation_id: str, seq: int, figures: tuple[float | None, ...], lag_s: float | None
    ) -> HostPolled:
        """Return the same event, made at a fifth of the price for what our own parsers gave and so need not be checked.

        ``figures`` are those of the CPU, memory, the fullest filesystem in percent, and the load.
        """
        made = cls.__new__(cls)
        cpu, memory, disk, load = figures
        fields = {
            "id": new_id(), "type": "host.polled", "version": 1, "timestamp": utc_now(), "source": "poller",
            "correlation_id": correlation_id, "metadata": {}, "host": host, "seq": seq,
            "cpu_pct": cpu, "mem_pct": memory, "disk_pct": disk, "load1": load, "lag_s": lag_s,
        }  # fmt: skip
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", _POLLED)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


class HostStateChanged(BaseEvent):
    """A host's state changed; emitted once, not each tick."""

    type: Literal["host.state"] = "host.state"
    host: Text
    old: HostState
    new: HostState
    reason: Reason = Reason.NONE
    detail: Text = ""

    @property
    def severity(self) -> Severity:
        return {HostState.OFFLINE: "error", HostState.DEGRADED: "warning"}.get(self.new, "info")  # type: ignore[return-value]

    def summary(self) -> str:
        change = f"still {self.new}" if self.old == self.new else f"{self.old} -> {self.new}"  # for another reason
        return f"{self.host}: {change}" + (f" ({self.detail})" if self.detail else "")


class FindingChanged(BaseEvent):
    """A slow collector found another status or severity than before; what it found is in the live state."""

    type: Literal["host.finding"] = "host.finding"
    host: Text
    kind: Text
    status: SectionStatus
    level: Severity = "info"
    detail: Text = ""

    @property
    def severity(self) -> Severity:
        return self.level

    def summary(self) -> str:
        word = {"info": self.status.value, "warning": "WARNING", "error": "ERROR"}[self.level]
        return f"{self.host}: {self.kind} {word}" + (f" ({self.detail})" if self.detail else "")


class PollingMeasured(BaseEvent):
    """What polling costs, in all; every few seconds. Counts are since the start, lag is p99, times are seconds."""

    type: Literal["polling.measured"] = "polling.measured"
    hosts: Number = 0
    frames: Number = 0
    bytes: Number = 0
    commands: Number = 0
    timeouts: Number = 0
    failures: Number = 0  # of connections; by kind in the metadata
    lag_s: float | None = None
    connect_s: float | None = None
    quiet: ClassVar[bool] = True


class HostKeyWaiting(BaseEvent):
    """A host key waits for review."""

    type: Literal["hostkey.waiting"] = "hostkey.waiting"
    host: Text
    fingerprint: Text
    changed: bool = False

    @property
    def severity(self) -> Severity:
        return "error" if self.changed else "warning"

    def summary(self) -> str:
        return f"{self.host}: host key {'CHANGED' if self.changed else 'unknown'}, {self.fingerprint}"


class DatabaseStateChanged(BaseEvent):
    """The database came, went or was found unfit."""

    type: Literal["database.state"] = "database.state"
    state: Text
    detail: Text = ""

    @property
    def severity(self) -> Severity:
        return "info" if self.state == "connected" else "error" if self.state == "unsupported" else "warning"

    def summary(self) -> str:
        return f"database {self.state}" + (f": {self.detail}" if self.detail else "")


class RoleChanged(BaseEvent):
    """This console became the poller or a viewer."""

    type: Literal["poller.role"] = "poller.role"
    role: PollerRole
    detail: Text = ""

    def summary(self) -> str:
        return f"this console is the {self.role}" + (f": {self.detail}" if self.detail else "")


class SamplesDropped(BaseEvent):
    """Samples were lost at the spool's bounds, or a row could not be stored."""

    type: Literal["samples.dropped"] = "samples.dropped"
    dropped: Number
    reason: Text = ""

    @property
    def severity(self) -> Severity:
        return "error"

    def summary(self) -> str:
        return f"{self.dropped} samples lost: {self.reason}"


class ActionStarted(BaseEvent):
    """An action's intent was audited and it runs."""

    type: Literal["action.started"] = "action.started"
    action: Text
    audit_id: Text
    title: Text = ""

    def summary(self) -> str:
        return f"{self.title or self.action} started, audit {self.audit_id}"


class ActionFinished(BaseEvent):
    """An action ended; the audit row says the rest."""

    type: Literal["action.finished"] = "action.finished"
    action: Text
    audit_id: Text
    ok: bool
    text: Text = ""

    @property
    def severity(self) -> Severity:
        return "info" if self.ok else "error"

    def summary(self) -> str:
        return f"{self.action} {'done' if self.ok else 'FAILED'}: {self.text} (audit {self.audit_id})"


class Notice(BaseEvent):
    """A line that a person should see once."""

    type: Literal["notice"] = "notice"
    text: Text
    level: Severity = "info"

    @property
    def severity(self) -> Severity:
        return self.level

    def summary(self) -> str:
        return self.text


AnyEvent = Annotated[
    HostPolled
    | HostStateChanged
    | FindingChanged
    | PollingMeasured
    | HostKeyWaiting
    | DatabaseStateChanged
    | RoleChanged
    | SamplesDropped
    | ActionStarted
    | ActionFinished
    | Notice
    | AlertRaised
    | AlertAcknowledged
    | AlertSilenced
    | AlertResolved,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_KINDS: tuple[type[BaseEvent], ...] = get_args(get_args(AnyEvent)[0])
LOUD = tuple(kind for kind in _KINDS if not kind.quiet)
"""The types that a person reads; a subscriber to these costs a poll nothing."""
CURRENT.update((kind.model_fields["type"].default, kind.model_fields["version"].default) for kind in _KINDS)


def parse_event(payload: Mapping[str, Any]) -> BaseEvent:
    """Read an event back from its JSON object, or from ``model_dump``; older versions are lifted step by step.

    Raises ValidationError with the code EVENT_TYPE_UNKNOWN, EVENT_VERSION_UNKNOWN or EVENT_MALFORMED; it names fields
    and never their values.
    """
    data = lifted(dict(payload))
    try:
        return _ADAPTER.validate_python(data)
    except PydanticError as exc:
        faults = {
            ".".join(map(str, e["loc"][1:])): e["type"] for e in exc.errors(include_input=False, include_url=False)
        }
        raise unreadable(data, "is malformed", "EVENT_MALFORMED", faults) from None


class EventBus(_EventBus[BaseEvent]):
    """The bus of our events."""


@lru_cache(maxsize=1)
def get_event_bus() -> EventBus:
    """Return the process's bus."""
    return EventBus()
