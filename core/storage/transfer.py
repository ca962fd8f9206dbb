"""Copying one database into another, of any mode: resumable, counted at the end, the source only read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import text

from core.exceptions import BusinessLogicError, ResourceConflictError
from core.storage import transfer_rest, transfer_rollups
from core.storage.engine import Database
from core.storage.lock import PollerLock
from core.storage.migrate import revision
from core.storage.mover import Meter, Mover
from core.storage.parts import LOGS, log_parts, parts_of, whole_tables
from core.storage.revisions import HEAD
from core.storage.schema import ROLLUPS, SAMPLE_TABLES
from core.storage.setup import initialise
from core.storage.steps import Progress, no_progress
from core.storage.transfer_counts import TableCount, compare

STATE = "transfer:state"
_LOCK_TRIES = 20  # half a second each: the server frees a killed copy's lock once it notices

_IDENTITY = text("""
SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' ||
       (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())::text
""")
_MADE = text("SELECT updated FROM jumpwatch_meta WHERE key = 'mode'")
_STATE = text("SELECT value FROM jumpwatch_meta WHERE key = :key")
_NOTE = text("""
INSERT INTO jumpwatch_meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = now()
""")
_FORGET = text("DELETE FROM jumpwatch_meta WHERE key LIKE 'transfer:part:%'")
_STRANGE = text("""
SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
""")
_OURS = text("""
SELECT job_id FROM timescaledb_information.jobs WHERE job_id >= 1000 AND scheduled
""")
_ALTER = text("SELECT alter_job(:id, scheduled => CAST(:on AS boolean))")
# A job may have been dropped meanwhile, by hand or with its table.
_THERE = text("SELECT job_id FROM timescaledb_information.jobs WHERE job_id = ANY(CAST(:ids AS int[]))")


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What was copied, up to which moment (UTC), and what is to be known of it."""

    tables: tuple[TableCount, ...]
    upto: datetime
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Every row of the source is in the target."""
        return all(table.equal for table in self.tables)


@dataclass(slots=True)
class State:
    """What the target remembers of the copy into it."""

    source: str
    upto: str
    finished: bool = False
    paused: list[int] = field(default_factory=list)  # the target's jobs, which stand still meanwhile


async def transfer(source: Database, target: Database, say: Progress = no_progress) -> TransferReport:
    """Copy what ``source`` holds at this moment into ``target``, or go on with a copy that was cut.

    Both are open. The target must be empty, or hold an earlier copy of this very source; ResourceConflictError says
    why it is not taken. Whoever polls into the source goes on: run it again for what came meanwhile.
    """
    origin = await _origin(source, target)
    await refuse_foreign(target)
    say(f"setting up {target.where}")
    for step in await initialise(target):
        if not step.ok:
            raise BusinessLogicError(f"{step.step} {step.target}: {step.reason}", operation="set up the target")
    async with alone(target):
        cut = await _moment(source)
        state = await claim(target, origin, cut)
        earlier = replace(state)
        state.finished, state.upto = False, cut.isoformat()
        await pause_jobs(target, state)
        try:
            tables = await _copy(source, target, cut, say, resume=not earlier.finished)
        except ResourceConflictError:
            if earlier.finished:  # nothing was copied: its jobs go on
                await resume_jobs(target, replace(earlier, paused=state.paused))
            raise
        if all(table.equal for table in tables):
            state.finished = True
            await resume_jobs(target, state)
    return TransferReport(tables, cut, tuple([note async for note in _notes(source, target, cut, tables)]))


async def _copy(
    source: Database, target: Database, cut: datetime, say: Progress, *, resume: bool
) -> tuple[TableCount, ...]:
    meter = Meter(say)
    mover = Mover(source, target, meter)
    if resume:
        await mover.read_done()
        if mover.done:
            say(f"going on with a copy that was cut: {len(mover.done)} parts are there")
    samples = {table.name: await parts_of(source, table.name, cut, mover.slice_rows) for table in SAMPLE_TABLES}
    rolled = {rollup.name: await parts_of(source, rollup.name, cut, mover.slice_rows) for rollup in ROLLUPS}
    logs = {table: await log_parts(source, table, cut, mover.slice_rows) for table in LOGS}
    for part in (part for parts in (*samples.values(), *rolled.values(), *logs.values()) for part in parts):
        meter.expect(part.rows)
    await _settled(mover)
    for parts in samples.values():
        for part in parts:
            await mover.samples(part)
    counts = [await compare(mover, name, parts, cut, say) for name, parts in samples.items()]
    begins = {name: transfer_rollups.oldest(parts) for name, parts in samples.items()}
    await transfer_rollups.refresh(target, begins, cut, say, mover.done if resume else None, mover.touched)
    for parts in rolled.values():  # now those that the target could not make, whose raw data is gone
        for part in parts:
            await mover.samples(part)
    counts += [await compare(mover, name, parts, cut, say) for name, parts in rolled.items()]
    for parts in logs.values():
        for part in parts:
            await mover.log(part)
    await _settled(mover)  # samples may speak of items that came while they were copied
    counts += [await compare(mover, name, parts, cut, say) for name, parts in logs.items()]
    for table in whole_tables():
        counts.append(TableCount(table.name, *await transfer_rest.totals(mover, table.name)))
    counts.append(TableCount("jumpwatch_jobs", *await transfer_rest.jobs(mover)))
    await transfer_rest.meta(mover)
    return tuple(transfer_rest.judged(count) for count in counts)


async def _settled(mover: Mover) -> None:
    for table in whole_tables():
        await mover.whole(table)


async def _origin(source: Database, target: Database) -> str:
    """Return what names the source for good; raises where it cannot be copied from, or is the target."""
    at = await revision(source)
    if at != HEAD:
        words = f"is at revision {at}, and {HEAD} is wanted" if at else "is not set up, so there is nothing to copy"
        raise BusinessLogicError(f"{source.where} {words}: `jumpwatch db init` there comes first", operation="copy")
    async with source.connect("ask who the source is") as connection:
        origin = str(await connection.scalar(_IDENTITY))
        made: datetime = (await connection.execute(_MADE)).scalar_one()
    async with target.connect("ask who the target is") as connection:
        same = str(await connection.scalar(_IDENTITY)) == origin
    if same and await revision(target) is not None:
        async with target.connect("ask who the target is") as connection:
            same = (await connection.execute(_MADE)).scalar_one() == made
        if same:
            raise ResourceConflictError(f"{target.where} is the source itself: name another database", operation="copy")
    return f"{origin}/{made.astimezone(UTC).isoformat()}"


async def refuse_foreign(target: Database) -> None:
    """Raise ResourceConflictError where a database that is not set up holds tables of somebody else."""
    if await revision(target) is not None:
        return
    async with target.connect("look what the target holds") as connection:
        names = list((await connection.execute(_STRANGE)).scalars())
    if names:
        raise ResourceConflictError(
            f"{target.where} is not empty: it holds {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}; "
            "make a database of its own for Jumpwatch (`createdb`)",
            operation="copy",
        )


async def claim(target: Database, origin: str, cut: datetime) -> State:
    """Return the state of the copy in the target; a new one where it is empty."""
    async with target.connect("look what the target holds") as connection:
        value = await connection.scalar(_STATE, {"key": STATE})
    found = State(**json.loads(value)) if value else None
    since = None
    if found is not None:
        if found.source != origin:
            raise ResourceConflictError(
                f"{target.where} holds a copy of another database: copy into an empty one", operation="copy"
            )
        since = datetime.fromisoformat(found.upto)
    own = await transfer_rest.own_rows(target, since)
    if own:
        what = f"it was polled into since it was copied ({own})" if found else f"it has rows of its own ({own})"
        raise ResourceConflictError(
            f"{target.where} is not empty: {what}; a copy goes into an empty database", operation="copy"
        )
    return found or State(origin, cut.isoformat())


async def _moment(source: Database) -> datetime:
    async with source.connect("read the source's clock") as connection:
        now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
        return now


@asynccontextmanager
async def alone(target: Database) -> AsyncIterator[None]:
    """Hold the target's poller lock: nobody may poll into it meanwhile, nor copy."""
    lock = PollerLock(target)
    try:
        for _ in range(_LOCK_TRIES):
            if await lock.acquire():
                break
            await asyncio.sleep(0.5)
        else:
            holder = await lock.holder()
            raise ResourceConflictError(
                f"{holder.name if holder else 'another console'} is at work in {target.where}: end it first",
                operation="copy",
            )
        yield
    finally:
        await lock.release()


async def pause_jobs(target: Database, state: State) -> None:
    """Let the target's jobs stand still: none may compress or drop what is being copied. Noted with the state."""
    async with target.connect("hold the target's jobs") as connection:
        if target.timescale:
            found = list((await connection.execute(_OURS)).scalars())
            for job_id in found:
                await connection.execute(_ALTER, {"id": job_id, "on": False})
            state.paused = sorted({*state.paused, *found})
        await connection.execute(_NOTE, {"key": STATE, "value": json.dumps(asdict(state))})


async def resume_jobs(target: Database, state: State) -> None:
    """Let the jobs go on, and forget the parts: the copy is whole."""
    async with target.connect("let the target's jobs go on") as connection:
        if state.paused:
            there = list((await connection.execute(_THERE, {"ids": state.paused})).scalars())
            for job_id in there:
                await connection.execute(_ALTER, {"id": job_id, "on": True})
        state.paused = []
        await connection.execute(_FORGET)
        await connection.execute(_NOTE, {"key": STATE, "value": json.dumps(asdict(state))})


async def _notes(source: Database, target: Database, cut: datetime, tables: Sequence[TableCount]) -> AsyncIterator[str]:
    lock = PollerLock(source)
    try:
        holder = await lock.holder()
    finally:
        await lock.release()
    if holder is not None:
        yield (
            f"{holder.name} polls into {source.where}: copied up to {cut:%Y-%m-%d %H:%M:%S} UTC; end it and run this "
            "again, only what is newer is copied then"
        )
    if not all(table.equal for table in tables):
        yield f"not all rows are in {target.where}: run this again; its background jobs stand still until then"
