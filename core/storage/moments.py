"""The fleet at a moment of the past: the newest row of each host then, raw or rolled up. Always with a lower bound."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from core.models import (
    DiskFigures,
    FilesystemFigures,
    HostSample,
    HostState,
    InterfaceFigures,
    Mark,
    Reason,
    SystemFigures,
    Transition,
)
from core.models.making import maker
from core.storage.engine import Database
from core.storage.queries import BY_BATCH, BY_ROW, ITEM_AGE, MAX_AGE
from core.storage.rows import unpack_sections
from core.storage.schema import (
    DISK_SAMPLES,
    FILESYSTEM_SAMPLES,
    HOST_SAMPLES,
    HOUR,
    INTERFACE_SAMPLES,
    MINUTE,
    ROLLUP,
    SYSTEM_COLUMNS,
    SampleTable,
)
from core.storage.timeline import CUSTOM_PLANS, marks_by

SOURCES = ("raw", "1m", "1h")  # finest first
_WIDTHS = {"raw": 0, "1m": MINUTE, "1h": HOUR}
_LAST = {"mem_total", "size", "used", "available", "inodes_used"}  # of a bucket its last value is told, else the mean
_WHOLE = {"mem_total", "mem_available", "swap_free", "size", "used", "available", "inodes_used"}
EVENTS_BACK, MOST_EVENTS = timedelta(days=1), 500
_READ = "read a moment of the past"
_STATES = """
SELECT h.name, t.ts, t.old, t.new, t.reason, t.detail
FROM hosts h CROSS JOIN LATERAL (
    SELECT * FROM transitions t WHERE t.host_id = h.host_id AND t.ts <= $1 ORDER BY t.ts DESC, t.transition_id DESC
    LIMIT 1
) t
"""
_AT_ONCE = 200  # hosts
_make_sample, _make_system = maker(HostSample), maker(SystemFigures)
_make_filesystem, _make_disk, _make_interface = maker(FilesystemFigures), maker(DiskFigures), maker(InterfaceFigures)
_FIRST = 2 + HOST_SAMPLES.columns.index(SYSTEM_COLUMNS[0])
_SYSTEM = slice(_FIRST, _FIRST + len(SYSTEM_COLUMNS))
_AT = {name: 2 + place for place, name in enumerate(HOST_SAMPLES.columns)}


@dataclass(frozen=True, slots=True)
class Moment:
    """What was known of the hosts at ``at``; ``source`` is raw, 1m or 1h, empty where nothing was stored."""

    at: datetime
    source: str = ""
    samples: Mapping[str, HostSample] = field(default_factory=dict)
    states: Mapping[str, Transition] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()  # of the day before, oldest first


def _figure(table: SampleTable, column: str, figures: tuple[str, ...]) -> str:
    """Return what stands for a column of the samples in a rollup: the mean, the last one, or that it is not known."""
    if column not in figures:
        return "NULL"
    if column in _LAST:
        return f"s.{column}_last"
    mean = f"s.{column}_sum / NULLIF(s.{column}_count, 0)"
    return f"CAST({mean} AS int8)" if column in _WHOLE else mean


def _columns(table: SampleTable, source: str) -> str:
    if source == "raw":
        return ", ".join(f"s.{column}" for column in table.columns)
    figures = ROLLUP[f"{table.name}_{source}"].figures
    keys = {"ts": "s.bucket", **{key: f"s.{key}" for key in table.keys}}
    return ", ".join(keys.get(column) or _figure(table, column, figures) for column in table.columns)


@cache
def _sql(table: SampleTable, source: str) -> str:
    """Return the query of the newest row of each host, or of each of their items, with $1 < time <= $2."""
    rows, at = (table.name, "ts") if source == "raw" else (ROLLUP[f"{table.name}_{source}"].name, "bucket")
    if table.kind:
        head, of, where = "w.host_id, w.name, w.extra", "items", f" WHERE w.kind = '{table.kind}'"
    else:
        head, of, where = "w.host_id, w.name", "hosts", ""
    keys = " AND ".join(f"s.{key} = w.{key}" for key in table.keys)
    order = " ORDER BY w.host_id, w.name" if table.kind else ""
    return (
        f"SELECT {head}, {_columns(table, source)} FROM {of} w CROSS JOIN LATERAL (SELECT * FROM {rows} s "  # noqa: S608 - our own names
        f"WHERE {keys} AND s.{at} > $1 AND s.{at} <= $2 ORDER BY s.{at} DESC LIMIT 1) s{where}{order}"
    )


async def moment(
    database: Database,
    at: datetime,
    *,
    max_age: timedelta = MAX_AGE,
    reach: tuple[datetime | None, datetime | None] = (None, None),
) -> Moment:
    """Return the hosts as they were at that moment, none of their figures older than ``max_age``.

    Where raw rows are gone the rollups tell: the bucket that the moment lies in, whose sample counts as taken at its
    end or at the moment, whichever comes first. ``reach`` is from when on there are raw rows and buckets of a minute:
    where those reach back and tell nothing, there was nothing. Raises the Database family.
    """
    finer = [("raw", reach[0]), ("1m", reach[1])]
    coarser = [source for (_, since), source in zip(finer, SOURCES[1:], strict=True) if since is None or at < since]
    told: asyncio.Task[tuple[dict[str, Transition], tuple[Mark, ...]]] | None = None
    for source in ("raw", *coarser):
        low = at - max_age - timedelta(seconds=_WIDTHS[source])
        try:
            async with asyncio.TaskGroup() as group:  # side by side: each takes a session, and a core of the server
                told = told or group.create_task(_told(database, at))
                newest = group.create_task(_newest(database, source, low, at))
                items = [group.create_task(_items(database, source, kinds, low - ITEM_AGE, at)) for kinds in _KINDS]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        states, marks = told.result()
        if rows := newest.result():
            found = {kind: of_host for task in items for kind, of_host in task.result().items()}
            return Moment(at, source, await _samples(rows, found, source, at), states, marks)
    return Moment(at, states=states, marks=marks)


async def _told(database: Database, at: datetime) -> tuple[dict[str, Transition], tuple[Mark, ...]]:
    """Return the states of the moment, and the marks of the day before."""
    async with database.driver(_READ) as connection:
        await connection.execute(CUSTOM_PLANS)
        states = {
            row[0]: Transition(row[0], row[1], HostState(row[2]), HostState(row[3]), Reason(row[4]), row[5])
            for row in await connection.fetch(_STATES, at)
        }
        marks, _ = await marks_by(connection, at - EVENTS_BACK, at, MOST_EVENTS)
    return states, marks


async def _newest(database: Database, source: str, low: datetime, at: datetime) -> list[Any]:
    async with database.driver(_READ) as connection:
        await connection.execute(BY_ROW)
        rows: list[Any] = await connection.fetch(_sql(HOST_SAMPLES, source), low, at)
    return rows


_Items = dict[str, dict[int, list[Any]]]


async def _items(
    database: Database, source: str, tables: tuple[SampleTable, ...], low: datetime, at: datetime
) -> _Items:
    found: _Items = {}
    async with database.driver(_READ) as connection:
        await connection.execute(BY_BATCH)  # several items share one
        for table in tables:
            make = _MAKERS[table.kind]
            of_host: dict[int, list[Any]] = defaultdict(list)
            for row in await connection.fetch(_sql(table, source), low, at):
                of_host[row[0]].append((row[5], make(row)))
            found[table.kind] = of_host
    return found


@lru_cache(maxsize=20_000)
def _described(extra: str | None) -> tuple[str, str | None]:
    """Return device and type of a filesystem: the same at every moment."""
    known = json.loads(extra) if extra else {}
    return known.get("device") or "", known.get("fstype")


def _filesystem(row: Any) -> FilesystemFigures:
    return _make_filesystem(row[1], *_described(row[2]), *row[6:])


def _disk(row: Any) -> DiskFigures:
    return _make_disk(row[1], *row[6:])


def _interface(row: Any) -> InterfaceFigures:
    return _make_interface(row[1], *row[6:])


_KINDS = (
    (FILESYSTEM_SAMPLES,),
    (DISK_SAMPLES, INTERFACE_SAMPLES),
)  # of a session each: most hosts have more of the first
_MAKERS: Mapping[str, Callable[[Any], Any]] = {"fs": _filesystem, "disk": _disk, "net": _interface}


async def _samples(rows: list[Any], items: _Items, source: str, at: datetime) -> dict[str, HostSample]:
    width, kinds = timedelta(seconds=_WIDTHS[source]), [items[kind] for kind in ("fs", "disk", "net")]
    found = {}
    for number, row in enumerate(rows):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)  # the loop's other tasks get their turn
        ts: datetime = row[_AT["ts"]]
        # Items come in fewer frames than the rest: those of another time are not the sample's.
        low = ts - max(ITEM_AGE, width)
        filesystems, disks, interfaces = [
            tuple([item for when, item in of_host[row[0]] if low < when <= ts]) or None if row[0] in of_host else None
            for of_host in kinds
        ]
        found[row[1]] = _make_sample(
            row[1],
            min(at, ts + width),
            row[_AT["seq"]] or 0,
            row[_AT["boot_id"]],
            row[_AT["uptime_s"]],
            row[_AT["host_clock"]],
            _make_system(*row[_SYSTEM]),
            filesystems,
            disks,
            interfaces,
            unpack_sections(row[_AT["sections"]]),
            width.total_seconds() or row[_AT["interval_s"]],
        )
    return found
