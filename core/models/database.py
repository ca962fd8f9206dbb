"""What a database can do and holds: capability, hypertables, chunks, jobs, health."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.models.enums import StorageMode


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
    may_write: bool = True  # store samples, transitions and the audit
    may_maintain: bool = True  # compress, drop, run jobs, upgrade
    standby: bool = False  # the server, or the session, takes no changes at all
    compress_call: str = "SELECT compress_chunk"  # how a chunk is compressed
    recompress_call: str = "SELECT compress_chunk"  # and how its newer rows are taken in

    @property
    def compression(self) -> bool:
        """Chunks can be compressed here."""
        return self.mode is StorageMode.TIMESCALEDB and self.licence == "timescale"

    @property
    def why_no_write(self) -> str:
        """Why nothing can be stored with this role; empty where it can."""
        if self.standby:
            return "the database takes no changes: it is a standby, or default_transaction_read_only is on"
        if self.may_write:
            return ""
        return f"the role {self.role} may look and not write: ask for the writer's rights (`jumpwatch db roles`)"

    @property
    def why_no_upkeep(self) -> str:
        """Why chunks, jobs and schema cannot be touched with this role; empty where they can."""
        if self.owner and self.may_maintain:
            return ""
        return self.why_no_write or (
            f"the role {self.role} does not own Jumpwatch's tables: this wants the maintainer's rights "
            "(`jumpwatch db roles` prints how they are given)"
        )


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
    created: datetime | None = None  # the chunk, not its oldest row

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after compression."""
        if not self.before_bytes or not self.after_bytes:
            return None
        return self.before_bytes / self.after_bytes


# The tables of raw samples. Each has rollups named after it, by hour (_1h) and mostly by minute (_1m).
RAW_TABLES = (
    "host_samples", "filesystem_samples", "disk_samples", "interface_samples", "container_samples", "unit_samples",
)  # fmt: skip


class KeepTimes(Protocol):
    """The settings that say how long rows stay."""

    @property
    def raw_retention(self) -> timedelta: ...
    @property
    def rollup_minute_retention(self) -> timedelta: ...
    @property
    def rollup_hour_retention(self) -> timedelta: ...


def keep_time(table: str, times: KeepTimes) -> timedelta | None:
    """Return how long a table of samples or a rollup keeps its rows; None for a table that is not ours."""
    source, _, bucket = table.rpartition("_")
    if source in RAW_TABLES and bucket in ("1m", "1h"):
        return times.rollup_minute_retention if bucket == "1m" else times.rollup_hour_retention
    return times.raw_retention if table in RAW_TABLES else None


class CompressTimes(Protocol):
    """The settings that say when chunks are compressed."""

    @property
    def compress_after(self) -> timedelta: ...
    @property
    def refresh_start(self) -> timedelta: ...


def compress_time(table: str, times: CompressTimes) -> timedelta:
    """Return the age at which chunks are compressed: of a rollup not before nothing refreshes them any more."""
    if table in RAW_TABLES:
        return times.compress_after
    return max(times.compress_after, times.refresh_start + timedelta(days=1))


def past_retention(
    chunks: Iterable[ChunkInfo], keep: Callable[[str], timedelta | None], now: datetime
) -> tuple[ChunkInfo, ...]:
    """Return the chunks that ended longer ago than their table is kept, oldest first; ``keep`` None: never."""
    kept = ((chunk, keep(chunk.hypertable)) for chunk in chunks)
    past = [chunk for chunk, age in kept if age is not None and chunk.end <= now - max(age, timedelta(0))]
    return tuple(sorted(past, key=lambda chunk: (chunk.start, chunk.hypertable, chunk.name)))


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
    owner: str = ""  # the role it runs as; empty for our own jobs
    may_alter: bool = True  # this role is its owner, or a member of it
    proc: str = ""  # policy_compression, policy_retention, ...
    config: str = ""  # JSON, as the server has it
    held: bool = False  # by us, until the rollups have caught up
    after_s: float | None = None  # the age at which a policy compresses or drops


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
