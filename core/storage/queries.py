"""Reading samples back: the latest of every host at a moment, and the states it was in. Always with a lower bound."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import (
    DiskFigures,
    FilesystemFigures,
    Host,
    HostFinding,
    HostSample,
    HostState,
    InterfaceFigures,
    Reason,
    SystemFigures,
    Transition,
)
from core.storage.engine import Database
from core.storage.finding_body import finding_from
from core.storage.rows import unpack_sections
from core.storage.schema import (
    DISK_SAMPLES,
    FILESYSTEM_SAMPLES,
    HOST_SAMPLES,
    INTERFACE_SAMPLES,
    SYSTEM_COLUMNS,
    SampleTable,
)

MAX_AGE = timedelta(minutes=15)
_FIRST = 1 + HOST_SAMPLES.columns.index(SYSTEM_COLUMNS[0])
_SYSTEM = slice(_FIRST, _FIRST + len(SYSTEM_COLUMNS))  # of a row of LATEST; by name each would be looked up
FINDING_AGE = timedelta(days=1)  # one that stays the same is stored again four times a day
ITEM_AGE = timedelta(seconds=90)  # df comes in fewer frames than the rest

_LATEST = text(f"""
SELECT h.name AS host, {", ".join("s." + column for column in HOST_SAMPLES.columns)}
FROM hosts h CROSS JOIN LATERAL (
    SELECT * FROM host_samples s WHERE s.host_id = h.host_id AND s.ts > :low AND s.ts <= :at ORDER BY s.ts DESC LIMIT 1
) s
WHERE CAST(:names AS text[]) IS NULL OR h.name = ANY(CAST(:names AS text[]))
""")  # noqa: S608 - our own names
# A plan for each pair of bounds, since one for any would look into every chunk. Of one chunk or two, known once the
# bounds are, TimescaleDB's node that appends chunks costs more than a probe of an index for each row that is wanted.
_PROBES = """
SELECT set_config(name, value, true) FROM (VALUES ('timescaledb.enable_bulk_decompression', '{bulk}'),
    ('timescaledb.enable_chunk_append', 'off'), ('plan_cache_mode', 'force_custom_plan')) AS settings (name, value)
WHERE current_setting(name, true) IS NOT NULL
"""
# One row is wanted of a host's compressed batch of up to a thousand: taken row by row, and not all of it at once.
BY_ROW, BY_BATCH = _PROBES.format(bulk="off"), _PROBES.format(bulk="on")
_STATES = text("""
SELECT h.name AS host, t.ts, t.old, t.new, t.reason, t.detail
FROM hosts h CROSS JOIN LATERAL (
    SELECT * FROM transitions t WHERE t.host_id = h.host_id AND t.ts <= :at ORDER BY t.ts DESC, t.transition_id DESC
    LIMIT 1
) t
""")
_TRANSITIONS = text("""
SELECT h.name AS host, t.ts, t.old, t.new, t.reason, t.detail FROM transitions t JOIN hosts h USING (host_id)
WHERE t.ts > :low AND t.ts <= :at AND (CAST(:host AS text) IS NULL OR h.name = :host)
ORDER BY t.ts DESC, t.transition_id DESC LIMIT :most
""")
_FINDINGS = text("""
SELECT DISTINCT ON (f.host_id, f.kind) h.name AS host, f.kind, f.ts, f.status, f.severity, f.detail, f.body
FROM findings f JOIN hosts h USING (host_id)
WHERE f.ts > :low AND f.ts <= :at AND (CAST(:host AS text) IS NULL OR h.name = :host)
ORDER BY f.host_id, f.kind, f.ts DESC
""")
_NEWEST = text("""
SELECT max(s.ts) FROM hosts h CROSS JOIN LATERAL (
    SELECT ts FROM host_samples WHERE host_id = h.host_id AND ts > :low ORDER BY ts DESC LIMIT 1
) s
""")


def _items_sql(table: SampleTable) -> str:
    figures = ", ".join(f"s.{column}" for column in table.columns[3:])
    # Names of our own schema alone; the bounds are each host's own: its sample's ts, and a little before it.
    return (
        f"SELECT w.host_id, i.name, i.extra, {figures} "  # noqa: S608 - our own names
        "FROM unnest(CAST(:ids AS int4[]), CAST(:times AS timestamptz[])) AS w(host_id, at) "
        f"JOIN items i ON i.host_id = w.host_id AND i.kind = '{table.kind}' "
        f"CROSS JOIN LATERAL (SELECT * FROM {table.name} s WHERE s.host_id = w.host_id AND s.item_id = i.item_id "
        "AND s.ts > w.at - CAST(:age AS interval) AND s.ts <= w.at AND s.ts > :low AND s.ts <= :at "
        "ORDER BY s.ts DESC LIMIT 1) s ORDER BY w.host_id, i.name"
    )


async def latest(
    database: Database,
    at: datetime | None = None,
    *,
    max_age: timedelta = MAX_AGE,
    names: Sequence[str] | None = None,
) -> dict[str, HostSample]:
    """Return by host the newest sample at a moment (None: now), none older than ``max_age``."""
    at = at or datetime.now(UTC)
    bounds = {"at": at, "low": at - max_age}
    async with database.connect("read the latest samples") as connection:
        rows = await latest_rows(connection, names, **bounds, timescale=database.timescale)
        if not rows:
            return {}
        wanted = {"ids": [row.host_id for row in rows], "times": [row.ts for row in rows], "age": ITEM_AGE}
        wanted |= {"at": at, "low": at - max_age - ITEM_AGE}
        filesystems = await _items(connection, FILESYSTEM_SAMPLES, wanted)
        disks = await _items(connection, DISK_SAMPLES, wanted)
        interfaces = await _items(connection, INTERFACE_SAMPLES, wanted)
    return {
        row.host: _sample(
            row,
            _each(filesystems.get(row.host_id), _filesystem),
            _each(disks.get(row.host_id), lambda r: DiskFigures(r[1], *r[3:])),
            _each(interfaces.get(row.host_id), lambda r: InterfaceFigures(r[1], *r[3:])),
        )
        for row in rows
    }


async def latest_rows(
    connection: AsyncConnection, names: Sequence[str] | None, *, low: datetime, at: datetime, timescale: bool
) -> Sequence[Row[Any]]:
    """Return the newest row of each host (None: of all) in (low, at], as it is stored."""
    if timescale:
        await connection.execute(text(BY_ROW))
    values = {"low": low, "at": at, "names": list(names) if names is not None else None}
    return (await connection.execute(_LATEST, values)).all()


async def _items(
    connection: AsyncConnection, table: SampleTable, wanted: Mapping[str, Any]
) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in await connection.execute(text(_items_sql(table)), wanted):
        found[row.host_id].append(tuple(row))
    return found


def _each(rows: list[tuple[Any, ...]] | None, make: Any) -> Any:
    return None if rows is None else tuple(make(row) for row in rows)


def _filesystem(row: tuple[Any, ...]) -> FilesystemFigures:
    extra = json.loads(row[2]) if row[2] else {}
    return FilesystemFigures(row[1], extra.get("device") or "", extra.get("fstype"), *row[3:])


def _sample(
    row: Any,
    filesystems: tuple[FilesystemFigures, ...] | None,
    disks: tuple[DiskFigures, ...] | None,
    interfaces: tuple[InterfaceFigures, ...] | None,
) -> HostSample:
    return HostSample(
        host=row.host,
        ts=row.ts,
        seq=row.seq if row.seq is not None else 0,
        boot_id=row.boot_id,
        uptime_s=row.uptime_s,
        host_clock=row.host_clock,
        system=SystemFigures(*row[_SYSTEM]),
        filesystems=filesystems,
        disks=disks,
        interfaces=interfaces,
        sections=unpack_sections(row.sections),
        interval_s=row.interval_s,
    )


async def states(database: Database, at: datetime | None = None) -> dict[str, Transition]:
    """Return by host the transition that led to its state at a moment (None: now)."""
    async with database.connect("read the states") as connection:
        rows = (await connection.execute(_STATES, {"at": at or datetime.now(UTC)})).all()
    return {row.host: _transition(row) for row in rows}


async def transitions(
    database: Database,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    host: str | None = None,
    most: int = 500,
) -> tuple[Transition, ...]:
    """Return transitions in (since, until], newest first, at most ``most``; since: a week before until."""
    until = until or datetime.now(UTC)
    bounds = {"at": until, "low": since or until - timedelta(days=7), "host": host, "most": most}
    async with database.connect("read the transitions") as connection:
        rows: Iterable[Any] = (await connection.execute(_TRANSITIONS, bounds)).all()
    return tuple(_transition(row) for row in rows)


def _transition(row: Any) -> Transition:
    return Transition(row.host, row.ts, HostState(row.old), HostState(row.new), Reason(row.reason), row.detail)


async def findings(
    database: Database, at: datetime | None = None, *, max_age: timedelta = FINDING_AGE, host: str | None = None
) -> dict[str, dict[str, HostFinding]]:
    """Return by host and kind the newest finding at a moment (None: now), none older than ``max_age``."""
    at = at or datetime.now(UTC)
    found: dict[str, dict[str, HostFinding]] = defaultdict(dict)
    async with database.connect("read the findings") as connection:
        rows = (await connection.execute(_FINDINGS, {"at": at, "low": at - max_age, "host": host})).all()
    for row in rows:
        finding = finding_from(row.kind, row.status, row.severity, row.detail, row.body)
        found[row.host][row.kind] = HostFinding(row.host, row.ts, finding)
    return dict(found)


async def newest(database: Database, since: datetime | None = None) -> datetime | None:
    """Return when the newest sample of all was taken, looking back to ``since`` (None: a year)."""
    low = since or datetime.now(UTC) - timedelta(days=365)
    async with database.connect("look for the newest sample") as connection:
        found: datetime | None = await connection.scalar(_NEWEST, {"low": low})
        return found


async def hosts(database: Database) -> tuple[Host, ...]:
    """Return the hosts that the database knows, by name."""
    async with database.connect("read the hosts") as connection:
        rows = (await connection.execute(text("SELECT * FROM hosts ORDER BY name"))).all()
    return tuple(
        Host(
            name=row.name,
            address=row.address or "",
            port=row.port,
            user=row.login,
            groups=tuple(row.groups),
            tags=tuple(row.tags),
            interval_s=row.interval_s,
            maintenance=row.maintenance,
            simulated=row.simulated,
        )
        for row in rows
    )
