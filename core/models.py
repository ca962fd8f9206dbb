"""The frozen records that travel between the lanes. An unknown figure is None, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class HostState(StrEnum):
    """What is known of a host, worst last."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class Reason(StrEnum):
    """Why a host is not online; failures that want different remedies are told apart."""

    NONE = ""
    PENDING = "pending"  # not tried yet
    NAME = "name"  # the name does not resolve
    ROUTE = "route"  # no route, network unreachable
    PORT = "port"  # connection refused
    FILTERED = "filtered"  # nothing answers the TCP connect
    PROTOCOL = "protocol"  # something else than SSH answers
    KEY_UNKNOWN = "key-unknown"
    KEY_CHANGED = "key-changed"
    LOGIN = "login"
    SHELL = "shell"  # logged in, but the loop does not run
    TIMEOUT = "timeout"
    LOST = "lost"  # the connection broke
    DATA = "data"  # frames come, nothing in them can be read
    RESOURCE = "resource"  # degraded: a figure over its threshold


class SectionStatus(StrEnum):
    """What became of one section of a frame on the host."""

    OK = "ok"
    ABSENT = "absent"  # the host has no such thing
    FORBIDDEN = "forbidden"  # it has, and the login may not read it
    TIMEOUT = "timeout"
    BROKEN = "broken"  # it was sent and cannot be read


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

    @property
    def target(self) -> str:
        """The name given to SSH."""
        return self.address or self.name


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


class StorageMode(StrEnum):
    """Where the data lives; written into the database at init, never flips by itself."""

    TIMESCALEDB = "timescaledb"
    PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True)
class Capability:
    """What the connected server can do, read once a connection to a server."""

    mode: StorageMode
    server_version: str  # "18.0"
    extension_version: str | None  # TimescaleDB's, or None
    licence: str | None  # "timescale", "apache" or None
    background_workers: bool  # jobs run by themselves
    single_session: bool  # the WebAssembly engine
    copy: bool  # binary COPY FROM STDIN works
    role: str
    superuser: bool
    kind: str  # "given", "embedded" or "wasm"
    owner: bool = True  # the role may change our tables (owns them, or is a superuser)

    @property
    def compression(self) -> bool:
        """Chunks can be compressed here."""
        return self.mode is StorageMode.TIMESCALEDB and self.licence == "timescale"


@dataclass(frozen=True, slots=True)
class HypertableInfo:
    """A hypertable or partitioned table with its totals (bytes, rows estimated)."""

    name: str
    chunks: int
    compressed_chunks: int
    total_bytes: int | None
    before_bytes: int | None  # of the compressed chunks, before compression
    after_bytes: int | None
    chunk_interval_s: float | None
    compress_after_s: float | None
    drop_after_s: float | None
    compression_enabled: bool = False
    rollup: bool = False

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after, over the compressed chunks."""
        if not self.before_bytes or not self.after_bytes:
            return None
        return self.before_bytes / self.after_bytes


@dataclass(frozen=True, slots=True)
class ChunkInfo:
    """One chunk or partition; ``name`` is schema-qualified and unique in the database."""

    hypertable: str
    name: str
    start: datetime
    end: datetime
    compressed: bool
    partial: bool  # compressed, with newer uncompressed rows
    total_bytes: int | None
    before_bytes: int | None = None
    after_bytes: int | None = None
    rows: int | None = None  # estimate

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after compression."""
        if not self.before_bytes or not self.after_bytes:
            return None
        return self.before_bytes / self.after_bytes


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A background job of TimescaleDB, or one of ours where there is none."""

    job_id: int
    name: str
    hypertable: str | None
    schedule_s: float | None
    scheduled: bool
    last_run: datetime | None
    last_ok: bool | None
    next_run: datetime | None
    total_runs: int | None
    total_failures: int | None
    last_error: str | None
    running: bool = False


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """The engine's connection pool."""

    size: int
    checked_out: int
    overflow: int
    limit: int


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check of the database: ok is None where it could not be made."""

    name: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class WriterStats:
    """The lossless way to the database, in samples."""

    stored: int = 0
    queued: int = 0
    spooled: int = 0  # on disk, waiting for the database
    dropped: int = 0  # lost at the spool's bounds, counted
    last_flush: datetime | None = None
    last_error: str | None = None


class DatabaseState(StrEnum):
    """The database as the status line tells it."""

    STARTING = "starting"
    CONNECTED = "connected"
    AWAY = "away"
    UNSUPPORTED = "unsupported"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DatabaseView:
    """The database at a moment; ``at`` is when the figures were read (None: never)."""

    state: DatabaseState = DatabaseState.STARTING
    detail: str = ""
    at: datetime | None = None
    capability: Capability | None = None
    hypertables: tuple[HypertableInfo, ...] = ()
    chunks: tuple[ChunkInfo, ...] = ()
    jobs: tuple[JobInfo, ...] = ()
    pool: PoolInfo | None = None
    health: tuple[HealthCheck, ...] = ()
    sessions: int | None = None
    database_bytes: int | None = None
    workers: int | None = None  # TimescaleDB background workers seen in pg_stat_activity
    name: str = ""  # database at host, no password

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after over all compressed chunks."""
        before = sum(h.before_bytes or 0 for h in self.hypertables)
        after = sum(h.after_bytes or 0 for h in self.hypertables)
        return before / after if before and after else None

    @property
    def saved_bytes(self) -> int | None:
        """Bytes that compression saves now."""
        if not any(h.before_bytes for h in self.hypertables):
            return None
        return sum((h.before_bytes or 0) - (h.after_bytes or 0) for h in self.hypertables)


class PollerRole(StrEnum):
    """One poller a database; the others look on."""

    STARTING = "starting"
    POLLER = "poller"
    VIEWER = "viewer"


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


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as the Events pane shows it."""

    ts: datetime
    type: str
    severity: str  # info, warning, error
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that the panes may know at one moment; immutable."""

    at: datetime
    live: bool = True
    hosts: tuple[HostView, ...] = ()
    database: DatabaseView = DatabaseView()
    role: PollerRole = PollerRole.STARTING
    role_detail: str = ""
    writer: WriterStats = WriterStats()
    reviews: tuple[HostKeyReview, ...] = ()
    events: tuple[EventLine, ...] = ()  # newest last
    notices: tuple[str, ...] = ()  # standing lines, such as what the demo falls back to
    lag_s: float | None = None  # worst poll lag of the online hosts
    bus: Mapping[str, int] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What somebody wants done: an action of the catalog and its arguments (plain, JSON-able)."""

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanTarget:
    """One exact thing that a plan touches; ``note`` holds its figures in words."""

    name: str
    note: str = ""
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do: exact targets and statements; ``hash`` binds apply to this very plan."""

    request: PlanRequest
    title: str
    targets: tuple[PlanTarget, ...]
    statements: tuple[str, ...]
    confirm: str  # what must be typed
    destructive: bool
    summary: str  # what a dry run says, in figures
    hash: str
    warnings: tuple[str, ...] = ()
    refused: str = ""  # why it may not be applied (read-only, role, mode); empty where it may


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an applied plan did."""

    ok: bool
    audit_id: str
    summary: str
    done: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()  # target, reason
    before_bytes: int | None = None
    after_bytes: int | None = None
