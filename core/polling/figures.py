"""What polling itself costs: counted by each poller, summed for the screen and the bus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from core.models import PollingFigures


@dataclass(slots=True)
class Tally:
    """The running counts of one host; they outlive its connections."""

    frames: int = 0
    bytes: int = 0
    broken: int = 0
    lag_s: float | None = None
    lag_max_s: float | None = None
    connects: int = 0
    connect_s: float | None = None
    commands: int = 0
    commands_s: float = 0.0
    timeouts: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def late(self, lag_s: float | None) -> None:
        """Take a frame's lag."""
        self.lag_s = lag_s
        if lag_s is not None and (self.lag_max_s is None or lag_s > self.lag_max_s):
            self.lag_max_s = lag_s

    def connected(self, took_s: float) -> None:
        """Take how long a connection took to be made."""
        self.connects += 1
        self.connect_s = took_s

    def ran(self, took_s: float, size: int) -> None:
        """Take how long a command ran, and the bytes (characters, nearly) of its answer."""
        self.commands += 1
        self.commands_s += took_s
        self.bytes += size

    def figures(self) -> PollingFigures:
        """Return the counts of this moment."""
        return PollingFigures(
            frames=self.frames,
            bytes=self.bytes,
            broken=self.broken,
            lag_s=self.lag_s,
            lag_max_s=self.lag_max_s,
            connects=self.connects,
            connect_s=self.connect_s,
            commands=self.commands,
            command_s=self.commands_s / self.commands if self.commands else None,
            timeouts=self.timeouts,
            failures=dict(self.failures),
        )


def total(tallies: Mapping[str, Tally]) -> PollingFigures:
    """Return the sums over all hosts; the lag is the 99th percentile of the last ones, the connect time the median."""
    each = tallies.values()
    lags = sorted(t.lag_s for t in each if t.lag_s is not None)
    connects = [t.connect_s for t in each if t.connect_s is not None]
    commands = sum(t.commands for t in each)
    failures: Counter[str] = Counter()
    for tally in each:
        failures.update(tally.failures)
    return PollingFigures(
        frames=sum(t.frames for t in each),
        bytes=sum(t.bytes for t in each),
        broken=sum(t.broken for t in each),
        lag_s=lags[min(len(lags) - 1, int(len(lags) * 0.99))] if lags else None,
        lag_max_s=max((t.lag_max_s for t in each if t.lag_max_s is not None), default=None),
        connects=sum(t.connects for t in each),
        connect_s=median(connects) if connects else None,
        commands=commands,
        command_s=sum(t.commands_s for t in each) / commands if commands else None,
        timeouts=sum(t.timeouts for t in each),
        failures=dict(failures),
    )
