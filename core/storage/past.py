"""What is read of a moment when the screen stands still: findings, and the last half hour of every host."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from core.models import HostFinding, HostHistory
from core.storage.engine import Database
from core.storage.finding_body import finding_from
from core.storage.queries import FINDING_AGE
from core.storage.timeline import CUSTOM_PLANS

HISTORY = timedelta(minutes=30)
_AT_ONCE = 50  # values read from JSON before the loop's other tasks get their turn
_KEPT = 20_000  # findings kept, for most are the same a step later
_NEWEST = """
SELECT h.name, f.kind, f.finding_id
FROM hosts h CROSS JOIN (SELECT DISTINCT kind FROM findings WHERE ts > $1 AND ts <= $2) k CROSS JOIN LATERAL (
    SELECT kind, finding_id FROM findings f
    WHERE f.host_id = h.host_id AND f.kind = k.kind AND f.ts > $1 AND f.ts <= $2 ORDER BY f.ts DESC LIMIT 1
) f
"""
_BODIES = """
SELECT f.finding_id, h.name, f.kind, f.ts, f.status, f.severity, f.detail, f.body
FROM findings f JOIN hosts h USING (host_id) WHERE f.finding_id = ANY($1::int8[]) AND f.ts > $2 AND f.ts <= $3
"""
# The newest rows alone are looked at, each beside the one before it: most state again what is known.
_CHANGES = """
WITH recent AS (
    SELECT host_id, kind, ts, status, severity, detail FROM findings WHERE ts > $1 AND ts <= $2
    ORDER BY ts DESC LIMIT $3
), beside AS (
    SELECT *, lag(status) OVER w AS was_status, lag(severity) OVER w AS was_severity
    FROM recent WINDOW w AS (PARTITION BY host_id, kind ORDER BY ts)
)
SELECT r.ts, h.name, r.kind, r.status, r.severity, left(r.detail, 500)
FROM beside r JOIN hosts h USING (host_id) LEFT JOIN LATERAL (
    SELECT p.status, p.severity FROM findings p
    WHERE r.was_status IS NULL AND p.host_id = r.host_id AND p.kind = r.kind AND p.ts > $4 AND p.ts < r.ts
    ORDER BY p.ts DESC LIMIT 1
) p ON TRUE
WHERE CASE WHEN coalesce(r.was_status, p.status) IS NULL THEN r.severity = 'error'
    ELSE coalesce(r.was_status, p.status) <> r.status OR coalesce(r.was_severity, p.severity) <> r.severity END
ORDER BY r.ts DESC LIMIT $5
"""
_MOST_ROWS = 30_000
# By host and bucket; figures of items are those of the live history: the sum of rates, the fullest, the busiest.
_HISTORIES = {
    "host_samples_1m": """
        SELECT host_id, bucket, cpu_pct_sum / NULLIF(cpu_pct_count, 0) AS cpu,
            100 * (1 - mem_available_sum / NULLIF(mem_available_count, 0)
                / (NULLIF(mem_total_sum, 0) / NULLIF(mem_total_count, 0))) AS mem,
            load1_sum / NULLIF(load1_count, 0) AS load
        FROM host_samples_1m WHERE bucket > $1 AND bucket <= $2
    """,
    "interface_samples_1m": """
        SELECT host_id, bucket, sum(coalesce(rx_bps_sum / NULLIF(rx_bps_count, 0), 0)
            + coalesce(tx_bps_sum / NULLIF(tx_bps_count, 0), 0)) AS net
        FROM interface_samples_1m WHERE bucket > $1 AND bucket <= $2 AND rx_bps_count + tx_bps_count > 0 GROUP BY 1, 2
    """,
    "filesystem_samples_1m": """
        SELECT host_id, bucket, max(100 * used_last::float8 / NULLIF(used_last + available_last, 0)) AS disk
        FROM filesystem_samples_1m WHERE bucket > $1 AND bucket <= $2 GROUP BY 1, 2
    """,
    "disk_samples_1m": """
        SELECT host_id, bucket, max(busy_pct_max) AS io
        FROM disk_samples_1m WHERE bucket > $1 AND bucket <= $2 GROUP BY 1, 2
    """,
}
_FIGURES = {
    "host_samples_1m": ("cpu", "mem", "load"),
    "interface_samples_1m": ("net",),
    "filesystem_samples_1m": ("disk",),
    "disk_samples_1m": ("io",),
}


class PastFindings:
    """Reads the findings of moments; those that stay the same from one to the next are read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[int, HostFinding] = OrderedDict()

    async def at(self, at: datetime, *, max_age: timedelta = FINDING_AGE) -> dict[str, dict[str, HostFinding]]:
        """Return by host and kind the newest finding at the moment, none older than ``max_age``."""
        found: dict[str, dict[str, HostFinding]] = defaultdict(dict)
        async with self._database.driver("read the findings of then") as connection:
            await connection.execute(CUSTOM_PLANS)
            newest = await connection.fetch(_NEWEST, at - max_age, at)
            missing = [row[2] for row in newest if row[2] not in self._known]
            rows = await connection.fetch(_BODIES, missing, at - max_age, at) if missing else ()
        for number, row in enumerate(rows):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            self._known[row[0]] = HostFinding(row[1], row[3], finding_from(row[2], *row[4:]))
        for host, kind, number in newest:
            if number in self._known:
                self._known.move_to_end(number)
                found[host][kind] = self._known[number]
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return dict(found)

    async def changes(self, start: datetime, stop: datetime, most: int) -> tuple[HostFinding, ...]:
        """Return the findings of (start, stop] that differ in status or severity from those before, oldest first.

        As in the present the first one of a host is told where it is an error. Of a day with more than thirty
        thousand rows the latest are looked at, and of many changes the latest are told; their values are not read.
        """
        async with self._database.driver("read the changes of findings") as connection:
            await connection.execute(CUSTOM_PLANS)
            rows = await connection.fetch(_CHANGES, start, stop, _MOST_ROWS, start - FINDING_AGE, most)
        return tuple(
            HostFinding(row[1], row[0], finding_from(row[2], row[3], row[4], row[5], None)) for row in reversed(rows)
        )


async def histories(database: Database, at: datetime) -> Mapping[str, HostHistory]:
    """Return by host its half hour before the moment, a value a minute, where it is rolled up."""
    found: dict[str, dict[str, dict[datetime, float | None]]] = defaultdict(lambda: defaultdict(dict))
    for table, query in _HISTORIES.items():
        figures = _FIGURES[table]
        gathered = ", ".join(f"array_agg({figure} ORDER BY bucket)" for figure in figures)
        async with database.driver("read the half hour before") as connection:
            await connection.execute(CUSTOM_PLANS)
            rows = await connection.fetch(
                f"SELECT h.name, array_agg(bucket ORDER BY bucket), {gathered} "  # noqa: S608 - our own names
                f"FROM ({query}) s JOIN hosts h USING (host_id) GROUP BY h.name",
                at - HISTORY,
                at,
            )
        for number, row in enumerate(rows):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            for place, figure in enumerate(figures):
                found[row[0]][figure] = dict(zip(row[1], row[2 + place], strict=True))
    return {host: _history(figures) for host, figures in found.items()}


def _history(figures: Mapping[str, Mapping[datetime, float | None]]) -> HostHistory:
    times = sorted({at for values in figures.values() for at in values})
    columns = {figure: tuple([values.get(at) for at in times]) for figure, values in figures.items()}
    return HostHistory(**columns, times=tuple(times))
