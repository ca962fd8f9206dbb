"""The past of one container or unit for plots: every look for a week, the means of hours for longer and for older."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import ItemHistory, ItemPlot
from core.storage.engine import Database
from core.storage.plots import choose
from core.storage.rollups import bucket_sql, floor
from core.storage.schema import HOUR, LOOK_TABLES, ROLLUP

_RAW_SPAN = timedelta(days=7)  # twenty thousand looks at the most
_LEAST_STEP_S = 30.0
_TABLE = {table.kind: table.name for table in LOOK_TABLES}
_ITEM = text("""
SELECT i.host_id AS host, i.item_id AS item FROM items i JOIN hosts h USING (host_id)
WHERE h.name = :host AND i.kind = :kind AND i.name = :name
""")
_FIGURES = ("cpu", "mem", "cpu_high", "mem_high")
_RAW = """
SELECT {bucket} AS bucket, avg(cpu_pct) AS cpu, avg(mem_used::float8) AS mem, max(cpu_pct) AS cpu_high,
    max(mem_used)::float8 AS mem_high
FROM {table} WHERE host_id = :host AND item_id = :item AND ts >= :{low} AND ts < :stop GROUP BY 1
"""
_ROLLED = """
SELECT bucket, cpu_pct_sum / NULLIF(cpu_pct_count, 0) AS cpu,
    mem_used_sum::float8 / NULLIF(mem_used_count, 0) AS mem, cpu_pct_max AS cpu_high, mem_used_max::float8 AS mem_high
FROM {rollup} WHERE host_id = :host AND item_id = :item AND bucket >= :start AND bucket < :edge
"""
# Hours are put together as they are: each has as many looks as the next one, but for the first and the last.
_STEPS = """
SELECT CAST(floor(date_part('epoch', bucket - :start) / :step) AS int) AS bin, avg(cpu) AS cpu, avg(mem) AS mem,
    max(cpu_high) AS cpu_high, max(mem_high) AS mem_high
FROM ({rows}) s GROUP BY 1
"""


async def item_history(
    database: Database,
    host: str,
    item: tuple[str, str],
    start: datetime,
    stop: datetime,
    *,
    points: int = 240,
    source: str | None = None,
) -> ItemPlot:
    """Return what a container or unit (kind and name) used in [start, stop), in at most ``points`` steps.

    ``source`` None takes every look where there are any so far back, else hours; what is not rolled up yet is read raw.
    A step without data is None, and all are for an item that nobody knows.
    """
    step, chosen, begin = max(_LEAST_STEP_S, (stop - start).total_seconds() / max(1, points)), source or "raw", start
    values: dict[str, dict[int, float]] = {figure: {} for figure in _FIGURES}
    kind, name = item
    async with database.connect(f"read the past of {name} on {host}") as connection:
        found = (await connection.execute(_ITEM, {"host": host, "kind": kind, "name": name})).one_or_none()
        if found is not None and kind in _TABLE:
            span = {"host": found.host, "item": found.item, "start": floor(start, HOUR), "stop": stop}
            chosen = source or await _choose(connection, _TABLE[kind], span, start, stop)
            if chosen == "raw":
                span["start"] = start
            else:
                begin, step = span["start"], max(step, float(HOUR))
            rows = await _rows(connection, _TABLE[kind], chosen, span, step)
            for row in rows:
                for figure in _FIGURES:
                    if (value := row._mapping[figure]) is not None:
                        values[figure][row.bin] = float(value)
    count = ceil((stop - begin) / timedelta(seconds=step))
    times = tuple(begin + timedelta(seconds=step * number) for number in range(count))
    cpu, mem, cpu_high, mem_high = (tuple(values[f].get(number) for number in range(count)) for f in _FIGURES)
    return ItemPlot(ItemHistory(times, cpu, mem), ItemHistory(times, cpu_high, mem_high), chosen, step)


async def _choose(
    connection: AsyncConnection, table: str, span: Mapping[str, Any], start: datetime, stop: datetime
) -> str:
    first = (
        f"SELECT (SELECT min(ts) FROM {table} WHERE host_id = :host AND item_id = :item AND ts >= :start "  # noqa: S608 - our own names
        f"AND ts < :stop) AS raw, (SELECT min(bucket) FROM {ROLLUP[f'{table}_1h'].name} "
        "WHERE host_id = :host AND item_id = :item AND bucket >= :start AND bucket < :stop) AS hours"
    )
    row = (await connection.execute(text(first), span)).one()
    return choose("raw" if stop - start <= _RAW_SPAN else "1h", {"raw": row.raw, "1h": row.hours})


async def _rows(
    connection: AsyncConnection, table: str, source: str, span: Mapping[str, Any], step: float
) -> list[Any]:
    given = {**span, "step": step}
    if source == "raw":
        rows = _RAW.format(bucket="ts", table=table, low="start")
    else:
        rollup = ROLLUP[f"{table}_1h"].name
        given["edge"] = await _edge(connection, table, rollup, span)
        fresh = _RAW.format(bucket=bucket_sql(HOUR), table=table, low="edge")
        rows = f"{_ROLLED.format(rollup=rollup)} UNION ALL {fresh}"
    return list(await connection.execute(text(_STEPS.format(rows=rows)), given))


async def _edge(connection: AsyncConnection, table: str, rollup: str, span: Mapping[str, Any]) -> datetime:
    """Return where raw data goes on: at the newest hour, which may have been rolled up half, or where that is gone."""
    newest = text(
        f"SELECT bucket, samples FROM {rollup} WHERE host_id = :host AND item_id = :item "  # noqa: S608 - our own names
        "AND bucket >= :start AND bucket < :stop ORDER BY bucket DESC LIMIT 1"
    )
    row = (await connection.execute(newest, span)).one_or_none()
    start: datetime = span["start"]
    if row is None:
        return start
    bucket: datetime = row.bucket
    end = bucket + timedelta(seconds=HOUR)
    raw = text(
        f"SELECT count(*) FROM {table} WHERE host_id = :host AND item_id = :item AND ts >= :bucket AND ts < :end"  # noqa: S608 - our own names
    )
    there = await connection.scalar(raw, {**span, "bucket": bucket, "end": end})
    return bucket if int(there or 0) >= row.samples else end
