"""What is read of a moment when the screen stands still: findings, and the last half hour of every host."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from core.models import HostFinding, HostHistory
from core.storage.engine import Database
from core.storage.finding_body import finding_from
from core.storage.moments import CUSTOM_PLANS
from core.storage.queries import FINDING_AGE

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
_HISTORIES = """
SELECT h.name, array_agg(s.bucket ORDER BY s.bucket),
    array_agg(s.cpu_pct_sum / NULLIF(s.cpu_pct_count, 0) ORDER BY s.bucket),
    array_agg(100 * (1 - s.mem_available_sum / NULLIF(s.mem_available_count, 0)
        / (NULLIF(s.mem_total_sum, 0) / NULLIF(s.mem_total_count, 0))) ORDER BY s.bucket),
    array_agg(s.load1_sum / NULLIF(s.load1_count, 0) ORDER BY s.bucket)
FROM host_samples_1m s JOIN hosts h USING (host_id) WHERE s.bucket > $1 AND s.bucket <= $2 GROUP BY h.name
"""


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


async def histories(database: Database, at: datetime) -> Mapping[str, HostHistory]:
    """Return by host its half hour before the moment, a value a minute, where it is rolled up."""
    async with database.driver("read the half hour before") as connection:
        await connection.execute(CUSTOM_PLANS)
        rows = await connection.fetch(_HISTORIES, at - HISTORY, at)
    return {
        row[0]: HostHistory(cpu=tuple(row[2]), mem=tuple(row[3]), load=tuple(row[4]), times=tuple(row[1]))
        for row in rows
    }
