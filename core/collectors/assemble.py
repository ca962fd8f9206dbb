"""From frames to samples: one assembler a stream keeps the counters that the rates need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.collectors import disk, io, net, system
from core.collectors.counted import Counted
from core.collectors.frame import Frame, parse_frame
from core.collectors.layout import KIB, MAX_WORDS, Layout, Mounted, Reading, learn
from core.collectors.rates import Devices, interval
from core.collectors.shape import Shapes
from core.exceptions import DataCollectionError
from core.models import (
    FilesystemFigures,
    HostSample,
    SectionStatus,
    SystemFigures,
)
from core.models.making import maker, twin

T = TypeVar("T")
_SYSTEM = ("stat", "meminfo", "loadavg")
_LAYOUTS = 4  # with and without filesystems, and two to spare
_LOAD_MAX = 1e7
_NO_SHARES = (None, None, None, None, None)
_make_sample, _make_system, _Mount = maker(HostSample), maker(SystemFigures), twin(FilesystemFigures)


class SampleAssembler:
    """Turns the frames of one host into samples. A section that cannot be read is BROKEN and its figures None."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._boot_id: str | None = None
        self._uptime: float | None = None
        self._cpu: system.CpuCounters | None = None
        self._disks = Devices(io.disk_rows, io.disk_counters, io.real_disks, io.disk_figures)
        self._interfaces = Devices(net.net_rows, net.net_counters, net.shown_interfaces, net.interface_figures)
        self._mounts: tuple[bytes, dict[str, str]] = (b"", {})
        self._counted = Counted(self._disks, self._interfaces)
        self._layouts: dict[int, Layout] = {}  # by the number of words
        self._shapes = Shapes()
        self._missed = 0  # frames in a row that no layout fitted

    def feed(self, frame: bytes, received: datetime) -> HostSample:
        """Return the sample of one frame (UTC time of receipt); raise DataCollectionError if nothing can be read."""
        known = self._shapes.read(frame) or self._laid_out(frame)
        if known is not None and (sample := self._quick(*known, received)) is not None:
            self._missed = 0
            return sample
        sample = self._careful(frame, received)
        self._missed += 1
        if self._missed & (self._missed - 1) == 0:  # ever more seldom where it is in vain
            words = len(frame.split())
            if words <= MAX_WORDS:
                self._learn(frame, words, sample)
        return sample

    def _laid_out(self, frame: bytes) -> tuple[Layout, Reading] | None:
        """Return the figures of a frame by the layout of one with as many words."""
        words = frame.split()
        layout = self._layouts.get(len(words))
        if layout is None or (reading := layout.read(frame, words)) is None:
            return None
        self._shapes.learn(frame, layout)
        return layout, reading

    def _learn(self, frame: bytes, words: int, sample: HostSample) -> None:
        layout = learn(
            frame,
            sample.sections,
            sample.boot_id,
            sample.system.cpus,
            self._disks.chosen if sample.disks is not None else None,
            self._interfaces.chosen if sample.interfaces is not None else None,
            sample.filesystems,
        )
        self._layouts.pop(words, None)
        if layout is not None:
            if len(self._layouts) >= _LAYOUTS:
                del self._layouts[next(iter(self._layouts))]
            self._layouts[words] = layout

    def _quick(self, layout: Layout, reading: Reading, received: datetime) -> HostSample | None:
        """Make the sample of a frame that was read by position; None, and nothing changed, where a figure is odd."""
        ints, (uptime, load1, load5, load15, *more) = reading
        clock = more.pop(0) if layout.clock else None
        psi = more if layout.pressure else (None, None, None)
        total, available, swap_total, swap_free = ints[12:16]
        odd = not total or max(load1, load5, load15) >= _LOAD_MAX or (layout.pressure and max(more) > 100.0)
        if odd or layout.boot_id != self._boot_id or self._uptime is None or uptime < self._uptime:
            return None
        seconds = interval(self._uptime, uptime)
        self._uptime = uptime
        cpu = system.CpuCounters._make((*ints[1:9], layout.cpus, *ints[9:12]))
        before, self._cpu = self._cpu, cpu
        shares = system.cpu_shares(before, cpu) if before is not None else None
        figures = _make_system(
            *(shares or _NO_SHARES),
            cpu.cpus,
            load1,
            load5,
            load15,
            total * KIB,
            available * KIB if available <= total else None,
            swap_total * KIB,
            swap_free * KIB,
            *psi,
            cpu.procs_running,
            cpu.procs_blocked,
        )
        disks, interfaces, at = self._counted.take(layout, ints, seconds)
        mounted = None
        if layout.mounts is not None:
            mounted = _mounted(layout.mounts, ints, at)
        host_clock = _moment(clock if clock is not None else ints[9] + uptime)
        return _make_sample(
            self._host, received, ints[0], layout.boot_id, uptime, host_clock, figures, mounted, disks, interfaces,
            layout.sections, seconds,
        )  # fmt: skip

    def _careful(self, frame: bytes, received: datetime) -> HostSample:
        self._counted.hand_over()
        parsed = parse_frame(frame)
        sections = {name: status for name, (status, _) in parsed.sections.items()}
        seconds = self._interval(parsed)
        cpu = self._read(parsed, sections, "stat", system.parse_stat)
        figures = self._system(parsed, sections, cpu)
        disks = self._devices(parsed, sections, "diskstats", self._disks, seconds)
        interfaces = self._devices(parsed, sections, "netdev", self._interfaces, seconds)
        mounted = self._filesystems(parsed, sections)
        if all(sections.get(name) is not SectionStatus.OK for name in _SYSTEM):
            raise self._nothing(sections)
        self._boot_id, self._uptime = parsed.boot_id, parsed.uptime_s
        return HostSample(
            host=self._host,
            ts=received,
            seq=parsed.seq,
            boot_id=parsed.boot_id,
            uptime_s=parsed.uptime_s,
            host_clock=_clock(parsed, cpu),
            system=figures,
            filesystems=mounted,
            disks=disks,
            interfaces=interfaces,
            sections=sections,
            interval_s=seconds,
        )

    def _interval(self, frame: Frame) -> float | None:
        """Seconds since the last frame; forgets all counters where the host was booted in between."""
        seconds = interval(self._uptime, frame.uptime_s)
        rebooted = self._boot_id is not None and frame.boot_id != self._boot_id
        back = self._uptime is not None and frame.uptime_s is not None and frame.uptime_s < self._uptime
        if rebooted or back:
            self._cpu = None
            self._disks.forget()
            self._interfaces.forget()
            return None
        return seconds

    def _read(
        self, frame: Frame, sections: dict[str, SectionStatus], name: str, parse: Callable[[bytes], T]
    ) -> T | None:
        status, text = frame.sections.get(name, (SectionStatus.ABSENT, b""))
        # df that ran into its time limit still tells of the local filesystems.
        if status is not SectionStatus.OK and not (status is SectionStatus.TIMEOUT and text):
            return None
        try:
            return parse(text)
        except DataCollectionError:
            sections[name] = SectionStatus.BROKEN
            return None

    def _system(
        self, frame: Frame, sections: dict[str, SectionStatus], cpu: system.CpuCounters | None
    ) -> SystemFigures:
        before, self._cpu = self._cpu, cpu
        shares = system.cpu_shares(before, cpu) if before is not None and cpu is not None else None
        memory = self._read(frame, sections, "meminfo", system.parse_meminfo)
        load = self._read(frame, sections, "loadavg", system.parse_loadavg) or (None, None, None)
        pressure = [
            self._read(frame, sections, name, system.parse_pressure)
            for name in ("pressure_cpu", "pressure_memory", "pressure_io")
        ]
        return SystemFigures(
            cpu_pct=shares.busy if shares else None,
            user_pct=shares.user if shares else None,
            system_pct=shares.system if shares else None,
            iowait_pct=shares.iowait if shares else None,
            steal_pct=shares.steal if shares else None,
            cpus=cpu.cpus if cpu else None,
            load1=load[0],
            load5=load[1],
            load15=load[2],
            mem_total=memory.total if memory else None,
            mem_available=memory.available if memory else None,
            swap_total=memory.swap_total if memory else None,
            swap_free=memory.swap_free if memory else None,
            psi_cpu=pressure[0],
            psi_memory=pressure[1],
            psi_io=pressure[2],
            procs_running=cpu.procs_running if cpu else None,
            procs_blocked=cpu.procs_blocked if cpu else None,
        )

    def _devices(
        self,
        frame: Frame,
        sections: dict[str, SectionStatus],
        name: str,
        devices: Devices[Any, Any, T],
        seconds: float | None,
    ) -> tuple[T, ...] | None:
        figures = self._read(frame, sections, name, lambda text: devices.read(text, seconds))
        if figures is None:
            devices.forget()  # the interval of the next frame reaches not so far back
        return figures

    def _types(self, text: bytes) -> dict[str, str]:
        if text != self._mounts[0]:
            self._mounts = (text, disk.parse_mounts(text))
        return self._mounts[1]

    def _filesystems(self, frame: Frame, sections: dict[str, SectionStatus]) -> tuple[FilesystemFigures, ...] | None:
        rows = self._read(frame, sections, "df", disk.parse_df)
        if rows is None:
            return None
        inodes = self._read(frame, sections, "dfi", lambda text: disk.parse_df(text, "dfi"))
        return disk.filesystems(rows, inodes, self._read(frame, sections, "mounts", self._types))

    def _nothing(self, sections: dict[str, SectionStatus]) -> DataCollectionError:
        seen = {sections.get(name, SectionStatus.ABSENT) for name in _SYSTEM}
        if seen == {SectionStatus.ABSENT}:
            why = "no /proc on this host: only Linux hosts can be watched"
        elif seen <= {SectionStatus.ABSENT, SectionStatus.FORBIDDEN}:
            why = "the login may not read /proc: use another login, or mount /proc without restrictions"
        else:
            why = "stat, meminfo and loadavg cannot be read"
        return DataCollectionError(
            f"{self._host}: {why}", hostname=self._host, operation="collect", details={"kind": "data"}
        )


def _mounted(mounts: Sequence[Mounted], ints: Sequence[int], at: int) -> tuple[FilesystemFigures, ...]:
    """Return the filesystems from their numbers: size, used, available in KiB, then inodes and inodes used."""
    made = []
    for mount, device, fstype, counts_inodes in mounts:
        size, used, free = ints[at : at + 3]
        at += 3
        inodes = inodes_used = None
        if counts_inodes:
            inodes, inodes_used = ints[at : at + 2]
            at += 2
        one = _Mount(mount, device, fstype, size * KIB, used * KIB, free * KIB, inodes, inodes_used)
        one.__class__ = FilesystemFigures
        made.append(one)
    return tuple(made)


def _clock(frame: Frame, cpu: system.CpuCounters | None) -> datetime | None:
    """The host's wall clock; the sh loop has none, so there it is boot time plus uptime (within a second)."""
    seconds = frame.clock
    if seconds is None and cpu is not None and cpu.btime is not None and frame.uptime_s is not None:
        seconds = cpu.btime + frame.uptime_s
    return None if seconds is None else _moment(seconds)


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
