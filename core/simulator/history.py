"""The demo fleet's past: samples as polling would have stored them, made from the same story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from core.models import (
    DiskFigures,
    FilesystemFigures,
    Host,
    HostSample,
    InterfaceFigures,
    SectionStatus,
    SystemFigures,
)
from core.simulator.fleet import MIB, HostSpec
from core.simulator.local import specs_for
from core.simulator.shape import (
    cpu_pressure,
    disk_shares,
    inode_count,
    inodes_used,
    interface_shares,
    io_pressure,
    memory_pressure,
)
from core.simulator.story import Levels, fade, levels, used_fraction, was_away
from core.simulator.wire import SECTION_NAMES

_Shares = tuple[tuple[str, float], ...]
_GRAIN = 64 * MIB  # sizes move in such steps: rows that repeat compress well


def generate_history(
    fleet: Sequence[Host], *, days: float = 10, step_s: float = 300, until: datetime, seed: int = 0
) -> Iterator[HostSample]:
    """Yield ``days`` of samples of each host, one each ``step_s`` seconds, ordered by time and ending at ``until``.

    The same arguments give the same samples. A host that was off the network at a moment has none there.
    """
    end = until.astimezone(UTC)
    pasts = [_Past(spec, end.timestamp(), step_s) for spec in specs_for(fleet, seed)]
    steps = int(days * 86400 / step_s)
    for number in range(steps, 0, -1):
        elapsed = (1 - number) * step_s - 1.0  # ends a second before the story goes live
        moment = end + timedelta(seconds=elapsed)
        for past in pasts:
            sample = past.sample(moment, elapsed, steps - number + 1)
            if sample is not None:
                yield sample


class _Past:
    """One host's past: what is carried from step to step."""

    def __init__(self, spec: HostSpec, end: float, step_s: float) -> None:
        self._spec = spec
        self._end = end
        self._step = step_s
        self._load5 = self._load15 = 0.2 * spec.cpus
        self._fade5, self._fade15 = fade(1.0, 0.0, step_s, 300.0), fade(1.0, 0.0, step_s, 900.0)
        self._sections = _sections(spec)
        self._filesystems: dict[tuple[int, int], FilesystemFigures] = {}
        self._boot = spec.boot_id
        self._disks = () if "diskstats" in spec.forbidden else disk_shares(spec)
        self._links = interface_shares(spec)

    def sample(self, moment: datetime, elapsed: float, seq: int) -> HostSample | None:
        spec, at = self._spec, self._end + elapsed
        uptime = spec.uptime_s + elapsed
        if uptime < self._step or was_away(spec, at):
            return None
        level = levels(spec, at, elapsed)
        return HostSample(
            spec.name,
            moment,
            seq,
            self._boot,
            round(uptime, 2),
            moment,
            self._system(level),
            tuple([self._filesystem(number, elapsed) for number in range(len(spec.filesystems))]),
            _disks(self._disks, level) if self._disks else None,
            _interfaces(self._links, level),
            self._sections,
            self._step,
        )

    def _system(self, level: Levels) -> SystemFigures:
        spec = self._spec
        busy = level.user + level.system + level.steal
        load = spec.cpus * busy / 100.0 + level.blocked
        self._load5 = load + (self._load5 - load) * self._fade5
        self._load15 = load + (self._load15 - load) * self._fade15
        has = spec.pressure
        return SystemFigures(
            int(busy * 10) / 10,
            int(level.user * 10) / 10,
            int(level.system * 10) / 10,
            int(level.iowait * 10) / 10,
            int(level.steal * 10) / 10,
            spec.cpus,
            int(load * 100) / 100,
            int(self._load5 * 100) / 100,
            int(self._load15 * 100) / 100,
            spec.memory,
            _grained(spec.memory * (1.0 - level.memory), MIB),
            spec.swap,
            _grained(spec.swap * (1.0 - level.swap), MIB),
            int(cpu_pressure(busy) * 100) / 100 if has else None,
            int(memory_pressure(level.memory) * 100) / 100 if has else None,
            int(io_pressure(level.iowait) * 100) / 100 if has else None,
            1 + int(load),
            int(level.blocked),
        )

    def _filesystem(self, number: int, elapsed: float) -> FilesystemFigures:
        """Return the filesystem's figures; one object for all moments at which they are the same."""
        spec = self._spec.filesystems[number]
        used = _grained(spec.size * used_fraction(self._spec, number, elapsed), _GRAIN if spec.size > 1 << 33 else MIB)
        kept = self._filesystems.get((number, used))
        if kept is None:
            inodes = inode_count(spec.size, spec.fstype)
            kept = FilesystemFigures(
                spec.mount, spec.device, spec.fstype, spec.size, used, max(0, int(spec.size * 0.95) - used),
                inodes or None, inodes_used(inodes, used / spec.size) if inodes else None,
            )  # fmt: skip
            self._filesystems[number, used] = kept
        return kept


def _grained(value: float, grain: int) -> int:
    return int(value / grain) * grain


def _kilo(value: float) -> float:
    return float(int(value / 1024) * 1024)


def _disks(shares: _Shares, level: Levels) -> tuple[DiskFigures, ...]:
    """Split the traffic over the disks: the last one carries the data, and is the one that fails on the nas."""
    return tuple(
        [
            DiskFigures(
                name,
                _kilo(level.read_bps * share),
                _kilo(level.write_bps * share),
                float(int(level.read_bps * share / 24576)),
                float(int(level.write_bps * share / 16384)),
                int(level.busy * (10.0 if share >= 0.5 else 3.0)) / 10,
            )
            for name, share in shares
        ]
    )


def _interfaces(shares: _Shares, level: Levels) -> tuple[InterfaceFigures, ...]:
    return tuple(
        [
            InterfaceFigures(
                name,
                _kilo(level.rx_bps * share),
                _kilo(level.tx_bps * share),
                float(int(level.rx_bps * share / 820)),
                float(int(level.tx_bps * share / 1050)),
                0.0,
                0.0,
            )
            for name, share in shares
        ]
    )


def _sections(spec: HostSpec) -> Mapping[str, SectionStatus]:
    found = dict.fromkeys(SECTION_NAMES, SectionStatus.OK)
    if not spec.pressure:
        for name in ("pressure_cpu", "pressure_memory", "pressure_io"):
            found[name] = SectionStatus.ABSENT
    for name in spec.forbidden:
        found[name] = SectionStatus.FORBIDDEN
    return found
