"""The time line: what happened when, and where nothing was stored; a source of marks is a SELECT of five columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from core.models import Mark, MarkKind
from core.storage.engine import Database
from core.storage.queries import MAX_AGE
from core.storage.rollups import oldest_raw
from core.storage.schema import HOST_SAMPLES, HOUR, MINUTE

MOST_MARKS = 2000
FARTHEST = timedelta(days=400)  # how far a mark is looked for
BINS = 120  # parts of a time line that are looked at for data
# A plan for any moment would look into every chunk.
CUSTOM_PLANS = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"

# Each gives ts, kind, severity, host, text with $1 < ts <= $2; whoever has more to mark adds a SELECT here.
MARKS: tuple[str, ...] = (
    """
    SELECT t.ts, 'state' AS kind,
        CASE t.new WHEN 'offline' THEN 'error' WHEN 'degraded' THEN 'warning' ELSE 'info' END AS severity,
        h.name AS host, concat(CASE WHEN t.old = t.new THEN 'still ' ELSE t.old || ' -> ' END, t.new,
            ' (' || nullif(t.detail, '') || ')') AS text
    FROM transitions t JOIN hosts h USING (host_id) WHERE t.ts > $1 AND t.ts <= $2
    """,
    """
    SELECT i.ts, 'action',
        CASE WHEN o.ok THEN 'info' WHEN o.ok IS NULL THEN 'warning' ELSE 'error' END, '',
        concat(i.action, ' by ', i.actor, ': ', coalesce(o.summary, 'no outcome: it runs, or was cut off'))
    FROM audit i LEFT JOIN audit o ON o.audit_id = i.audit_id AND o.phase = 'outcome'
    WHERE i.phase = 'intent' AND i.ts > $1 AND i.ts <= $2
    """,
    """
    SELECT c.ts, 'alert', c.severity, c.host, concat(c.change, ': ', c.text)
    FROM alert_changes c WHERE c.change IN ('raised', 'worse') AND c.ts > $1 AND c.ts <= $2
    """,
)
_ALL = " UNION ALL ".join(MARKS)
# What a person is called for: alerts, and hosts that went offline or degraded.
_LOUD = "WHERE kind = 'alert' OR (kind = 'state' AND severity <> 'info')"


async def marks(
    database: Database, start: datetime, stop: datetime, *, most: int = MOST_MARKS
) -> tuple[tuple[Mark, ...], bool]:
    """Return what happened in (start, stop], oldest first, and whether it was more than ``most``.

    Where it was, the oldest are left out.
    """
    async with database.driver("read the time line") as connection:
        return await marks_by(connection, start, stop, most)


async def marks_by(
    connection: Any, start: datetime, stop: datetime, most: int = MOST_MARKS
) -> tuple[tuple[Mark, ...], bool]:
    """Return the same over asyncpg's own connection, within another reading."""
    rows = await connection.fetch(f"SELECT * FROM ({_ALL}) m ORDER BY ts DESC LIMIT $3", start, stop, most + 1)  # noqa: S608 - our own
    return tuple(_mark(row) for row in reversed(rows[:most])), len(rows) > most


async def mark_beside(database: Database, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
    """Return the next mark after the moment, or the last one before it; ``loud``: alerts and failing hosts alone."""
    bounds = (at, at + FARTHEST) if later else (at - FARTHEST, at - timedelta(microseconds=1))
    statement = f"SELECT * FROM ({_ALL}) m {_LOUD if loud else ''} ORDER BY ts {'ASC' if later else 'DESC'} LIMIT 1"  # noqa: S608 - our own
    async with database.driver("look for a mark") as connection:
        row = await connection.fetchrow(statement, *bounds)
    return None if row is None else _mark(row)


def _mark(row: Any) -> Mark:
    return Mark(row[0], MarkKind(row[1]), row[2], row[3], row[4])


async def reach(database: Database) -> tuple[datetime | None, datetime | None]:
    """Return from when on there are raw samples, and buckets of a minute; None where there are none."""
    return await oldest_raw(database, HOST_SAMPLES.name), await oldest_raw(database, "host_samples_1m")


async def gaps(
    database: Database,
    start: datetime,
    stop: datetime,
    reaches: tuple[datetime | None, datetime | None],
    *,
    shortest: timedelta = MAX_AGE,
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the spans of [start, stop) of at least ``shortest`` in which no host left a sample.

    Raw rows tell where there are some, then rollups of a minute, then of an hour. The edges of a gap are exact where
    data begins again, and within a bin of the time line where it ends.
    """
    raw_from, minutes_from = (edge or stop for edge in reaches)
    minutes_from = min(minutes_from, raw_from)
    cuts = [start, *(edge for edge in (minutes_from, raw_from) if start < edge < stop), stop]
    found: list[tuple[datetime, datetime]] = []
    async with database.driver("look for gaps") as connection:
        await connection.execute(CUSTOM_PLANS)
        for low, high in pairwise(cuts):
            if low >= raw_from:
                rows, width = _Rows(connection, HOST_SAMPLES.name, "ts", shortest), timedelta()
            elif low >= minutes_from:
                rows, width = _Rows(connection, "host_samples_1m", "bucket", shortest), timedelta(seconds=MINUTE)
            else:
                width = timedelta(seconds=HOUR)
                rows = _Rows(connection, "host_samples_1h", "bucket", max(shortest, 2 * width))
            # A bin is no narrower than a bucket: else those between two starts of buckets would look empty.
            found += await rows.gaps(low, high, max((stop - start) / BINS, shortest / 3, width))
    return _joined(found)


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    joined: list[tuple[datetime, datetime]] = []
    for low, high in spans:
        if joined and joined[-1][1] >= low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table that tells when any host left something; the names are our own, times are bound."""

    connection: Any
    table: str
    column: str
    shortest: timedelta

    async def gaps(self, low: datetime, high: datetime, step: timedelta) -> list[tuple[datetime, datetime]]:
        """Go through the bins of [low, high): over those without data goes one leap to the next row of any host."""
        starts = [low + number * step for number in range(-(-(high - low) // step))]
        covered = await self._covered(starts, [min(start + step, high) for start in starts])
        found: list[tuple[datetime, datetime]] = []
        at = low
        while at < high:
            if at not in covered:
                until = await self._next(at, high) or high
                if until - at >= self.shortest:
                    found.append((at, until))
                at += (until - at) // step * step
            at += step
        return found

    async def _covered(self, starts: list[datetime], ends: list[datetime]) -> set[datetime]:
        """Return the starts of the bins in which one of twenty hosts left something: most, and cheap to ask."""
        column, given = self.column, (starts, ends, starts[0], ends[-1])
        rows = await self.connection.fetch(
            "SELECT b.low FROM unnest($1::timestamptz[], $2::timestamptz[]) AS b(low, high) WHERE EXISTS ("  # noqa: S608 - our own
            "SELECT 1 FROM (SELECT host_id FROM hosts ORDER BY host_id LIMIT 20) h CROSS JOIN LATERAL ("
            f"SELECT 1 FROM {self.table} s WHERE s.host_id = h.host_id AND s.{column} >= b.low AND s.{column} < b.high "
            f"AND s.{column} >= $3 AND s.{column} < $4 LIMIT 1) s)",
            *given,
        )
        return {row[0] for row in rows}

    async def _next(self, at: datetime, high: datetime) -> datetime | None:
        column = self.column
        found: datetime | None = await self.connection.fetchval(
            f"SELECT min(s.{column}) FROM hosts h CROSS JOIN LATERAL (SELECT s.{column} FROM {self.table} s "  # noqa: S608 - our own
            f"WHERE s.host_id = h.host_id AND s.{column} >= $1 AND s.{column} < $2 ORDER BY s.{column} LIMIT 1) s",
            at,
            high,
        )
        return found
