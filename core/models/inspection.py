"""A host's findings with their times, and what polling itself costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # made when the first finding comes
    from core.models.enums import SectionStatus
    from core.models.findings import Finding, Level


@dataclass(frozen=True, slots=True)
class HostFinding:
    """What a collector found on a host, and when its answer came (UTC)."""

    host: str
    ts: datetime
    finding: Finding
    took_s: float | None = None  # how long the command ran; None where it is read back from the database

    @property
    def kind(self) -> str:
        """The collector's name, or ``check:NAME``."""
        return self.finding.kind

    @property
    def told(self) -> tuple[SectionStatus, Level]:
        """What a change of is told to a person."""
        return self.finding.status, self.finding.severity


@dataclass(frozen=True, slots=True)
class PollingFigures:
    """What polling one host, or all of them, has come to since the program started; seconds and bytes."""

    frames: int = 0
    bytes: int = 0  # of frames and of the answers of commands
    broken: int = 0  # frames that could not be read
    lag_s: float | None = None  # of the last frame; of all hosts: the 99th percentile of their last ones
    lag_max_s: float | None = None
    connects: int = 0
    connect_s: float | None = None  # the last one; of all hosts: the median
    commands: int = 0
    command_s: float | None = None  # mean
    timeouts: int = 0  # commands that did not answer in time
    failures: Mapping[str, int] = field(default_factory=dict)  # of connections, by reason


@dataclass(frozen=True, slots=True)
class PollingView:
    """Polling's own figures at one moment: in all, and host by host."""

    total: PollingFigures = PollingFigures()
    hosts: Mapping[str, PollingFigures] = field(default_factory=dict)
    waiting: int = 0  # commands that are due and wait for their turn
