"""How full filesystems were, for forecasts: a week in steps of hours from the rollups, the last hours from raw data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from core.storage.engine import Database

_WEEK, _RAW = timedelta(days=7), timedelta(hours=6)
_HOUR = timedelta(hours=1)  # a bucket: its end must lie before the raw rows
_COARSE, _FINE = timedelta(hours=4), timedelta(minutes=8)

Levels = dict[tuple[str, str], list[tuple[float, float]]]
"""By host and mount: (epoch seconds, share used), oldest first."""

# A row a step and filesystem. The rollups may lag behind by hours: what they have not is told by the raw rows.
_ROLLED = text("""
SELECT h.name AS host, i.name AS mount, max(r.bucket) AS at,
       (array_agg(r.used_last ORDER BY r.bucket DESC))[1] AS used,
       (array_agg(r.available_last ORDER BY r.bucket DESC))[1] AS available
FROM hosts h JOIN items i ON i.host_id = h.host_id AND i.kind = 'fs'
JOIN filesystem_samples_1h r ON r.host_id = h.host_id AND r.item_id = i.item_id
WHERE h.name = ANY(CAST(:names AS text[])) AND r.bucket >= :week AND r.bucket < :raw
GROUP BY h.name, i.name, date_bin(CAST(:step AS interval), r.bucket, TIMESTAMPTZ '2000-01-01 00:00:00+00')
ORDER BY 3
""")
_FRESH = text("""
SELECT h.name AS host, i.name AS mount, s.ts AS at, s.used, s.available
FROM hosts h JOIN items i ON i.host_id = h.host_id AND i.kind = 'fs'
CROSS JOIN generate_series(CAST(:raw AS timestamptz), CAST(:now AS timestamptz), CAST(:step AS interval)) AS t(at)
CROSS JOIN LATERAL (
    SELECT ts, used, available FROM filesystem_samples f
    WHERE f.host_id = h.host_id AND f.item_id = i.item_id AND f.ts > t.at - CAST(:step AS interval) AND f.ts <= t.at
      AND f.ts > :low AND f.ts <= :now
    ORDER BY f.ts DESC LIMIT 1
) s
WHERE h.name = ANY(CAST(:names AS text[])) ORDER BY s.ts
""")


async def fill_levels(database: Database, hosts: Sequence[str], now: datetime) -> Levels:
    """Return how full the filesystems of these hosts were over the last week; few hosts at a time."""
    raw = now - _RAW
    found: Levels = defaultdict(list)
    async with database.connect("read how full filesystems were") as connection:
        bounds: dict[str, Any] = {"names": list(hosts), "week": now - _WEEK, "raw": raw - _HOUR, "step": _COARSE}
        for row in await connection.execute(_ROLLED, bounds):
            _take(found, row, 3599.0)  # the last reading of its hour
        bounds = {"names": list(hosts), "raw": raw, "now": now, "step": _FINE, "low": raw - _FINE}
        for row in await connection.execute(_FRESH, bounds):
            _take(found, row, 0.0)
    return dict(found)


def _take(found: Levels, row: Any, into_s: float) -> None:
    if row.used is not None and row.available is not None and row.used + row.available > 0:
        at = row.at.timestamp() + into_s
        found[row.host, row.mount].append((at, row.used / (row.used + row.available)))
