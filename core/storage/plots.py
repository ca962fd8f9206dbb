"""One host's past for plots: raw samples for short spans, rollups for long ones, in steps of equal length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import HostHistory
from core.storage.engine import Database
from core.storage.rollups import floor
from core.storage.schema import HOUR, MINUTE

RAW_SPAN = timedelta(days=2)
_FIGURES = ("cpu", "mem", "load", "net", "disk", "io")
_BIN = "CAST(floor(extract(epoch FROM ({column} - :start)) / :step) AS int)"

# A host's rates are summed over its interfaces at each ts before they are averaged over the step.
_RAW = {
    "host": f"""
        SELECT {_BIN.format(column="ts")} AS bin, avg(cpu_pct) AS cpu,
               avg(100.0 * (mem_total - mem_available) / NULLIF(mem_total, 0)) AS mem, avg(load1) AS load
        FROM host_samples WHERE host_id = :host AND ts >= :start AND ts < :stop GROUP BY 1""",  # noqa: S608 - our own names
    "net": f"""
        SELECT {_BIN.format(column="ts")} AS bin,
               sum(coalesce(rx_bps, 0) + coalesce(tx_bps, 0)) / count(DISTINCT ts) AS net
        FROM interface_samples WHERE host_id = :host AND ts >= :start AND ts < :stop
          AND (rx_bps IS NOT NULL OR tx_bps IS NOT NULL) GROUP BY 1""",  # noqa: S608 - our own names
    "disk": f"""
        SELECT {_BIN.format(column="ts")} AS bin, max(100.0 * used / NULLIF(used + available, 0)) AS disk
        FROM filesystem_samples WHERE host_id = :host AND ts >= :start AND ts < :stop GROUP BY 1""",  # noqa: S608 - our own names
    "io": f"""
        SELECT {_BIN.format(column="ts")} AS bin, max(busy_pct) AS io
        FROM disk_samples WHERE host_id = :host AND ts >= :start AND ts < :stop GROUP BY 1""",  # noqa: S608 - our own names
}
_BUCKET = _BIN.format(column="bucket")
_HOST_ROLLED = """
SELECT {bin} AS bin, sum(cpu_pct_sum) / NULLIF(sum(cpu_pct_count), 0) AS cpu,
       100.0 * (1 - sum(mem_available_sum) / NULLIF(sum(mem_total_sum), 0)) AS mem,
       sum(load1_sum) / NULLIF(sum(load1_count), 0) AS load, max(bucket) AS newest
FROM {table} WHERE host_id = :host AND bucket >= :start AND bucket < :stop GROUP BY 1"""
_ROLLED = {
    "net": f"""
        SELECT {_BUCKET} AS bin, sum(coalesce(rx_bps_sum / NULLIF(rx_bps_count, 0), 0)
               + coalesce(tx_bps_sum / NULLIF(tx_bps_count, 0), 0)) / count(DISTINCT bucket) AS net,
               max(bucket) AS newest
        FROM interface_samples_1h WHERE host_id = :host AND bucket >= :start AND bucket < :stop GROUP BY 1""",  # noqa: S608 - our own names
    "disk": f"""
        SELECT {_BUCKET} AS bin, max(100.0 * used_last / NULLIF(used_last + available_last, 0)) AS disk,
               max(bucket) AS newest
        FROM filesystem_samples_1h WHERE host_id = :host AND bucket >= :start AND bucket < :stop GROUP BY 1""",  # noqa: S608 - our own names
    "io": f"""
        SELECT {_BUCKET} AS bin, max(busy_pct_max) AS io, max(bucket) AS newest
        FROM disk_samples_1h WHERE host_id = :host AND bucket >= :start AND bucket < :stop GROUP BY 1""",  # noqa: S608 - our own names
}


@dataclass(frozen=True, slots=True)
class HostPlot:
    """A host's past in steps of ``step_s`` seconds; ``source`` is raw, 1m or 1h."""

    history: HostHistory
    source: str
    step_s: float


async def host_history(
    database: Database, host: str, start: datetime, stop: datetime, *, points: int = 240, source: str | None = None
) -> HostPlot:
    """Return one host's past in [start, stop) in at most ``points`` steps; a step without data is None.

    ``source`` None chooses: raw up to two days, the minutes' rollup while a step is under an hour, else the hours'.
    """
    step = max(10.0, (stop - start).total_seconds() / max(1, points))
    if source is None:
        source = "raw" if stop - start <= RAW_SPAN else "1m" if step < HOUR else "1h"
    width = {"raw": 0, "1m": MINUTE, "1h": HOUR}[source]
    step = max(step, float(width))
    begin = floor(start, width) if width else start
    values: dict[str, dict[int, float]] = {figure: {} for figure in _FIGURES}
    async with database.connect(f"read the past of {host}") as connection:
        host_id = await connection.scalar(text("SELECT host_id FROM hosts WHERE name = :name"), {"name": host})
        if host_id is not None:
            bounds = {"host": host_id, "start": begin, "stop": stop, "step": step}
            for part in _RAW:
                await _part(connection, part, source, bounds, values)
    count = int((stop - begin) / timedelta(seconds=step)) + 1
    times = tuple(begin + timedelta(seconds=step * number) for number in range(count))
    columns = {figure: tuple(found.get(number) for number in range(count)) for figure, found in values.items()}
    return HostPlot(HostHistory(**columns, times=times), source, step)


async def _part(
    connection: AsyncConnection,
    part: str,
    source: str,
    bounds: Mapping[str, Any],
    values: dict[str, dict[int, float]],
) -> None:
    """Read one kind of figures: rolled up as far as that goes, the rest raw."""
    tail = bounds["start"]
    if source != "raw":
        width = MINUTE if part == "host" and source == "1m" else HOUR
        statement = _ROLLED.get(part) or _HOST_ROLLED.format(bin=_BUCKET, table=f"host_samples_{source}")
        rows = (await connection.execute(text(statement), bounds)).all()
        _fill(rows, values, spread=max(1, ceil(width / bounds["step"])))
        if rows:
            tail = max(row.newest for row in rows) + timedelta(seconds=width)
    if tail < bounds["stop"]:
        # The steps are counted from the same start, whatever part of them is read raw.
        raw = _RAW[part].replace("ts >= :start", "ts >= :tail")
        rows = (await connection.execute(text(raw), {**bounds, "tail": tail})).all()
        _fill(rows, values, spread=1)


def _fill(rows: Any, values: dict[str, dict[int, float]], *, spread: int) -> None:
    """Put rows into their steps; a bucket wider than a step fills the steps after it that have none of their own."""
    for more in range(spread):
        for row in rows:
            for figure, value in row._mapping.items():
                if figure in values and value is not None:
                    values[figure].setdefault(row.bin + more, float(value))
