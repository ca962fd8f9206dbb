"""A database made up for drawing: five tables, thirty chunks, jobs in each state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from core.models import (
    ActivityView,
    Capability,
    ChunkInfo,
    DatabaseState,
    DatabaseView,
    HealthCheck,
    HypertableInfo,
    JobInfo,
    PoolInfo,
    RelationInfo,
    SessionInfo,
    SessionKind,
    StorageMode,
)

TABLES = (
    ("host_sample", 10, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("filesystem_sample", 8, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("disk_sample", 7, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("interface_sample", 4, 86_400.0, 2 * 86_400.0, None),
    ("host_sample_1m", 1, 7 * 86_400.0, None, 180 * 86_400.0),
)


def make_chunks(now: datetime) -> tuple[ChunkInfo, ...]:
    """Return thirty chunks of five hypertables, the older ones compressed."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    chunks = []
    serial = 0
    for number, (table, count, interval, compress, _drop) in enumerate(TABLES):
        for back in range(count):
            serial += 1
            start = day - timedelta(seconds=interval * back)
            packed = compress is not None and back >= 2 and not (number == 2 and back == 4)
            before = (180 << 20) // (number + 1) + back * 1_000_000
            after = before // (9 + number) if packed else None
            chunks.append(
                ChunkInfo(
                    hypertable=table,
                    name=f"_timescaledb_internal._hyper_{number + 1}_{serial}_chunk",
                    start=start,
                    end=start + timedelta(seconds=interval),
                    compressed=packed,
                    partial=packed and number == 0 and back == 3,
                    total_bytes=after if packed else before // (3 if back == 0 else 1),
                    before_bytes=before if packed else None,
                    after_bytes=after,
                    rows=120_000 // (number + 1),
                )
            )
    return tuple(chunks)


def make_activity(now: datetime) -> ActivityView:
    """Return sessions of every kind: ours, others', one that is blocked, one that is hidden."""
    minute = timedelta(minutes=1)

    def session(
        pid: int, kind: SessionKind, user: str | None, application: str, state: str | None, **more: object
    ) -> SessionInfo:
        base = SessionInfo(
            pid, user, application, "10.0.0.7", kind, "jumpwatch", state, now - 60 * minute, None, None, now, None, ""
        )
        return replace(base, **more)  # type: ignore[arg-type]

    return ActivityView(
        (
            session(
                4711,
                SessionKind.CLIENT,
                "payroll",
                "psql",
                "active",
                transaction=now - 9 * minute,
                query_start=now - 8 * minute,
                query="UPDATE host_samples SET cpu_pct = 0\n WHERE host_id = 7",
            ),
            session(
                4720,
                SessionKind.CLIENT,
                "grafana",
                "grafana",
                "active",
                transaction=now - minute,
                query_start=now - minute,
                wait="Lock: transactionid",
                blocked_by=(4711,),
                query="SELECT avg(cpu_pct) FROM host_samples WHERE host_id = 7",
            ),
            session(
                4730, SessionKind.CLIENT, "admin", "pgAdmin 4", "idle in transaction", transaction=now - 3 * minute
            ),
            session(4740, SessionKind.CLIENT, "secretive", "", None, hidden=True, may_signal=False),
            session(4501, SessionKind.OURS, "jumpwatch", "jumpwatch", "idle", query="COMMIT"),
            session(4502, SessionKind.JUMPWATCH, "jumpwatch", "jumpwatch poller anna@jump1:4711", "idle"),
        ),
        left_out=3,
        sees_all=False,
    )


def make_relations(now: datetime) -> tuple[RelationInfo, ...]:
    """Return tables by size, one with many dead rows."""
    hour = timedelta(hours=1)
    return (
        RelationInfo("host_sample", "chunked", 900 << 20, None, None, None, None, None),
        RelationInfo("findings", "table", 48 << 20, 12 << 20, 120_000, 40_000, now - 30 * hour, now - 3 * hour),
        RelationInfo("audit", "table", 1 << 20, 200 << 10, 812, 0, None, None),
    )


def make_database(now: datetime, chunks: tuple[ChunkInfo, ...]) -> DatabaseView:
    """Return the Database view of these chunks."""
    tables = []
    for table, _count, interval, compress, drop in TABLES:
        own = [chunk for chunk in chunks if chunk.hypertable == table]
        packed = [chunk for chunk in own if chunk.compressed]
        tables.append(
            HypertableInfo(
                name=table,
                chunks=len(own),
                compressed_chunks=len(packed),
                total_bytes=sum(chunk.total_bytes or 0 for chunk in own),
                before_bytes=sum(chunk.before_bytes or 0 for chunk in packed) or None,
                after_bytes=sum(chunk.after_bytes or 0 for chunk in packed) or None,
                chunk_interval_s=interval,
                compress_after_s=compress,
                drop_after_s=drop,
                compression_enabled=compress is not None,
                rollup=table.endswith("_1m"),
            )
        )
    hour = timedelta(hours=1)
    jobs = (
        JobInfo(
            1000, "Columnstore Policy", "host_sample", 43_200, True, now - hour, True, now + 11 * hour, 41, 0, None
        ),
        JobInfo(
            1001,
            "Columnstore Policy",
            "filesystem_sample",
            43_200,
            True,
            now - 2 * hour,
            False,
            now + hour,
            38,
            2,
            "deadlock detected while waiting for ShareLock on transaction 7712; blocked by process 511",
        ),
        JobInfo(
            1002, "Columnstore Policy", "disk_sample", 43_200, True, None, None, now + hour, 0, 0, None, running=True
        ),
        JobInfo(
            1003, "Retention Policy", "host_sample", 86_400, True, now - 5 * hour, True, now + 19 * hour, 9, 0, None
        ),
        JobInfo(
            1004,
            "Refresh Continuous Aggregate Policy",
            "host_sample_1m",
            3600,
            True,
            now - hour / 3,
            True,
            now + hour,
            212,
            1,
            None,
        ),
        JobInfo(3, "Job History Log Retention Policy", None, 86_400, False, None, None, None, 0, 0, None),
    )
    return DatabaseView(
        state=DatabaseState.CONNECTED,
        at=now,
        capability=Capability(
            StorageMode.TIMESCALEDB, "18.0", "2.27.2", "timescale", True, False, True, "jumpwatch", False, "given"
        ),
        hypertables=tuple(tables),
        chunks=chunks,
        jobs=jobs,
        pool=PoolInfo(5, 2, 0, 10),
        health=(
            HealthCheck("connection", True, "answers in 2 ms"),
            HealthCheck("session settings", True, "UTC, statement timeout 15 s, jit off"),
            HealthCheck("compression lag", False, "1 chunk of disk_sample is older than its policy and not compressed"),
            HealthCheck("background workers", None, "needs pg_monitor to see them"),
        ),
        sessions=6,
        database_bytes=sum(chunk.total_bytes or 0 for chunk in chunks) + (11 << 20),
        workers=8,
        name="jumpwatch at db-01:5432",
        activity=make_activity(now),
        relations=make_relations(now),
    )


def partitions(database: DatabaseView) -> DatabaseView:
    """Return the same as plain PostgreSQL would show it."""
    capability = Capability(
        StorageMode.PARTITIONS, "18.0", None, None, False, False, True, "jumpwatch", False, "embedded"
    )
    plain = tuple(
        replace(chunk, compressed=False, partial=False, before_bytes=None, after_bytes=None)
        for chunk in database.chunks
    )
    tables = tuple(
        replace(
            table,
            compressed_chunks=0,
            before_bytes=None,
            after_bytes=None,
            compress_after_s=None,
            compression_enabled=False,
        )
        for table in database.hypertables
    )
    return replace(database, capability=capability, chunks=plain, hypertables=tables, workers=None)
