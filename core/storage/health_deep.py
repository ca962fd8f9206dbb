"""Judging what the probes read: each check says the figure, its threshold and the way out; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.models import Capability, ChunkInfo, HealthCheck, StorageMode
from core.storage.capability import OLDEST_TIMESCALE, version_tuple
from core.storage.probes import Probes

_WRAPAROUND = 2**31
_NEWEST_KNOWN = 2  # major version of TimescaleDB whose catalogue we read
_GRANT = "; what other roles do is hidden from this one: GRANT pg_read_all_stats TO it"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a figure becomes a finding: shares from 0 to 1, seconds, rows, transactions, bytes, chunks."""

    latency_s: float = 0.5
    clock_off_s: float = 5.0
    sessions: float = 0.8  # of max_connections
    pool: float = 0.8  # of pool_size and max_overflow
    transaction_s: float = 600.0
    idle_s: float = 300.0
    xid_age: int = _WRAPAROUND // 2
    dead_rows: int = 100_000
    dead_share: float = 0.2  # of the live rows, where there are more than dead_rows
    partial_chunks: int = 20
    disk_free: float = 0.1  # of the embedded server's disk
    database_bytes: int | None = None  # a budget; None: none is set


THRESHOLDS = Thresholds()


def deep_checks(
    found: Probes, chunks: tuple[ChunkInfo, ...], capability: Capability | None, limits: Thresholds = THRESHOLDS
) -> tuple[HealthCheck, ...]:
    """Return the checks of the server beyond what the view shows."""
    return tuple(
        [
            *_service(found, limits),
            *_transactions(found, limits),
            *_tables(found, limits),
            *_room(found, limits),
            *_timescale(found, chunks, capability, limits),
        ]
    )


def _service(found: Probes, limits: Thresholds) -> Iterator[HealthCheck]:
    if found.recovering:
        text = "the server is a standby in recovery and takes no rows: name the primary in JUMPWATCH_DATABASE_URL"
        yield HealthCheck("writable", False, text)
    elif found.read_only:
        text = "sessions are read-only here: ALTER ROLE or ALTER DATABASE ... SET default_transaction_read_only = off"
        yield HealthCheck("writable", False, text)
    else:
        yield HealthCheck("writable", True, "the server is a primary and takes rows")
    if found.pool is None or found.pool.limit <= 1:
        yield HealthCheck("pool", None, "this engine has one session")
    else:
        out, most = found.pool.checked_out, found.pool.limit
        text = f"{out} of {most} connections in use (at most {limits.pool:.0%} is well)"
        full = out >= limits.pool * most
        yield HealthCheck("pool", not full, text + ("; raise JUMPWATCH_DATABASE_POOL_SIZE" if full else ""))
    full = found.max_sessions > 1 and found.sessions >= limits.sessions * found.max_sessions
    text = f"{found.sessions} of the {found.max_sessions} that the server takes (at most {limits.sessions:.0%} is well)"
    way = "; end idle ones, put a pooler before it, or raise max_connections"
    yield HealthCheck("server sessions", not full, text + (way if full else ""))


def _transactions(found: Probes, limits: Thresholds) -> Iterator[HealthCheck]:
    for name, worst, limit, words in (
        ("long transactions", found.longest, limits.transaction_s, "in one transaction"),
        ("idle in transaction", found.idle, limits.idle_s, "idle in a transaction"),
    ):
        if worst is not None and worst[1] >= limit:
            way = "it holds back VACUUM and locks: end it with pg_terminate_backend(pid)"
            yield HealthCheck(name, False, f"{worst[0]}: {worst[1]:.0f} s {words} (limit {limit:.0f} s); {way}")
        elif not found.sees_all:
            yield HealthCheck(name, None, f"none of this role's own over {limit:.0f} s{_GRANT}")
        else:
            longest = f"the longest is {worst[1]:.0f} s" if worst else "none"
            yield HealthCheck(name, True, f"{longest} (limit {limit:.0f} s)")


def _tables(found: Probes, limits: Thresholds) -> Iterator[HealthCheck]:
    if found.xid_age is None:
        yield HealthCheck("wraparound", None, "this engine keeps no age of its transactions")
    else:
        old = found.xid_age >= limits.xid_age
        text = f"{found.xid_age:,} transactions old (limit {limits.xid_age:,} of {_WRAPAROUND:,})"
        way = "; VACUUM (FREEZE) the database, and look what holds autovacuum back"
        yield HealthCheck("wraparound", not old, text + (way if old else ""))
    bad = [row for row in found.dead if row[1] >= limits.dead_rows and row[1] >= limits.dead_share * row[2]]
    limit = f"limit {limits.dead_rows:,} and {limits.dead_share:.0%} of the live ones"
    if bad:
        worst = ", ".join(f"{name}: {dead:,} beside {live:,}" for name, dead, live in bad[:3])
        text = f"{worst} ({limit}); VACUUM them (optimize_database() does), and look why autovacuum does not"
        yield HealthCheck("dead rows", False, text)
    else:
        yield HealthCheck("dead rows", True, f"no table has too many ({limit})")
    if found.invalid:
        text = f"{', '.join(found.invalid[:3])}: a build was cut off; REINDEX INDEX CONCURRENTLY or DROP INDEX them"
        yield HealthCheck("indexes", False, text)
    else:
        yield HealthCheck("indexes", True, "all are valid")


def _room(found: Probes, limits: Thresholds) -> Iterator[HealthCheck]:
    mib = found.bytes / (1 << 20)
    if limits.database_bytes is None:
        yield HealthCheck("size", None, f"the database has {mib:,.0f} MiB; no budget is set")
    else:
        over = found.bytes > limits.database_bytes
        text = f"{mib:,.0f} MiB of {limits.database_bytes / (1 << 20):,.0f} MiB"
        way = "; shorten JUMPWATCH_RETENTION_RAW_RETENTION, then `jumpwatch db retention`"
        yield HealthCheck("size", not over, text + (way if over else ""))
    if found.disk is None:
        yield HealthCheck("disk", None, "the disk of this server cannot be seen from here")
    else:
        free, all_ = found.disk
        low = free < limits.disk_free * all_
        text = (
            f"{free / (1 << 30):,.1f} GiB of {all_ / (1 << 30):,.1f} GiB free (at least {limits.disk_free:.0%} is well)"
        )
        way = "; make room, or give a database elsewhere with JUMPWATCH_DATABASE_URL"
        yield HealthCheck("disk", not low, text + (way if low else ""))


def _timescale(
    found: Probes, chunks: tuple[ChunkInfo, ...], capability: Capability | None, limits: Thresholds
) -> Iterator[HealthCheck]:
    if capability is None or capability.mode is not StorageMode.TIMESCALEDB:
        return
    yield HealthCheck("extension", *_extension(found.extension, found.available))
    partial = [chunk for chunk in chunks if chunk.partial]
    text = (
        f"{len(partial)} compressed chunks have rows outside of compression (at most {limits.partial_chunks} is well)"
    )
    many = len(partial) > limits.partial_chunks
    way = f"; `jumpwatch db compress {partial[0].name}` takes one in, the compression policy all" if many else ""
    yield HealthCheck("partial chunks", not many, text + way)


def _extension(installed: str | None, available: str | None) -> tuple[bool | None, str]:
    here, there = version_tuple(installed), version_tuple(available)
    if not here:
        return False, "the extension is gone from this database"
    if here < OLDEST_TIMESCALE:
        return False, f"TimescaleDB {installed} is older than 2.13: ALTER EXTENSION timescaledb UPDATE"
    if there and here > there:
        return False, f"TimescaleDB {installed} here, {available} on the server: install the newer packages again"
    if here[0] > _NEWEST_KNOWN:
        return None, f"TimescaleDB {installed} is newer than this program was tested with (2.x)"
    if there > here:
        way = "as the first command of a new session run ALTER EXTENSION timescaledb UPDATE"
        return True, f"TimescaleDB {installed}; {available} is on the server: {way}"
    return True, f"TimescaleDB {installed}, the newest that the server has"
