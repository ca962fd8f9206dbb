"""What a sample says of a host's state, pure; limits come as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.models import FilesystemFigures, HostSample, HostState, Reason

_ONLINE = (HostState.ONLINE, Reason.NONE, "")


@dataclass(frozen=True, slots=True)
class Limits:
    """Percentages above which a host counts as degraded, and how many samples in a row must be."""

    cpu_pct: float
    mem_pct: float
    disk_pct: float
    samples: int = 3  # one spike is no trouble
    hysteresis: float = 2.0  # points below the limit before it counts as over


@dataclass(slots=True)
class Assessor:
    """Turns samples of one host into a state; holds only the counters that hysteresis wants."""

    limits: Limits
    _cpu_over: int = 0
    _mem_over: int = 0
    _degraded: bool = False
    _full: list[FilesystemFigures] = field(default_factory=list)

    def assess(
        self, sample: HostSample, mem_pct: float | None, disk_pct: float | None
    ) -> tuple[HostState, Reason, str]:
        """Return state, reason and a line with the figure that is over its limit.

        ``mem_pct`` and ``disk_pct`` (of the fullest filesystem) are the sample's own, worked out once for all.
        """
        limits = self.limits
        slack = limits.hysteresis if self._degraded else 0.0
        self._cpu_over = self._count(self._cpu_over, sample.system.cpu_pct, limits.cpu_pct - slack)
        self._mem_over = self._count(self._mem_over, mem_pct, limits.mem_pct - slack)
        if sample.filesystems is not None:  # df comes more seldom than the rest: what it said stands meanwhile
            full = disk_pct is not None and disk_pct >= limits.disk_pct - slack
            self._full = self._over(sample.filesystems, limits.disk_pct - slack) if full else []
        if not (self._full or self._cpu_over or self._mem_over):
            self._degraded = False
            return _ONLINE
        troubles = [f"{mount.mount} {mount.used_pct:.0f}% full" for mount in self._full]
        if self._mem_over >= limits.samples:
            troubles.append(f"memory {mem_pct:.0f}% used")
        if self._cpu_over >= limits.samples:
            troubles.append(f"CPU {sample.system.cpu_pct:.0f}% busy")
        self._degraded = bool(troubles)
        if troubles:
            # Whole percents and the first two: the line must not change, and so be stored, with every sample.
            return HostState.DEGRADED, Reason.RESOURCE, ", ".join(troubles[:2])
        return _ONLINE

    @staticmethod
    def _count(over: int, figure: float | None, limit: float) -> int:
        return over + 1 if figure is not None and figure >= limit else 0

    @staticmethod
    def _over(filesystems: Sequence[FilesystemFigures], limit: float) -> list[FilesystemFigures]:
        over = [f for f in filesystems if (f.used_pct or 0.0) >= limit]
        return sorted(over, key=lambda f: -(f.used_pct or 0.0)) if over else over
