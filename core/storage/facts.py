"""What is known of the connection and of TimescaleDB, as typed answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import text

from core.models import Capability, HypertableInfo, JobInfo, PoolInfo
from core.storage.connect import session_settings
from core.storage.engine import Database

_SESSION = text("""
SELECT pg_backend_pid() AS pid, current_user::text AS role, current_database()::text AS database,
       current_setting('server_version') AS version, s.ssl, s.version AS tls, s.cipher
FROM (SELECT pg_backend_pid() AS pid) me LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = me.pid
""")
_SETTINGS = text("SELECT name, current_setting(name) AS value FROM unnest(CAST(:names AS text[])) AS name")


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Where the database is and how we are connected; no password. ``tls`` is its version, None without TLS."""

    name: str
    kind: str  # "given", "embedded" or "wasm"
    role: str
    database: str
    server_version: str
    backend_pid: int  # of the session that answered
    tls: str | None
    cipher: str | None
    session: Mapping[str, str]  # our session settings, as they are in force on the server
    pool: PoolInfo | None


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """The database in figures; bytes."""

    database_bytes: int | None
    sessions: int | None
    tables: tuple[HypertableInfo, ...]
    pool: PoolInfo | None
    ratio: float | None  # bytes before by bytes after, over the compressed chunks
    saved_bytes: int | None


@dataclass(frozen=True, slots=True)
class TimescaleInfo:
    """The extension, or its absence, and its jobs; ``compression_needs`` says what lacks for compression, or ""."""

    capability: Capability
    jobs: tuple[JobInfo, ...]
    workers: int | None
    compression_needs: str


async def connection_info(database: Database) -> ConnectionInfo:
    """Ask one session of the pool what it is and how it is set."""
    names = list(session_settings(database.settings))
    pool = database.pool()
    async with database.connect("read the connection") as connection:
        row = (await connection.execute(_SESSION)).one()
        found = {setting.name: setting.value for setting in await connection.execute(_SETTINGS, {"names": names})}
    return ConnectionInfo(
        name=database.where,
        kind=database.kind,
        role=row.role,
        database=row.database,
        server_version=row.version.split(" ")[0],
        backend_pid=row.pid,
        tls=row.tls if row.ssl else None,
        cipher=row.cipher if row.ssl else None,
        session=MappingProxyType(found),
        pool=pool,
    )
