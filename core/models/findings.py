"""What the slow collectors find on a host, one record a kind. An unknown figure is None, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from core.models.enums import SectionStatus

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """One of the processes that use the most CPU or memory; CPU in percent of one CPU over the last second or so."""

    pid: int
    name: str  # the kernel's short name, 15 characters at the most
    user: str | None = None  # login name, else the number
    state: str | None = None  # one letter, as ps(1) has it: R, S, D, Z, T, I ...
    cpu_pct: float | None = None  # may pass 100 on several CPUs; None for one that came in between
    rss: int | None = None  # bytes of resident memory; None for a kernel thread
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One unit of systemd, or a service of OpenRC: what failed, and what was asked for by name."""

    unit: str
    load: str | None = None  # loaded, not-found, masked ...
    active: str | None = None  # active, inactive, failed, activating, deactivating, reloading
    sub: str | None = None  # running, exited, dead, auto-restart ...
    description: str = ""
    result: str | None = None  # why it failed: exit-code, signal, timeout, oom-kill ...
    restarts: int | None = None  # automatic restarts since it was started
    memory: int | None = None  # bytes
    main_pid: int | None = None
    chosen: bool = False  # asked for by name
    tasks: int | None = None
    cpu_ns: int | None = None  # CPU time since it was started
    cpu_pct: float | None = None  # of one CPU since the look before; None at the first one

    @property
    def failed(self) -> bool:
        """Whether the service manager calls it failed."""
        return self.active == "failed"


@dataclass(frozen=True, slots=True)
class ContainerFigures:
    """One container of docker or podman; CPU in percent of one CPU, memory in bytes, traffic in bytes since start."""

    id: str
    name: str
    image: str
    engine: str  # docker, podman
    state: str  # running, exited, restarting, paused, created, dead
    status: str = ""  # the engine's own words: "Up 3 hours (healthy)"
    health: str | None = None  # healthy, unhealthy, starting; None: no check, or not told
    exit_code: int | None = None  # of one that has ended
    cpu_pct: float | None = None
    mem: int | None = None
    mem_limit: int | None = None
    rx: int | None = None
    tx: int | None = None
    read: int | None = None
    written: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class DriveFigures:
    """One drive (SMART) or one md array; temperature in degrees Celsius, wear and progress in percent."""

    device: str
    kind: str  # ata, nvme, scsi, md
    model: str = ""
    serial: str = ""
    size: int | None = None  # bytes
    passed: bool | None = None  # the drive's own verdict; for md: no member is missing or failed; None: not told
    asleep: bool = False  # left asleep, so that nothing was read
    temperature_c: int | None = None
    power_on_h: int | None = None
    reallocated: int | None = None  # sectors
    pending: int | None = None  # sectors that wait to be reallocated
    uncorrectable: int | None = None  # sectors (offline), or uncorrected errors of SCSI
    crc_errors: int | None = None  # mostly a bad cable
    media_errors: int | None = None  # NVMe
    wear_pct: int | None = None  # of the endurance used up; may pass 100
    spare_pct: int | None = None  # NVMe spare blocks left
    exit_bits: int | None = None  # smartctl(8), EXIT STATUS
    level: str | None = None  # md: raid1 ...
    state: str | None = None  # md: active, inactive, clean, degraded, recovering ...
    members: int | None = None  # md: as many as it should have
    working: int | None = None  # md: as many as are up
    failed: int | None = None  # md
    sync_pct: float | None = None  # md: progress of a resync, recovery, reshape or check
    problems: tuple[str, ...] = ()  # each a short line for a person; empty: none is known

    @property
    def failing(self) -> bool:
        """Whether it says itself that it fails, or an array runs without a member."""
        return self.passed is False


@dataclass(frozen=True, slots=True)
class VdevFigures:
    """One line of a pool's tree: errors counted since they were last cleared."""

    name: str
    state: str  # ONLINE, DEGRADED, FAULTED, OFFLINE, UNAVAIL, REMOVED, AVAIL, INUSE
    depth: int  # 0 is the pool itself
    read_errors: int | None = None
    write_errors: int | None = None
    checksum_errors: int | None = None
    note: str = ""  # "too many errors", "was /dev/sdc1"


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One ZFS pool; sizes in bytes, shares in percent."""

    name: str
    health: str | None = None  # ONLINE, DEGRADED, FAULTED, OFFLINE, REMOVED, UNAVAIL, SUSPENDED
    size: int | None = None
    allocated: int | None = None
    free: int | None = None
    fragmentation_pct: int | None = None
    capacity_pct: int | None = None
    status: str = ""  # zpool's own words on what is wrong
    action: str = ""  # and what it says to do
    scan: str = ""  # scrub or resilver: progress or outcome
    errors: str = ""  # "No known data errors", or what is lost
    vdevs: tuple[VdevFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetFigures:
    """One ZFS filesystem or volume; bytes."""

    name: str
    kind: str  # filesystem, volume
    used: int | None = None
    available: int | None = None
    referenced: int | None = None
    quota: int | None = None  # None: none set, or not told
    mount: str | None = None  # None: not mounted


@dataclass(frozen=True, slots=True)
class ZfsFigures:
    """All pools and datasets of a host; None: not told."""

    pools: tuple[PoolFigures, ...]
    datasets: tuple[DatasetFigures, ...] | None = None


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """Packages that wait to be updated, as far as the host's own package lists know."""

    manager: str  # apt, dnf, yum, apk, pacman
    pending: int
    security: int | None = None  # None: the package manager does not tell
    packages: tuple[str, ...] = ()  # names, at most 200, security updates first
    reboot_needed: bool | None = None  # None: not told
    running_kernel: str | None = None
    newest_kernel: str | None = None  # of those installed, where it can be told
    lists_age_s: float | None = None  # seconds since the package lists were fetched


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """One login session, as who(1) tells it; ``since`` is the host's own words (it names no zone, often no year)."""

    user: str
    line: str  # pts/0, tty1, :0
    since: str
    origin: str | None = None  # host or display it came from


@dataclass(frozen=True, slots=True)
class PortFigures:
    """One socket that listens (TCP) or is bound (UDP)."""

    protocol: str  # tcp, udp
    address: str  # without brackets; "*" is every address
    port: int
    interface: str | None = None  # a socket bound to one interface
    process: str | None = None  # None: not told (another user's, without root)
    pid: int | None = None

    @property
    def local(self) -> bool:
        """Whether it can be reached from the host itself alone."""
        return self.address.startswith(("127.", "::ffff:127.")) or self.address == "::1"


@dataclass(frozen=True, slots=True)
class Perfdatum:
    """One performance figure of a plugin; thresholds are ranges in the plugin's own form (``@10:20``)."""

    label: str
    value: float | None  # None: the plugin says U
    unit: str = ""
    warn: str = ""
    crit: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class CheckFigures:
    """The outcome of one Nagios plugin: the state is its exit code's."""

    name: str
    state: str  # ok, warning, critical, unknown
    text: str
    long_text: tuple[str, ...] = ()
    perfdata: tuple[Perfdatum, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyFigures:
    """One file of SWAG's proxy-confs: what it serves, and where that goes."""

    file: str  # wiki.subdomain.conf
    kind: str  # subdomain, subfolder, other: by the file's name
    names: tuple[str, ...] = ()  # server_name, such as wiki.*
    paths: tuple[str, ...] = ()  # locations
    upstreams: tuple[str, ...] = ()  # proxy_pass with its variables filled in: http://wiki:3000
    auth: str | None = None  # authelia, authentik, ldap, tinyauth, basic; None: nobody is asked
    tls: bool | None = None  # None: it stands within another server, which decides
    problem: str = ""  # why it cannot be read, or what is odd about it


@dataclass(frozen=True, slots=True)
class CertificateFigures:
    """One certificate of the proxy."""

    name: str  # folder of live/, or the file's name
    path: str
    not_after: datetime | None = None  # aware; None: not told
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()  # DNS names that it is good for
    ended: bool = False  # by the host's own clock
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProxiesFigures:
    """What SWAG serves; None: the certificates are not told, ``note`` says why."""

    proxies: tuple[ProxyFigures, ...]
    certificates: tuple[CertificateFigures, ...] | None = None
    samples: int | None = None  # ready-made files that are not switched on
    note: str = ""


Value = (
    tuple[ProcessFigures, ...]
    | tuple[ServiceFigures, ...]
    | tuple[ContainerFigures, ...]
    | tuple[DriveFigures, ...]
    | tuple[SessionFigures, ...]
    | tuple[PortFigures, ...]
    | tuple[object, ...]
    | ZfsFigures
    | UpdateFigures
    | CheckFigures
    | ProxiesFigures
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run of one collector gave. ``value`` is None unless the status is OK; an empty tuple is a true none."""

    kind: str  # the collector's name
    status: SectionStatus
    value: Value | None = None
    detail: str = ""  # one clear line, with the way out where something is wrong
    severity: Level = "info"  # what the value says: a failed unit is an error
