"""Backup into one file: every table as of one moment, whole or not there at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.exceptions import BusinessLogicError
from core.storage.archive import Manifest, Member, Writing, writing_to
from core.storage.catalogue import read_chunks
from core.storage.copying import copy_out, quoted, reading
from core.storage.engine import Database
from core.storage.errors import NOT_INITIALISED
from core.storage.migrate import revision
from core.storage.partitions import time_column
from core.storage.parts import LOGS, OWN_PREFIXES
from core.storage.schema import ROLLUP, SAMPLE_TABLE, SAMPLE_TABLES, Rollup, metadata
from core.storage.steps import Progress, no_progress
from core.storage.transfer_rest import known_jobs


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What went into the file; ``bytes`` is the file's size."""

    file: str
    moment: str
    bytes: int
    tables: tuple[Member, ...]


def rollup_types(rollup: Rollup) -> list[str]:
    """Return the types of a rollup's columns as a backup has them: those of a server without TimescaleDB."""
    kinds = dict(zip(rollup.source.columns, rollup.source.types, strict=True))
    made = (kind for f in rollup.figures for kind in ("float8", "int8", kinds[f], kinds[f], kinds[f]))
    return ["timestamptz", *("int4" for _ in rollup.source.keys), "int8", *made]


async def backup(source: Database, path: Path, say: Progress = no_progress) -> BackupReport:
    """Write everything into ``path`` (mode 0600), as it is at one moment; the source is only read.

    Raises ResourceConflictError where the file is there, BusinessLogicError where it cannot be written: then nothing is
    left of it.
    """
    at = await revision(source)
    capability = source.capability
    if at is None or capability is None:
        raise BusinessLogicError(f"{source.where}: {NOT_INITIALISED}", operation="backup")
    manifest = Manifest("", at, capability.mode.value, capability.server_version, capability.extension_version)
    if source.timescale:
        manifest.jobs = [(number, *key) for key, number in (await known_jobs(source)).items()]
    for table in SAMPLE_TABLES:
        chunks = await read_chunks(source, table.name, sizes=False)
        start = min((chunk.start for chunk in chunks), default=None)
        manifest.begins[table.name] = start.isoformat() if start else None
    names = await _tables(source)
    async with writing_to(path) as file:
        async with reading(source, "backup", lock=names) as raw:
            manifest.moment = (await raw.fetchval("SELECT now()")).astimezone(UTC).isoformat()
            for name in names:
                say(f"backing up {name}")
                manifest.tables.append(await _table(source, raw, name, file))
        await file.finish(manifest.to_json())
    size = (await asyncio.to_thread(path.stat)).st_size
    return BackupReport(str(path), manifest.moment, size, tuple(manifest.tables))


async def _tables(source: Database) -> list[str]:
    """Return the tables and rollups that the database has; an older one lacks some that came later."""
    names = [*metadata.tables, *ROLLUP]
    async with source.driver("look which tables there are") as raw:
        query = "SELECT n FROM unnest($1::text[]) n WHERE to_regclass('public.' || n) IS NOT NULL"
        there = {row["n"] for row in await raw.fetch(query, names)}
    return [name for name in names if name in there]


async def _table(source: Database, raw: Any, name: str, file: Writing) -> Member:
    where = _where(name)
    if name in ROLLUP:
        rollup = ROLLUP[name]
        columns: tuple[str, ...] = rollup.columns
        kinds = rollup_types(rollup)
        made = ", ".join(f"CAST({column} AS {kind})" for column, kind in zip(columns, kinds, strict=True))
    else:
        columns = tuple(metadata.tables[name].columns.keys())
        made = quoted(columns)
    first = last = None
    if name in SAMPLE_TABLE or name in ROLLUP or name in LOGS:
        column = time_column(name)
        limit = source.settings.maintenance_timeout_s
        first, last = await raw.fetchrow(f"SELECT min({column}), max({column}) FROM {name}", timeout=limit)  # noqa: S608 - our own names
    await file.begin(f"tables/{name}.copy")
    rows = await copy_out(source, raw, f"SELECT {made} FROM {name} {where}", (), file.write)  # noqa: S608 - our own names
    digest = await file.end()
    return Member(name, columns, rows, file.bytes, digest, _iso(first), _iso(last))


def _where(name: str) -> str:
    if name != "jumpwatch_meta":
        return ""
    return "WHERE " + " AND ".join(f"NOT starts_with(key, '{prefix}')" for prefix in OWN_PREFIXES)


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
