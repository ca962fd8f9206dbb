"""One host's past for plots: raw samples for short spans, rollups for long ones, in steps of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from math import ceil
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import HostHistory, HostPlot
from core.storage.engine import Database
from core.storage.rollups import bucket_sql, floor
from core.storage.schema import (
    DISK_SAMPLES,
    FILESYSTEM_SAMPLES,
    HOST_SAMPLES,
    HOUR,
    INTERFACE_SAMPLES,
    MINUTE,
    ROLLUP,
    SampleTable,
)

RAW_SPAN, MINUTES_SPAN = timedelta(days=2), timedelta(days=4)
WIDTHS = {"raw": 0, "1m": MINUTE, "1h": HOUR}  # seconds in a bucket, finest first
_HOST_ID = text("SELECT host_id FROM hosts WHERE name = :name")
_MADE = {
    "sum": "CAST(sum({f}) AS float8)",
    "count": "count({f})",
    "min": "min({f})",
    "max": "max({f})",
    "last": "(array_agg({f} ORDER BY ts DESC))[1]",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """The figures that one table gives: how a step is made of raw rows, and of buckets with the columns needed.

    ``raw_by`` and ``rolled_by`` are what is made of all items of a moment or a bucket first, where that is wanted.
    Everything is float8: extract() and 100.0 would make it numeric, ten times slower.
    """

    table: SampleTable
    raw: str
    needed: tuple[tuple[str, str], ...]
    rolled: str
    raw_by: str = ""
    rolled_by: str = ""

    def rollup(self, source: str) -> str:
        return ROLLUP[f"{self.table.name}_{source}"].name


def _pairs(figures: Sequence[str], kinds: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(product(figures, kinds))


_PARTS = (
    _Part(
        HOST_SAMPLES,
        "avg(cpu_pct) AS cpu, min(cpu_pct) AS cpu_low, max(cpu_pct) AS cpu_high, "
        "avg(load1) AS load, min(load1) AS load_low, max(load1) AS load_high, "
        "100 * (1 - avg(mem_available::float8) / NULLIF(avg(mem_total::float8), 0)) AS mem, "
        "100 * (1 - max(mem_available)::float8 / NULLIF(max(mem_total), 0)) AS mem_low, "
        "100 * (1 - min(mem_available)::float8 / NULLIF(max(mem_total), 0)) AS mem_high",
        _pairs(("cpu_pct", "load1", "mem_available", "mem_total"), ("sum", "count", "min", "max")),
        "sum(cpu_pct_sum) / NULLIF(sum(cpu_pct_count), 0)::float8 AS cpu, "
        "min(cpu_pct_min) AS cpu_low, max(cpu_pct_max) AS cpu_high, "
        "sum(load1_sum) / NULLIF(sum(load1_count), 0)::float8 AS load, "
        "min(load1_min) AS load_low, max(load1_max) AS load_high, "
        "100 * (1 - sum(mem_available_sum)::float8 / NULLIF(sum(mem_available_count), 0)::float8 "
        "/ (NULLIF(sum(mem_total_sum), 0)::float8 / NULLIF(sum(mem_total_count), 0)::float8)) AS mem, "
        "100 * (1 - max(mem_available_max)::float8 / NULLIF(max(mem_total_max), 0)) AS mem_low, "
        "100 * (1 - min(mem_available_min)::float8 / NULLIF(max(mem_total_max), 0)) AS mem_high",
    ),
    # A host's rates are summed over its interfaces in each bucket before they are averaged over the step; the least and
    # the greatest of a bucket are the interfaces' own, summed: bounds, and exact where one interface carries it all.
    _Part(
        INTERFACE_SAMPLES,
        "avg(net) AS net, min(net) AS net_low, max(net) AS net_high",
        _pairs(("rx_bps", "tx_bps"), ("sum", "count", "min", "max")),
        "avg(net) AS net, min(net_low) AS net_low, max(net_high) AS net_high",
        "sum(coalesce(rx_bps, 0) + coalesce(tx_bps, 0)) FILTER (WHERE rx_bps IS NOT NULL OR tx_bps IS NOT NULL) AS net",
        "sum(coalesce(rx_bps_sum / NULLIF(rx_bps_count, 0), 0) + coalesce(tx_bps_sum / NULLIF(tx_bps_count, 0), 0)) "
        "FILTER (WHERE rx_bps_count + tx_bps_count > 0)::float8 AS net, "
        "sum(coalesce(rx_bps_min, 0) + coalesce(tx_bps_min, 0)) "
        "FILTER (WHERE rx_bps_count + tx_bps_count > 0) AS net_low, "
        "sum(coalesce(rx_bps_max, 0) + coalesce(tx_bps_max, 0)) "
        "FILTER (WHERE rx_bps_count + tx_bps_count > 0) AS net_high",
    ),
    _Part(
        FILESYSTEM_SAMPLES,
        "max(used::float8 / NULLIF(used + available, 0)) * 100 AS disk",
        (("used", "last"), ("available", "last")),
        "max(used_last::float8 / NULLIF(used_last + available_last, 0)) * 100 AS disk",
    ),
    _Part(DISK_SAMPLES, "max(busy_pct) AS io", (("busy_pct", "max"),), "max(busy_pct_max) AS io"),
)
_FIGURES, _RANGED = ("cpu", "mem", "load", "net", "disk", "io"), ("cpu", "mem", "load", "net")
_BOUNDS = tuple(f"{figure}_{end}" for figure in _RANGED for end in ("low", "high"))


def preferred(span: timedelta, step_s: float) -> str:
    """Return what a span is best read from: raw up to two days; then minutes, up to four days of them; else hours."""
    if span <= RAW_SPAN:
        return "raw"
    return "1m" if step_s < HOUR and span <= MINUTES_SPAN else "1h"


def choose(wanted: str, firsts: Mapping[str, datetime | None]) -> str:
    """Return the finest source from ``wanted`` on that reaches back as far as any coarser one does.

    ``firsts`` are the oldest bucket (or sample) of each source within the span; retention leaves the coarser ones
    longer.
    """
    best = wanted
    for source, width in WIDTHS.items():
        first, mine = firsts.get(source), firsts.get(best)
        if width <= WIDTHS[best] or first is None:
            continue
        if mine is None or first + timedelta(seconds=width) <= mine:
            best = source
    return best


def _probe_sql(sources: Iterable[str], parts: Iterable[int]) -> str:
    """Return the query of the oldest and newest bucket of a host in those sources of those parts.

    The bucket that the start lies in is no oldest one, for what it holds may have come before.
    """
    asked = []
    for number, source in product(parts, sources):
        part = _PARTS[number]
        table, at = (part.table.name, "ts") if source == "raw" else (part.rollup(source), "bucket")
        rows = f"SELECT {at} FROM {table} WHERE host_id = :host AND {at} >= :%s AND {at} < :stop ORDER BY {at}"  # noqa: S608 - our own names
        last = f"({rows % f'low{source}'} DESC LIMIT 1)" if source != "raw" else "NULL::timestamptz"
        asked.append(
            f"SELECT {number} AS part, '{source}' AS source, ({rows % 'start'} LIMIT 1) AS first, {last} AS newest"
        )
    return " UNION ALL ".join(asked)


def _reach_sql(sources: Iterable[str]) -> str:
    """Return the query of which sources of a host's own figures begin before the stop, finest first."""
    asked = []
    for source in sources:
        table, at = (HOST_SAMPLES.name, "ts") if source == "raw" else (_PARTS[0].rollup(source), "bucket")
        rows = f"SELECT 1 FROM {table} WHERE host_id = :host AND {at} < :stop"  # noqa: S608 - our own names
        asked.append(f"SELECT '{source}' AS source, {WIDTHS[source]} AS width WHERE EXISTS ({rows})")
    return " UNION ALL ".join(asked) + " ORDER BY width"


def _edges_sql(picks: Sequence[tuple[int, str]]) -> str:
    """Return the query of where raw data takes over in those parts: the newest bucket (:newest0 ...), or its end.

    That bucket may have been rolled up before it was full: raw data tells more, if it is all there still.
    """
    asked = []
    for number, source in picks:
        part = _PARTS[number]
        raw = (
            f"SELECT count(*) FROM {part.table.name} "  # noqa: S608 - our own names
            f"WHERE host_id = :host AND ts >= :newest{number} AND ts < :end{number}"
        )
        rolled = f"SELECT sum(samples) FROM {part.rollup(source)} WHERE host_id = :host AND bucket = :newest{number}"  # noqa: S608 - our own names
        newest, end = (f"CAST(:{name}{number} AS timestamptz)" for name in ("newest", "end"))
        asked.append(f"SELECT {number} AS part, CASE WHEN ({raw}) >= ({rolled}) THEN {newest} ELSE {end} END AS edge")
    return " UNION ALL ".join(asked)


def _part_sql(part: _Part, source: str, *, rolled: bool) -> str:
    """Return the query of one table's figures by step: rolled up to :edge where it is, the rest from raw data."""
    item = "item_id, " if part.table.kind else ""
    raw = f"{part.table.name} WHERE host_id = :host AND ts >= :edge AND ts < :stop"
    if source == "raw":
        rows, at, figures, by = raw, "ts", part.raw, part.raw_by
    else:
        made = ", ".join(f"{_MADE[kind].format(f=f)} AS {f}_{kind}" for f, kind in part.needed)
        rows = f"SELECT {bucket_sql(WIDTHS[source])} AS bucket, {item}{made} FROM {raw}"  # noqa: S608 - our own names
        rows += " GROUP BY 1, 2" if item else " GROUP BY 1"
        if rolled:
            # Bounds are values, never a subquery: a comparison with an unknown value misleads the planner.
            names = ", ".join(f"{f}_{kind}" for f, kind in part.needed)
            rows = (
                f"SELECT bucket, {item}{names} FROM {part.rollup(source)} "  # noqa: S608 - our own names
                f"WHERE host_id = :host AND bucket >= :low AND bucket < :edge UNION ALL {rows}"
            )
        rows, at, figures, by = f"({rows}) s", "bucket", part.rolled, part.rolled_by
    if by:
        rows = f"(SELECT {at}, {by} FROM {rows} GROUP BY 1) s"  # noqa: S608 - our own names
    return (
        f"SELECT CAST(floor(date_part('epoch', {at} - :start) / :step) AS int) AS bin, {figures} "  # noqa: S608 - our own names
        f"FROM {rows} GROUP BY 1"
    )


async def host_history(
    database: Database, host: str, start: datetime, stop: datetime, *, points: int = 240, source: str | None = None
) -> HostPlot:
    """Return one host's past in [start, stop) in at most ``points`` steps; a step without data is None.

    ``source`` None chooses by the span, and takes a coarser one where retention has left no finer. Whatever is not yet
    rolled up is read raw, so that the newest samples are always in it.
    """
    step = max(10.0, (stop - start).total_seconds() / max(1, points))
    chosen = source or preferred(stop - start, step)
    begin = start
    values: dict[str, dict[int, float]] = {figure: {} for figure in (*_FIGURES, *_BOUNDS)}
    async with database.connect(f"read the past of {host}") as connection:
        host_id = await connection.scalar(_HOST_ID, {"name": host})
        if host_id is not None:
            span = {"host": host_id, "start": start, "stop": stop}
            span |= {f"low{source}": floor(start, width) for source, width in WIDTHS.items() if width}
            picks = await _pick(connection, chosen, span, coarser=source is None)
            chosen = picks[0][0]
            width = WIDTHS[chosen]
            step, begin = max(step, float(width)), floor(start, width) if width else start
            bounds = {"host": host_id, "start": begin, "stop": stop, "step": step}
            edges = await _edges(connection, picks, bounds)
            for number, (pick, _) in enumerate(picks):
                await _read(connection, _PARTS[number], pick, edges.get(number), bounds, values)
    count = int((stop - begin) / timedelta(seconds=step)) + 1
    times = tuple(begin + timedelta(seconds=step * number) for number in range(count))
    columns = {figure: tuple(found.get(number) for number in range(count)) for figure, found in values.items()}
    low, high = ({f: columns[f"{f}_{end}"] for f in _RANGED} for end in ("low", "high"))
    mean = HostHistory(**{figure: columns[figure] for figure in _FIGURES}, times=times)
    return HostPlot(mean, chosen, step, HostHistory(**low, times=times), HostHistory(**high, times=times))


async def _pick(
    connection: AsyncConnection, wanted: str, span: Mapping[str, Any], *, coarser: bool
) -> list[tuple[str, datetime | None]]:
    """Return for each part where it is best read from, and the newest bucket there."""
    found: dict[tuple[int, str], Any] = {}
    every = range(len(_PARTS))
    # Raw data of all tables is kept for the same time, and only the hosts' own is indexed by ts alone.
    for row in await connection.execute(text(_probe_sql([wanted], every[:1] if wanted == "raw" else every)), span):
        found |= {(part, wanted): row for part in (every if wanted == "raw" else [row.part])}
    others = [source for source, width in WIDTHS.items() if coarser and width > WIDTHS[wanted]]
    if others:
        # Only where the wanted one begins so late that a bucket of another fits in before it.
        late = span["start"] + timedelta(seconds=WIDTHS[others[0]])
        parts = [part for (part, _), row in found.items() if row.first is None or row.first >= late]
        if parts:
            for row in await connection.execute(text(_probe_sql(others, parts)), span):
                found[row.part, row.source] = row
        if not any(row.first for row in found.values()):
            # The finest that there is of that time tells that there was nothing, or a bucket of more than the span.
            wanted = await connection.scalar(text(_reach_sql([wanted, *others])), span) or wanted
    picks = []
    for number in every:
        pick = choose(wanted, {source: row.first for (part, source), row in found.items() if part == number})
        picks.append((pick, found[number, pick].newest))
    return picks


async def _edges(
    connection: AsyncConnection, picks: Sequence[tuple[str, datetime | None]], bounds: Mapping[str, Any]
) -> dict[int, datetime]:
    """Return by part where its rollup ends and raw data goes on; none for a part that is raw, or not rolled up."""
    rolled, given = [], {"host": bounds["host"]}
    for number, (pick, newest) in enumerate(picks):
        if newest is not None:
            rolled.append((number, pick))
            given |= {f"newest{number}": newest, f"end{number}": newest + timedelta(seconds=WIDTHS[pick])}
    if not rolled:
        return {}
    return {row.part: row.edge for row in await connection.execute(text(_edges_sql(rolled)), given)}


async def _read(
    connection: AsyncConnection,
    part: _Part,
    source: str,
    edge: datetime | None,
    bounds: Mapping[str, Any],
    values: dict[str, dict[int, float]],
) -> None:
    """Read one table's figures into their steps."""
    width, given = WIDTHS[source], dict(bounds)
    given["low"] = floor(given["start"], width) if width else given["start"]
    given["edge"] = given["low"] if edge is None else edge
    rows = (await connection.execute(text(_part_sql(part, source, rolled=edge is not None)), given)).all()
    _fill(rows, values, spread=max(1, ceil(width / given["step"])))


def _fill(rows: Any, values: dict[str, dict[int, float]], *, spread: int) -> None:
    """Put rows into their steps; a bucket wider than a step fills the steps after it that have none of their own."""
    for more in range(spread):
        for row in rows:
            for figure, value in row._mapping.items():
                if figure in values and value is not None:
                    values[figure].setdefault(row.bin + more, float(value))
