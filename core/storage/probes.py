"""What is read of the server for the health checks beyond the view: load, transactions, wraparound, indexes, disk."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from core.models import PoolInfo
from core.storage.engine import Database

# pg_stat_activity hides what other roles do from a role that is no member of pg_read_all_stats.
_SERVER = text("""
SELECT pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') = 'on' AS read_only,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS max_sessions,
       pg_has_role(current_user, 'pg_read_all_stats', 'MEMBER') AS sees_all,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity
        WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datid IS NOT NULL) AS sessions,
       (SELECT nullif(age(datfrozenxid), 2147483647) FROM pg_catalog.pg_database
        WHERE datname = current_database()) AS xid_age,  -- the greatest age stands for an engine that keeps none
       pg_database_size(current_database()) AS bytes,
       (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') AS extension,
       (SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = 'timescaledb') AS available
""")
_OLDEST = text("""
SELECT pid, coalesce(nullif(application_name, ''), usename::text) AS name, state,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS idle_s
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend'
""")
# Ours and the chunks and partitions of ours; counted by the server itself, whoever asks.
_DEAD = text("""
SELECT schemaname || '.' || relname AS name, n_dead_tup AS dead, n_live_tup AS live
FROM pg_catalog.pg_stat_user_tables
WHERE n_dead_tup >= :least AND (schemaname IN ('_timescaledb_internal', 'public'))
ORDER BY n_dead_tup DESC LIMIT 5
""")
_INVALID = text("""
SELECT n.nspname || '.' || r.relname AS name
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'r' AND n.nspname IN ('public', '_timescaledb_internal')
ORDER BY 1 LIMIT 5
""")
_FOLDER = text("SELECT current_setting('data_directory', true)")


@dataclass(frozen=True, slots=True)
class Probes:
    """The figures that the deeper checks judge; None where the role may not see, or there is nothing to see."""

    pool: PoolInfo | None
    recovering: bool
    read_only: bool
    sessions: int
    max_sessions: int
    sees_all: bool
    longest: tuple[str, float] | None  # who, seconds in its transaction
    idle: tuple[str, float] | None  # who, seconds idle in its transaction
    xid_age: int | None
    dead: tuple[tuple[str, int, int], ...]  # table, dead rows, live rows
    invalid: tuple[str, ...]
    bytes: int
    extension: str | None
    available: str | None
    disk: tuple[int, int] | None  # free and all bytes of the embedded server's disk


async def read_probes(database: Database, *, dead_rows: int) -> Probes:
    """Read the figures in one short transaction; tables with fewer than ``dead_rows`` dead rows are passed over."""
    pool = database.pool()  # before this question takes a connection of it
    async with database.connect("read the server's health") as connection:
        server = (await connection.execute(_SERVER)).one()
        busy = (await connection.execute(_OLDEST)).all()
        dead = (await connection.execute(_DEAD, {"least": dead_rows})).all()
        invalid = [row.name for row in await connection.execute(_INVALID)]
        folder = None
        if database.kind == "embedded" and server.sees_all:
            folder = await connection.scalar(_FOLDER)
    waiting = [row for row in busy if (row.state or "").startswith("idle in transaction")]
    return Probes(
        pool=pool,
        recovering=server.recovering,
        read_only=server.read_only,
        sessions=server.sessions,
        max_sessions=server.max_sessions,
        sees_all=server.sees_all,
        longest=_worst(busy, "age_s"),
        idle=_worst(waiting, "idle_s"),
        xid_age=server.xid_age,
        dead=tuple((row.name, row.dead, row.live) for row in dead),
        invalid=tuple(invalid),
        bytes=server.bytes,
        extension=server.extension,
        available=server.available,
        disk=await asyncio.to_thread(_disk, folder) if folder else None,
    )


def _worst(rows: Any, field_name: str) -> tuple[str, float] | None:
    worst = max(rows, key=lambda row: getattr(row, field_name) or 0.0, default=None)
    return (f"{worst.name} (pid {worst.pid})", float(getattr(worst, field_name) or 0.0)) if worst is not None else None


def _disk(folder: str) -> tuple[int, int] | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
