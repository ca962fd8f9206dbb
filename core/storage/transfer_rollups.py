"""The rollups of a copy: made anew where the raw data is there, carried over where it is gone."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from core.storage import rollups
from core.storage.copying import NOTE, writing
from core.storage.engine import Database
from core.storage.parts import Part
from core.storage.schema import ROLLUPS, Rollup
from core.storage.steps import Progress

_WINDOW = 10  # chunk intervals that are rolled up at once
_MARK = text("UPDATE jumpwatch_meta SET value = :value, updated = clock_timestamp() WHERE key = :key")


Span = tuple[datetime, datetime]


def oldest(parts: Sequence[Part]) -> datetime | None:
    """Return where the raw data of a table begins: its oldest chunk, or its oldest stray row where it has none."""
    return min((part.low for part in [part for part in parts if part.chunk] or parts), default=None)


async def refresh(
    target: Database,
    begins: Mapping[str, datetime | None],
    cut: datetime,
    say: Progress,
    done: Container[str] | None = (),
    changed: Mapping[str, Sequence[Span]] | None = None,
) -> None:
    """Roll the copied raw data up, window by window, from where each table ``begins`` up to ``cut``.

    Windows that are ``done`` (None: all are) are passed over where nothing has ``changed`` in them.
    """
    for rollup in ROLLUPS:
        begin = begins.get(rollup.source.name)
        if begin is None:
            await settle_past(target, rollup, None)
            continue
        edge = rollups.ceil(begin, rollup.width_s)
        await settle_past(target, rollup, edge)
        touched = (changed or {}).get(rollup.source.name, [])
        step = max(target.retention.chunk_interval * _WINDOW, timedelta(seconds=rollup.width_s))
        low = edge
        while low < cut:
            high = rollups.ceil(min(low + step, cut), rollup.width_s)
            key = f"transfer:part:refresh:{rollup.name}:{low.isoformat()}/{high.isoformat()}"
            if (done is not None and key not in done) or any(start < high and stop > low for start, stop in touched):
                say(f"rolling up {rollup.name} from {low:%Y-%m-%d}")
                await rollups.refresh(target, rollup, low, high)
                async with writing(target, "note the rollup") as raw:
                    await raw.execute(NOTE, key, "0")
            low = high
    if not target.timescale:
        await mark(target, cut)


async def mark(target: Database, cut: datetime) -> None:
    """Note how far our own rollups are: the next job goes on from there."""
    async with target.connect("note how far the rollups are") as connection:
        for rollup in ROLLUPS:
            value = rollups.floor(cut, rollup.width_s).isoformat()
            await connection.execute(_MARK, {"key": f"rollup:{rollup.name}", "value": value})


async def settle_past(target: Database, rollup: Rollup, edge: datetime | None) -> None:
    """Take the time before ``edge`` (None: all) as rolled up, while the continuous aggregate is empty there.

    A new aggregate holds all of time for stale: a later refresh would find no raw data and take the carried rows away.
    """
    if not target.timescale:
        return
    before = "WHERE bucket < :edge" if edge is not None else ""
    held = text(f"SELECT EXISTS (SELECT FROM {rollup.name} {before})")  # noqa: S608 - our own names
    async with target.connect(f"look into {rollup.name}") as connection:
        if await connection.scalar(held, {"edge": edge} if edge is not None else {}):
            return
    stop = f"'{edge.isoformat()}'" if edge is not None else "now()"
    async with target.maintenance(operation=f"settle {rollup.name}") as connection:
        await connection.execute(text(f"CALL refresh_continuous_aggregate('{rollup.name}', NULL, {stop})"))
