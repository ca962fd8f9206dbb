"""The inventory's hosts and what their frames say. An unknown figure is None, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.models.enums import HostState, Reason, SectionStatus

if TYPE_CHECKING:
    from core.models.inspection import HostFinding
    from core.models.items import ItemHistory


@dataclass(frozen=True, slots=True)
class Host:
    """One line of the inventory. ``name`` is the key; address defaults to it (ssh_config may map it)."""

    name: str
    address: str = ""
    port: int | None = None  # None: as ssh_config says, else 22
    user: str | None = None
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    interval_s: float | None = None  # None: PollingSettings.interval
    identity_files: tuple[str, ...] = ()
    known_hosts: str | None = None  # None: SSHSettings.known_hosts
    maintenance: bool = False
    simulated: bool = False
    maintenance_until: datetime | None = None  # aware; None: until somebody ends it
    collectors: tuple[str, ...] | None = None  # None: as MonitoringSettings.collectors says
    sudo: tuple[str, ...] = ()  # collectors that run by ``sudo -n``
    services: tuple[str, ...] = ()  # units that are watched beside those that failed

    @property
    def target(self) -> str:
        """The name given to SSH."""
        return self.address or self.name

    @property
    def maintenance_line(self) -> str:
        """What a host in maintenance says of itself."""
        end = self.maintenance_until
        return f"not polled until {f'{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC' if end else 'somebody ends it'}"

    def at(self, now: datetime) -> Host:
        """Return the host as it is at that moment: maintenance that has reached its end is over."""
        if self.maintenance_until is None or (self.maintenance and now < self.maintenance_until):
            return self
        return replace(self, maintenance=False, maintenance_until=None)


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """CPU in percent of all CPUs over the interval, memory in bytes, pressure as ``some avg10`` in percent."""

    cpu_pct: float | None = None
    user_pct: float | None = None
    system_pct: float | None = None
    iowait_pct: float | None = None
    steal_pct: float | None = None
    cpus: int | None = None
    load1: float | None = None
    load5: float | None = None
    load15: float | None = None
    mem_total: int | None = None
    mem_available: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None
    psi_cpu: float | None = None
    psi_memory: float | None = None
    psi_io: float | None = None
    procs_running: int | None = None
    procs_blocked: int | None = None

    @property
    def mem_pct(self) -> float | None:
        """Used memory (total less available) in percent."""
        if not self.mem_total or self.mem_available is None:
            return None
        return 100.0 * (self.mem_total - self.mem_available) / self.mem_total


@dataclass(frozen=True, slots=True)
class FilesystemFigures:
    """One mounted filesystem; sizes in bytes; ``used_pct`` is df's own (used of used plus available)."""

    mount: str
    device: str
    fstype: str | None = None
    size: int | None = None
    used: int | None = None
    available: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None

    @property
    def used_pct(self) -> float | None:
        """Used of what an ordinary user can have, in percent, as df counts it."""
        if self.used is None or self.available is None or self.used + self.available <= 0:
            return None
        return 100.0 * self.used / (self.used + self.available)


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """One block device: bytes/s, operations/s, busy time in percent. None on the first frame of a boot."""

    device: str
    read_bps: float | None = None
    write_bps: float | None = None
    read_iops: float | None = None
    write_iops: float | None = None
    busy_pct: float | None = None


@dataclass(frozen=True, slots=True)
class InterfaceFigures:
    """One network interface: bytes/s, packets/s, errors and drops per second."""

    interface: str
    rx_bps: float | None = None
    tx_bps: float | None = None
    rx_pps: float | None = None
    tx_pps: float | None = None
    errors_ps: float | None = None
    drops_ps: float | None = None


@dataclass(frozen=True, slots=True)
class HostSample:
    """What one frame of one host said. ``ts`` is the time of receipt (UTC), assigned once."""

    host: str
    ts: datetime
    seq: int
    boot_id: str | None
    uptime_s: float | None
    host_clock: datetime | None
    system: SystemFigures
    filesystems: tuple[FilesystemFigures, ...] | None = None  # None: not known in this frame
    disks: tuple[DiskFigures, ...] | None = None
    interfaces: tuple[InterfaceFigures, ...] | None = None
    sections: Mapping[str, SectionStatus] = field(default_factory=dict)
    interval_s: float | None = None  # seconds of the host's uptime that the rates cover


@dataclass(frozen=True, slots=True)
class Transition:
    """A host went from one state to another; stored as a row and emitted once."""

    host: str
    ts: datetime
    old: HostState
    new: HostState
    reason: Reason = Reason.NONE
    detail: str = ""  # one clear line with the way out


@dataclass(frozen=True, slots=True)
class HostHistory:
    """A short bounded history for sparklines; one value a sample, None where unknown; oldest first."""

    cpu: tuple[float | None, ...] = ()
    mem: tuple[float | None, ...] = ()
    net: tuple[float | None, ...] = ()  # rx plus tx, bytes/s
    load: tuple[float | None, ...] = ()
    disk: tuple[float | None, ...] = ()  # the fullest filesystem, percent
    io: tuple[float | None, ...] = ()  # busiest disk, percent
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPlot:
    """A host's past in steps of ``step_s`` seconds; ``source``: where its own figures are from, raw, 1m or 1h.

    ``low`` and ``high`` are the least and the greatest within each step, where a mean stands in ``history``.
    """

    history: HostHistory
    source: str
    step_s: float
    low: HostHistory = field(default_factory=HostHistory)
    high: HostHistory = field(default_factory=HostHistory)


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as the panes see it. ``version`` grows with each change of anything in it."""

    host: Host
    state: HostState
    reason: Reason = Reason.NONE
    detail: str = ""
    since: datetime | None = None  # of the state
    sample: HostSample | None = None
    history: HostHistory = HostHistory()
    version: int = 0
    failures: int = 0  # attempts that failed in a row
    next_try: datetime | None = None
    lag_s: float | None = None  # how much later than due the last frame came
    findings: Mapping[str, HostFinding] = field(default_factory=dict)  # the latest of each slow collector, by kind
    # What containers and units used at the last looks, by kind and name.
    items: Mapping[tuple[str, str], ItemHistory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostKeyReview:
    """A host key that waits for a person: unknown (old is empty) or changed."""

    host: str
    address: str
    port: int
    key_type: str
    fingerprint: str  # SHA256:..., of the key offered
    public_key: str  # OpenSSH form, one line
    changed: bool
    old_fingerprints: tuple[str, ...] = ()
    known_hosts: str = ""  # file that an accepted key is appended to
    at: datetime | None = None
    hashed: bool = False  # ssh_config says HashKnownHosts yes
    dns: str = ""  # what SSHFP records say of it: a hint, empty where they were not asked for


@dataclass(frozen=True, slots=True)
class SecretRequest:
    """A passphrase, a password or an answer that only a person knows, and the hosts that wait for it."""

    kind: str  # passphrase, password, answer
    place: str  # USER@HOST, or the key file
    text: str  # the question, in the host's own words
    instruction: str = ""
    echo: bool = False  # what is typed may be shown
    lasting: bool = True  # False: good once, such as a code
    refused: bool = False  # an earlier answer was wrong
    turn: int = 1  # 2: the second question of one login in the same words
    hosts: tuple[str, ...] = ()
    at: datetime | None = None

    def same_as(self, other: SecretRequest) -> bool:
        """Whether it is the same question, whoever waits for it."""
        return (self.kind, self.place, self.text, self.turn) == (other.kind, other.place, other.text, other.turn)
