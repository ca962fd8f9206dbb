"""The sessions of the database: one bounded question; what the role may not see is told, not guessed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.exceptions import ResourceNotFoundError
from core.models import ActivityView, SessionInfo, SessionKind
from core.redaction import redact_text
from core.storage.engine import Database

MOST = 200
QUERY_CHARS = 2000
_HIDDEN = "<insufficient privilege>"

# pg_blocking_pids takes every lock manager's lock: it is asked for those that wait for a lock alone. A superuser's
# session and those without a user may be signalled by superusers only.
_SESSIONS = """
SELECT a.pid, a.usename::text AS name, coalesce(a.application_name, '') AS application, host(a.client_addr) AS address,
       coalesce(a.backend_type, 'client backend') AS kind, a.datname::text AS database, a.state,
       a.backend_start AS started, a.xact_start AS transaction, a.query_start, a.state_change,
       a.wait_event_type AS wait_type, a.wait_event AS wait, left(a.query, {chars}) AS query,
       coalesce(r.rolsuper, false) AS superuser, me.rolsuper OR (r.rolname IS NOT NULL AND NOT r.rolsuper
           AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))) AS may_signal,
       CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) END AS blocked_by,
       count(*) OVER () AS every, pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all
FROM pg_catalog.pg_stat_activity a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
CROSS JOIN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) me
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND (CAST(:pid AS int4) IS NULL OR a.pid = :pid)
ORDER BY CASE WHEN a.state = 'active' THEN 0 WHEN a.state LIKE 'idle in transaction%' THEN 1
              WHEN a.state IS NULL THEN 2 ELSE 3 END,
         coalesce(a.xact_start, a.state_change) NULLS LAST, a.pid
LIMIT {most}
"""
SESSIONS = text(_SESSIONS.format(chars=QUERY_CHARS, most=MOST))


async def read_activity(database: Database, connection: AsyncConnection, pid: int | None = None) -> ActivityView:
    """Return the sessions of this database but the one that asks, at most 200, those that work first."""
    rows = (await connection.execute(SESSIONS, {"pid": pid})).all()
    return ActivityView(
        sessions=tuple(_session(database, row) for row in rows),
        left_out=rows[0].every - len(rows) if rows else 0,
        sees_all=rows[0].sees_all if rows else True,
    )


async def read_session(database: Database, pid: int) -> SessionInfo:
    """Return one session; ResourceNotFoundError where it is gone, or is that of another database."""
    async with database.connect("look for the session") as connection:
        found = (await read_activity(database, connection, pid)).sessions
    if not found:
        raise ResourceNotFoundError(
            f"there is no session {pid} in this database: it has ended meanwhile, or is the one that asks",
            operation="look for the session",
        )
    return found[0]


def _session(database: Database, row: Any) -> SessionInfo:
    hidden = row.query == _HIDDEN
    return SessionInfo(
        pid=row.pid,
        user=row.name,
        application=row.application,
        address=row.address,
        kind=_kind(database, row),
        database=row.database,
        state=row.state,
        started=row.started,
        transaction=row.transaction,
        query_start=row.query_start,
        state_change=row.state_change,
        wait=": ".join(filter(None, (row.wait_type, row.wait))) or None,
        query="" if hidden else redact_text(row.query or ""),  # CREATE ROLE ... PASSWORD
        hidden=hidden,
        may_signal=row.may_signal,
        superuser=row.superuser,
        blocked_by=tuple(row.blocked_by or ()),
    )


def _kind(database: Database, row: Any) -> SessionKind:
    if row.pid in database.own_pids:
        return SessionKind.OURS
    name = row.application.lower()
    if row.kind == "client backend":
        ours = ("jumpwatch", database.settings.application_name.lower())
        return SessionKind.JUMPWATCH if name.startswith(ours) else SessionKind.CLIENT
    timescale = "timescale" in row.kind.lower() or "timescale" in name or name.endswith("]")
    return SessionKind.JOB if timescale else SessionKind.SERVER
