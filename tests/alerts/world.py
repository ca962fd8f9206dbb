"""A small world for the alert engine: hosts that say what a scenario wants, and clocks moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from core.alerts.book import Step
from core.alerts.defaults import DEFAULTS
from core.alerts.engine import AlertEngine
from core.alerts.rules import Rule, RuleSet
from core.models import (
    Alert,
    DatabaseState,
    DatabaseView,
    FilesystemFigures,
    Finding,
    FleetView,
    Host,
    HostFinding,
    HostSample,
    HostState,
    HostView,
    Level,
    Reason,
    SectionStatus,
    SystemFigures,
    WriterStats,
)

START = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
GIB = 1 << 30
CALM = SystemFigures(
    cpu_pct=12.0, cpus=4, load1=0.4, load5=0.4, load15=0.4, iowait_pct=0.5, mem_total=8 * GIB, mem_available=5 * GIB,
    swap_total=2 * GIB, swap_free=2 * GIB, psi_cpu=0.0, psi_memory=0.0, psi_io=0.0,
)  # fmt: skip


class HandClock:
    """Clocks moved by hand; ``monotonic`` stands still while the laptop sleeps."""

    def __init__(self) -> None:
        self.wall, self.ticks = START, 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks


@dataclass
class Box:
    """One host and what it says at the moment."""

    host: Host
    system: SystemFigures = CALM
    disks: dict[str, float] = field(default_factory=lambda: {"/": 40.0, "/var": 50.0})  # percent used
    state: HostState = HostState.ONLINE
    reason: Reason = Reason.NONE
    detail: str = ""
    clock_off_s: float = 0.0
    findings: Mapping[str, HostFinding] = field(default_factory=dict)
    silent: bool = False  # it sends no frames
    view: HostView | None = None
    sample: HostSample | None = None
    seq: int = 0


class World:
    """Hosts, Jumpwatch's own state, and the engine that looks at them each ``interval_s`` seconds."""

    def __init__(self, *hosts: str, rules: tuple[Rule, ...] = DEFAULTS, interval_s: float = 10.0) -> None:
        self.clock, self.interval_s = HandClock(), interval_s
        self.rules = RuleSet(rules)
        self.boxes = {name: Box(Host(name)) for name in hosts or ("web-01",)}
        self.engine = AlertEngine(self.rules, self.clock, interval_s=interval_s)
        self.database, self.writer, self.paused = DatabaseView(DatabaseState.CONNECTED), WriterStats(), False
        self.steps: list[Step] = []
        self.look()

    @property
    def box(self) -> Box:
        """The first host."""
        return next(iter(self.boxes.values()))

    def run(self, seconds: float, change: Callable[[float], None] | None = None) -> None:
        """Let time go by; ``change`` is called before each round with the seconds gone since the call."""
        gone = 0.0
        while gone < seconds:
            gone += self.interval_s
            self.clock.wall += timedelta(seconds=self.interval_s)
            self.clock.ticks += self.interval_s
            if change is not None:
                change(gone)
            self.poll()
            self.look()

    def sleep(self, seconds: float) -> None:
        """The laptop sleeps: the wall clock goes on without us."""
        self.clock.wall += timedelta(seconds=seconds)

    def poll(self) -> None:
        """Let each host that is up send a frame."""
        for box in self.boxes.values():
            if not self.paused and not box.silent and box.state in (HostState.ONLINE, HostState.DEGRADED):
                box.seq += 1
                box.sample = self._sample(box)
                box.view = None

    def look(self) -> None:
        """Let the engine look at what there is."""
        self.engine.look(self.view(), paused=self.paused)
        self.steps += self.engine.steps()

    def view(self) -> FleetView:
        """Return the fleet as LiveState would: hosts that did not change are the same objects."""
        return FleetView(
            at=self.clock.now(),
            hosts=tuple(self._view(box) for box in self.boxes.values()),
            database=self.database,
            writer=self.writer,
        )

    def set(self, name: str, **changes: Any) -> None:
        """Change what a host is."""
        box = self.boxes[name]
        for key, value in changes.items():
            setattr(box, key, value)
        box.view = None

    def down(self, name: str, reason: Reason = Reason.FILTERED) -> None:
        """The host cannot be reached from now on."""
        self.set(name, state=HostState.OFFLINE, reason=reason, detail=f"{reason.value}: nothing answers")

    def up(self, name: str) -> None:
        """The host is back."""
        self.set(name, state=HostState.ONLINE, reason=Reason.NONE, detail="")

    def find(
        self, name: str, kind: str, value: Any, level: Level = "info", status: SectionStatus = SectionStatus.OK
    ) -> None:
        """A slow collector answers."""
        found = HostFinding(name, self.clock.now(), Finding(kind, status, value, "", level))
        box = self.boxes[name]
        self.set(name, findings={**box.findings, kind: found})

    def restart(self, stored: tuple[Alert, ...]) -> None:
        """Begin again with a new engine that knows what was stored."""
        self.engine = AlertEngine(self.rules, self.clock, interval_s=self.interval_s)
        self.engine.restore(stored)
        self.look()

    @property
    def open(self) -> dict[tuple[str, str], Alert]:
        """The alerts that stand, by rule and by host or item."""
        return {(a.rule, a.item or a.host): a for a in self.engine.alerts if a.resolved is None}

    def told(self, change: str) -> list[str]:
        """What a person was told, as ``rule item``."""
        return [
            f"{step.alert.rule} {step.alert.item or step.alert.host}".strip()
            for step in self.steps
            if step.loud and step.change.change == change
        ]

    def _sample(self, box: Box) -> HostSample:
        now = self.clock.now()
        size = 100 * GIB
        filesystems = tuple(
            FilesystemFigures(mount, "/dev/x", "ext4", size, int(size * pct / 100), int(size * (1 - pct / 100)))
            for mount, pct in box.disks.items()
        )
        clock = now + timedelta(seconds=box.clock_off_s)
        return HostSample(
            box.host.name, now, box.seq, "boot", 1000.0 + box.seq, clock, box.system, filesystems, None, None,
            {"stat": SectionStatus.OK}, self.interval_s,
        )  # fmt: skip

    def _view(self, box: Box) -> HostView:
        if box.view is None:
            box.view = HostView(
                box.host.at(self.clock.now()), box.state, box.reason, box.detail, sample=box.sample,
                findings=box.findings,
            )  # fmt: skip
        return box.view


def busy(pct: float) -> SystemFigures:
    """A host with its CPUs busy."""
    return replace(CALM, cpu_pct=pct)
