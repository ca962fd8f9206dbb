"""A backup's way back: into an empty database of any mode; no row is restored before every sum has been checked."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from core.exceptions import BusinessLogicError, ResourceConflictError, ValidationError
from core.models import StorageMode
from core.storage import transfer_rollups
from core.storage.archive import Manifest, Member, open_archive, stream, verify
from core.storage.backup import rollup_types
from core.storage.copying import NOTE, continue_numbers, copy_in, quoted, stage, stage_as, writing
from core.storage.engine import Database
from core.storage.mover import insert_missing
from core.storage.partitions import ensure_partitions
from core.storage.parts import OWN_KEYS, OWN_PREFIXES, identity_column, target_relation
from core.storage.revisions import KNOWN
from core.storage.schema import ROLLUP, SAMPLE_TABLE, metadata
from core.storage.setup import initialise
from core.storage.steps import Progress, no_progress
from core.storage.transfer import (
    State,
    TransferReport,
    alone,
    claim,
    pause_jobs,
    refuse_foreign,
    resume_jobs,
)
from core.storage.transfer_counts import TableCount
from core.storage.transfer_rest import known_jobs, same_jobs

_PART = "transfer:part:restore:"
_DONE = text("SELECT key FROM jumpwatch_meta WHERE key LIKE 'transfer:part:%'")


async def restore(target: Database, path: Path, say: Progress = no_progress) -> TransferReport:
    """Put a backup into an empty database, or go on with a restore of this very file that was cut.

    Raises ValidationError for a file that is no whole backup, ResourceConflictError for a database that is not empty.
    """
    archive, manifest = await asyncio.to_thread(open_archive, path)
    try:
        _known(path, manifest)
        for member in manifest.tables:
            say(f"checking {member.name}")
            if wrong := await asyncio.to_thread(verify, archive, member):
                raise ValidationError(f"{path} is damaged: {member.name}: {wrong}", operation="restore")
        await refuse_foreign(target)
        say(f"setting up {target.where}")
        for step in await initialise(target):
            if not step.ok:
                raise BusinessLogicError(f"{step.step} {step.target}: {step.reason}", operation="set up the target")
        async with alone(target):
            return await _restore(target, archive, manifest, say)
    finally:
        archive.close()


def _known(path: Path, manifest: Manifest) -> None:
    """Refuse what this program does not know; names go into SQL only after this."""
    if manifest.revision not in KNOWN:
        raise ValidationError(
            f"{path} was made by a newer jumpwatch: its schema is at revision {str(manifest.revision)[:40]}, this "
            f"program knows up to {KNOWN[-1]}",
            operation="restore",
        )
    for member in manifest.tables:
        table = metadata.tables.get(member.name)
        known = table.columns.keys() if table is not None else _rolled(member.name)
        odd = [column for column in member.columns if column not in known]
        if not known or odd or (member.name in ROLLUP and list(member.columns) != known):
            what = f"{member.name[:60]}.{str(odd[0])[:60]}" if odd else member.name[:60]
            raise ValidationError(f"{path} holds {what!r}, which this program does not know", operation="restore")


def _rolled(name: str) -> list[str]:
    return list(ROLLUP[name].columns) if name in ROLLUP else []


async def _restore(target: Database, archive: zipfile.ZipFile, manifest: Manifest, say: Progress) -> TransferReport:
    origin = f"backup/{hashlib.sha256(manifest.to_json()).hexdigest()}"
    moment = datetime.fromisoformat(manifest.moment)
    state: State = await claim(target, origin, moment)
    if state.finished:
        raise ResourceConflictError(f"{target.where} holds this backup already", operation="restore")
    await pause_jobs(target, state)
    async with target.connect("read how far the restore is") as connection:
        done = set((await connection.execute(_DONE)).scalars())
    if done:
        say(f"going on with a restore that was cut: {len(done)} parts are there")
    tables = [member for member in manifest.tables if member.name not in ROLLUP]
    for member in tables:
        if _PART + member.name not in done:
            say(f"restoring {member.name}: {member.rows} rows")
            await _table(target, archive, member, manifest)
    begins = {name: datetime.fromisoformat(value) for name, value in manifest.begins.items() if value}
    raw = {member.name: member for member in tables if member.name in SAMPLE_TABLE}
    starts = {name: begins.get(name) or _moment(member.first) for name, member in raw.items()}
    await transfer_rollups.refresh(target, starts, moment, say, done)
    for member in manifest.tables:
        if member.name in ROLLUP and _PART + member.name not in done:
            say(f"restoring {member.name}: {member.rows} rows")
            await _rollup(target, archive, member)
    counts = [await _count(target, member, manifest) for member in manifest.tables]
    report = TransferReport(tuple(counts), moment)
    if report.ok:
        await resume_jobs(target, replace(state, finished=True))
    return report


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


async def _cover(target: Database, member: Member) -> None:
    first, last = _moment(member.first), _moment(member.last)
    if first is not None and last is not None and not target.timescale:
        await ensure_partitions(target, member.name, first, last)


async def _table(target: Database, archive: zipfile.ZipFile, member: Member, manifest: Manifest) -> None:
    """Restore one table, in one transaction."""
    name, columns = member.name, member.columns
    if name in SAMPLE_TABLE:
        await _cover(target, member)
    jobs = await known_jobs(target) if target.timescale else {}
    async with writing(target, f"restore {name}") as raw:
        if name == "jumpwatch_meta":
            await _meta(target, raw, columns, stream(archive, member))
        elif name == "jumpwatch_jobs":
            ids = same_jobs({(j[1], j[2]): j[0] for j in manifest.jobs}, jobs) if target.timescale else None
            if target.timescale is (manifest.mode == StorageMode.TIMESCALEDB.value):
                await _jobs(target, raw, columns, stream(archive, member), ids)
        else:
            await copy_in(target, raw, ("public", name), columns, stream(archive, member))
            if number := identity_column(metadata.tables[name]):
                await continue_numbers(raw, name, number)
        await raw.execute(NOTE, _PART + name, str(member.rows))


async def _meta(target: Database, raw: Any, columns: tuple[str, ...], data: AsyncIterator[bytes]) -> None:
    staged = await stage(raw, "jumpwatch_meta", columns)
    await copy_in(target, raw, (None, staged), columns, data)
    own = " AND ".join(f"NOT starts_with(key, '{prefix}')" for prefix in OWN_PREFIXES)
    await raw.execute(
        f"INSERT INTO jumpwatch_meta ({quoted(columns)}) SELECT {quoted(columns)} FROM {staged} "  # noqa: S608 - our own names
        f"WHERE key <> ALL($1::text[]) AND {own} ON CONFLICT DO NOTHING",
        list(OWN_KEYS),
    )


async def _jobs(
    target: Database, raw: Any, columns: tuple[str, ...], data: AsyncIterator[bytes], ids: dict[int, int] | None
) -> None:
    """Restore the jobs' history; TimescaleDB numbered them anew."""
    staged = await stage(raw, "jumpwatch_jobs", columns)
    await copy_in(target, raw, (None, staged), columns, data)
    if ids is not None:
        old, new = list(ids), list(ids.values())
        await raw.execute(f"DELETE FROM {staged} WHERE job_id <> ALL($1::int[])", old)  # noqa: S608 - our own names
        pairs = "unnest($1::int[], $2::int[]) AS w(old, new)"
        await raw.execute(f"UPDATE {staged} s SET job_id = w.new FROM {pairs} WHERE w.old = s.job_id", old, new)  # noqa: S608 - our own names
    await raw.execute(
        f"INSERT INTO jumpwatch_jobs ({quoted(columns)}) SELECT {quoted(columns)} FROM {staged} ON CONFLICT DO NOTHING"  # noqa: S608 - our own names
    )


async def _rollup(target: Database, archive: zipfile.ZipFile, member: Member) -> None:
    """Restore the rows of a rollup that could not be made anew from the raw data."""
    await _cover(target, member)
    rollup = ROLLUP[member.name]
    relation = ".".join(await target_relation(target, member.name))
    async with writing(target, f"restore {member.name}") as raw:
        made = zip(rollup.columns, rollup_types(rollup), strict=True)
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in made)
        staged = await stage_as(raw, f"SELECT {columns}")
        await copy_in(target, raw, (None, staged), member.columns, stream(archive, member))
        await insert_missing(raw, member.name, relation, staged)
        await raw.execute(NOTE, _PART + member.name, str(member.rows))


async def _count(target: Database, member: Member, manifest: Manifest) -> TableCount:
    async with writing(target, f"count {member.name}") as raw:
        limit = target.settings.maintenance_timeout_s
        here = int(await raw.fetchval(f"SELECT count(*) FROM {member.name}", timeout=limit))  # noqa: S608 - our own names
    note = ""
    if member.name == "jumpwatch_meta":
        return TableCount(member.name, member.rows, here, 0, "what a database knows of itself is its own")
    if member.name == "jumpwatch_jobs" and here < member.rows:
        return TableCount(member.name, member.rows, here, 0, "the rest is of jobs that the target has not")
    if here > member.rows:
        note = f"{here - member.rows} more were rolled up in the target" if member.name in ROLLUP else ""
    return TableCount(member.name, member.rows, here, max(0, member.rows - here), note)
