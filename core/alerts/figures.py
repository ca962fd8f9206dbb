"""What rules look at: each figure is read of a host's view, item by item. None is unknown: no trouble and no health."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.models import (
    CheckFigures,
    ContainerFigures,
    DriveFigures,
    FilesystemFigures,
    HostFinding,
    HostSample,
    HostView,
    SectionStatus,
    ServiceFigures,
    UpdateFigures,
    ZfsFigures,
)

Reading = tuple[str, float | None, str]
"""Item (empty: the host as a whole), value, and words that go with it."""


class Source(StrEnum):
    """What a figure is read of, and so when it is read anew."""

    SAMPLE = "sample"  # each frame
    FILESYSTEMS = "filesystems"  # each frame that has them
    FINDINGS = "findings"  # each answer of a slow collector
    HOST = "host"  # the state of the host, each look while it is away
    PROGRAM = "program"  # Jumpwatch itself: each look


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: how it is told, in which unit, and how it is read; ``kind`` is the collector that it needs."""

    name: str
    words: str  # "{item} {value} full"; {note} is the reading's own words
    unit: str
    source: Source
    read: Callable[[Any], Iterable[Reading]]
    kind: str = ""


def _engine(_: Any) -> Iterable[Reading]:
    """Read by the engine itself, which knows more than one view."""
    return ()


def _one(value: float | None, note: str = "") -> tuple[Reading, ...]:
    return (("", value, note),)


# Of a frame.
def _cpu(sample: HostSample) -> Iterable[Reading]:
    return _one(sample.system.cpu_pct)


def _load(sample: HostSample) -> Iterable[Reading]:
    system = sample.system
    return _one(system.load5 / system.cpus if system.load5 is not None and system.cpus else None)


def _iowait(sample: HostSample) -> Iterable[Reading]:
    return _one(sample.system.iowait_pct)


def _memory(sample: HostSample) -> Iterable[Reading]:
    return _one(sample.system.mem_pct)


def _memory_and_swap(sample: HostSample) -> Iterable[Reading]:
    """Share in use of memory and swap together: full swap alone, and full memory beside free swap, are no trouble."""
    s = sample.system
    if not s.mem_total or s.mem_available is None or s.swap_total is None or s.swap_free is None:
        return _one(None)
    return _one(100.0 * (1.0 - (s.mem_available + s.swap_free) / (s.mem_total + s.swap_total)))


def _memory_stalls(sample: HostSample) -> Iterable[Reading]:
    return _one(sample.system.psi_memory)


def _io_stalls(sample: HostSample) -> Iterable[Reading]:
    return _one(sample.system.psi_io)


def _disk(filesystems: tuple[FilesystemFigures, ...]) -> Iterable[Reading]:
    return [(each.mount, each.used_pct, "") for each in filesystems if not _read_only(each)]


def _inodes(filesystems: tuple[FilesystemFigures, ...]) -> Iterable[Reading]:
    return [
        (f.mount, 100.0 * f.inodes_used / f.inodes if f.inodes and f.inodes_used is not None else None, "")
        for f in filesystems
        if not _read_only(f)
    ]


def _read_only(filesystem: FilesystemFigures) -> bool:
    """Images are full by nature: squashfs of snaps, CDs."""
    return filesystem.fstype in ("squashfs", "iso9660", "udf", "erofs", "cramfs")


# Of a finding.
def _failed_units(value: Any) -> Iterable[Reading]:
    return [(unit.unit, 1.0, unit.result or "") for unit in _of(value, ServiceFigures) if unit.failed]


def _unit_restarts(value: Any) -> Iterable[Reading]:
    return [(unit.unit, float(unit.restarts), "") for unit in _of(value, ServiceFigures) if unit.restarts is not None]


def _unhealthy(value: Any) -> Iterable[Reading]:
    return [(each.name, 1.0, "") for each in _of(value, ContainerFigures) if each.health == "unhealthy"]


_YOUNG = re.compile(r"Up (?:Less than a second|About a minute|\d+ seconds?)", re.IGNORECASE)


def _restarting(value: Any) -> Iterable[Reading]:
    """A container in a restart loop waits for its next start, or has just been started."""
    return [
        (each.name, 1.0, "")
        for each in _of(value, ContainerFigures)
        if each.state == "restarting" or (each.state == "running" and _YOUNG.match(each.status))
    ]


def _failing_drives(value: Any) -> Iterable[Reading]:
    return [(each.device, 1.0, "; ".join(each.problems[:2])) for each in _of(value, DriveFigures) if each.failing]


def _worn_drives(value: Any) -> Iterable[Reading]:
    return [
        (each.device, 1.0, "; ".join(each.problems[:2]))
        for each in _of(value, DriveFigures)
        if each.problems and not each.failing
    ]


def _pools(value: Any) -> Iterable[Reading]:
    if not isinstance(value, ZfsFigures):
        return ()
    return [
        (pool.name, 1.0, pool.health) for pool in value.pools if pool.health is not None and pool.health != "ONLINE"
    ]


def _pool_use(value: Any) -> Iterable[Reading]:
    if not isinstance(value, ZfsFigures):
        return ()
    return [(pool.name, None if pool.capacity_pct is None else float(pool.capacity_pct), "") for pool in value.pools]


def _reboot(value: Any) -> Iterable[Reading]:
    if not isinstance(value, UpdateFigures) or value.reboot_needed is None:
        return _one(None)
    return _one(float(value.reboot_needed), value.newest_kernel or "")


def _security(value: Any) -> Iterable[Reading]:
    known = isinstance(value, UpdateFigures) and value.security is not None
    return _one(float(value.security) if known else None)


_CHECK_STATES = {"ok": 0.0, "warning": 1.0, "critical": 2.0}


def _check(value: Any) -> Iterable[Reading]:
    if not isinstance(value, CheckFigures):
        return ()
    return ((value.name, _CHECK_STATES.get(value.state), value.text[:200]),)


def _certificates(told: HostFinding) -> Iterable[Reading]:
    """Seconds that certificates are good for: of any collector whose rows tell a name and when it ``expires``."""
    rows = told.finding.value if isinstance(told.finding.value, tuple) else ()
    found = []
    for row in rows[:1000]:
        get = row.get if isinstance(row, Mapping) else lambda name, row=row: getattr(row, name, None)
        end, name = _moment(get("expires")), get("name")
        if end is not None and isinstance(name, str):
            found.append((name[:200], (end - told.ts).total_seconds(), f"on {end:%Y-%m-%d}"))
    return found


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _of(value: Any, kind: type[Any]) -> list[Any]:
    return [each for each in value if isinstance(each, kind)] if isinstance(value, tuple) else []


# Of the host.
def _broken_collectors(view: HostView) -> Iterable[Reading]:
    """Collectors that were allowed and do not answer, or answer what cannot be read."""
    trouble = (SectionStatus.TIMEOUT, SectionStatus.BROKEN)
    return [
        (kind, 1.0, found.finding.status.value)
        for kind, found in view.findings.items()
        if found.finding.status in trouble
    ]


SAMPLE, FILES, FOUND = Source.SAMPLE, Source.FILESYSTEMS, Source.FINDINGS
FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("cpu.pct", "CPU {value} busy", "%", SAMPLE, _cpu),
        Figure("cpu.load", "load {value} a CPU", "", SAMPLE, _load),
        Figure("cpu.iowait_pct", "CPU {value} waiting for disks", "%", SAMPLE, _iowait),
        Figure("memory.pct", "memory {value} used", "%", SAMPLE, _memory),
        Figure("memory.with_swap_pct", "memory and swap {value} used", "%", SAMPLE, _memory_and_swap),
        Figure("memory.stalls_pct", "stalled {value} of the time for memory", "%", SAMPLE, _memory_stalls),
        Figure("disk.stalls_pct", "stalled {value} of the time for disks", "%", SAMPLE, _io_stalls),
        Figure("clock.off_s", "clock {value} off", "s", SAMPLE, _engine),
        Figure("disk.pct", "{item} {value} full", "%", FILES, _disk),
        Figure("disk.inodes_pct", "{item} {value} of its inodes used", "%", FILES, _inodes),
        Figure("disk.full_in", "{item} full in {value} ({note})", "time", FILES, _engine),  # a forecast
        Figure("unit.failed", "{item} failed ({note})", "state", FOUND, _failed_units, "services"),
        Figure("unit.restarts", "{item} restarted {value} times", "", FOUND, _unit_restarts, "services"),
        Figure("container.unhealthy", "{item} is unhealthy", "state", FOUND, _unhealthy, "containers"),
        Figure("container.restarting", "{item} restarts again and again", "state", FOUND, _restarting, "containers"),
        Figure("drive.failing", "{item} fails: {note}", "state", FOUND, _failing_drives, "drives"),
        Figure("drive.problems", "{item}: {note}", "state", FOUND, _worn_drives, "drives"),
        Figure("zfs.degraded", "pool {item} is {note}", "state", FOUND, _pools, "zfs"),
        Figure("zfs.pct", "pool {item} {value} full", "%", FOUND, _pool_use, "zfs"),
        Figure("updates.reboot", "a reboot is due ({note})", "state", FOUND, _reboot, "updates"),
        Figure("updates.security", "{value} security updates wait", "", FOUND, _security, "updates"),
        Figure("check.state", "check {item}: {note}", "state", FOUND, _check, "check"),
        Figure("certificate.left", "certificate {item} ends in {value} ({note})", "time", FOUND, _certificates, "*"),
        Figure("collector.broken", "{item} does not answer ({note})", "state", FOUND, _broken_collectors),
        Figure("collector.silent", "no news of {item} for {value}", "time", SAMPLE, _engine),
        Figure("host.away", "{note}", "state", Source.HOST, _engine),
        Figure("host.key_changed", "{note}", "state", Source.HOST, _engine),
        Figure("hosts.away_pct", "{note}", "%", Source.PROGRAM, _engine),
        Figure("database.away", "{note}", "state", Source.PROGRAM, _engine),
        Figure("database.job_failed", "{note}", "state", Source.PROGRAM, _engine),
        Figure("spool.samples", "{value} more samples wait on disk for the database", "", Source.PROGRAM, _engine),
        Figure("samples.lost", "{value} samples lost", "", Source.PROGRAM, _engine),
    )
}
