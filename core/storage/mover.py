"""Moves parts of tables from one database to another, each in one transaction with the note that it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any

from sqlalchemy import Table, text

from core.exceptions import ResourceConflictError
from core.storage.copying import NOTE, continue_numbers, pour, quoted, reading, stage, types_of, writing
from core.storage.engine import Database
from core.storage.partitions import ensure_partitions
from core.storage.parts import SINGLE_SESSION_ROWS, SLICE_ROWS, Part, identity_column, natural_key, target_relation
from core.storage.schema import ROLLUP, SAMPLE_TABLE, metadata
from core.storage.steps import Progress

_EVERY_S = 1.0
_KEYS = text("SELECT key, value FROM jumpwatch_meta WHERE key LIKE 'transfer:part:%'")


class Meter:
    """Tells now and then how far a copy is: rows, rows a second, per cent and the time that is left."""

    def __init__(self, say: Progress, monotonic: Callable[[], float] = monotonic) -> None:
        self._say, self._monotonic = say, monotonic
        self._begun = self._told = monotonic()
        self.expected = self.passed = self.copied = 0

    def expect(self, rows: int) -> None:
        """Add rows to what is to be done."""
        self.expected += max(1, rows)

    def step(self, table: str, estimate: int, copied: int) -> None:
        """Take a part as done: ``estimate`` as it was expected, ``copied`` as many as really went over."""
        self.passed += max(1, estimate)
        self.copied += copied
        now = self._monotonic()
        if now - self._told >= _EVERY_S:
            self._told = now
            self._say(self.line(table, now - self._begun))

    def line(self, table: str, seconds: float) -> str:
        """Return the line for a copy that has run for so long."""
        share = min(1.0, self.passed / self.expected) if self.expected else 1.0
        left = seconds / share - seconds if share else 0.0
        rate = self.copied / seconds if seconds > 0 else 0.0
        words = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min" if left < 6000 else f"{left / 3600:.1f} h"
        return f"{table}: {self.copied} rows copied, {rate:.0f} rows/s, {share:.0%}, about {words} left"


class Mover:
    """Copies out of ``source``, which is only read, into ``target``; for one task."""

    def __init__(self, source: Database, target: Database, meter: Meter) -> None:
        self.source, self.target, self.meter = source, target, meter
        single = source.single_session or target.single_session
        self.slice_rows = SINGLE_SESSION_ROWS if single else SLICE_ROWS
        self.done: dict[str, int] = {}
        self.touched: dict[str, list[tuple[datetime, datetime]]] = {}

    async def read_done(self) -> None:
        """Learn what an earlier copy that was cut has moved already."""
        async with self.target.connect("read how far the copy is") as connection:
            self.done = {row.key: int(row.value) for row in await connection.execute(_KEYS)}

    async def counts(self, part: Part) -> tuple[int, int]:
        """Return how many rows of a part the source has, and the target."""
        source, target = await asyncio.gather(self.count(self.source, part), self.count(self.target, part))
        return source, target

    async def count(self, database: Database, part: Part) -> int:
        """Return how many rows of a part a database has."""
        async with reading(database, f"count {part.table}") as raw:
            limit = database.settings.maintenance_timeout_s
            return int(await raw.fetchval(part.counting(), part.low, part.high, timeout=limit))

    async def samples(self, part: Part) -> None:
        """Move a part of a table of samples or a rollup, unless it was."""
        copied = 0
        if part.key not in self.done:
            there = await self.count(self.target, part)
            if not there:
                copied = await self._straight(part)
            elif await self.count(self.source, part) > there:
                copied = await self.missing(part)
            self.done[part.key] = there + copied
        self.meter.step(part.table, part.rows, copied)

    async def _straight(self, part: Part) -> int:
        """Copy into a range that has no rows yet."""
        if part.chunk and not self.target.timescale:
            await ensure_partitions(self.target, part.table, part.low, part.high)
        relation = await target_relation(self.target, part.table)
        columns = _columns(part.table)
        async with writing(self.target, f"copy {part.table}") as writer:
            kinds = await types_of(writer, ".".join(relation), columns)
            async with reading(self.source, f"copy {part.table}") as reader:
                query, bounds = _query(part, columns, kinds), (part.low, part.high)
                copied = await pour(
                    (self.source, reader), query, bounds, (self.target, writer), relation, columns
                )  # fmt: skip
            await writer.execute(NOTE, part.key, str(copied))
        if copied:
            self.touched.setdefault(part.table, []).append((part.low, part.high))
        return copied

    async def missing(self, part: Part) -> int:
        """Copy a range that has some of its rows already: by a staging table, and only those that lack."""
        if part.chunk and not self.target.timescale:
            await ensure_partitions(self.target, part.table, part.low, part.high)
        schema, name = await target_relation(self.target, part.table)
        relation, columns = f"{schema}.{name}", _columns(part.table)
        async with writing(self.target, f"copy the rest of {part.table}") as writer:
            kinds = await types_of(writer, relation, columns)
            staged = await stage(writer, relation, columns)
            async with reading(self.source, f"copy the rest of {part.table}") as reader:
                query, bounds = _query(part, columns, kinds), (part.low, part.high)
                await pour((self.source, reader), query, bounds, (self.target, writer), (None, staged), columns)
            copied = await insert_missing(writer, part.table, relation, staged)
            await writer.execute(NOTE, part.key, str(await writer.fetchval(part.counting(), part.low, part.high)))
        if copied:
            self.touched.setdefault(part.table, []).append((part.low, part.high))
        return copied

    async def late(self, part: Part) -> int:
        """Move the rows that came to the source after the part was moved; returns how many."""
        if part.table in SAMPLE_TABLE:
            return await self.missing(part)
        self.done.pop(part.key, None)
        return await self.log(part)

    async def log(self, part: Part) -> int:
        """Move a part of a log, returns its new rows; one keeps its number where the target has not given it away."""
        copied = 0
        table = metadata.tables[part.table]
        columns, number = list(table.columns.keys()), identity_column(table) or ""
        if part.key not in self.done:
            async with writing(self.target, f"copy {part.table}") as writer:
                staged = await stage(writer, part.table, columns)
                async with reading(self.source, f"copy {part.table}") as reader:
                    query = f"SELECT {quoted(columns)} FROM {part.table} WHERE {part.inside}"  # noqa: S608 - our own names
                    ends = (self.target, writer), (None, staged), columns
                    await pour((self.source, reader), query, (part.low, part.high), *ends)
                copied = await insert_log(writer, table, staged)
                await continue_numbers(writer, part.table, number)
                await writer.execute(NOTE, part.key, str(copied))
            self.done[part.key] = copied
        self.meter.step(part.table, part.rows, copied)
        return copied

    async def whole(self, table: Table) -> None:
        """Move a whole table of settled rows: new ones are added, changed ones changed; ids are kept."""
        columns, number = list(table.columns.keys()), identity_column(table)
        async with writing(self.target, f"copy {table.name}") as writer:
            staged = await stage(writer, table.name, columns)
            async with reading(self.source, f"copy {table.name}") as reader:
                query = f"SELECT {quoted(columns)} FROM {table.name}"  # noqa: S608 - our own names
                copied = await pour(
                    (self.source, reader), query, (), (self.target, writer), (None, staged), columns
                )  # fmt: skip
            await refuse_strangers(writer, table, staged, self.target.where)
            await upsert(writer, table, staged)
            if number:
                await continue_numbers(writer, table.name, number)
        self.meter.step(table.name, copied, 0)


def _columns(table: str) -> tuple[str, ...]:
    return SAMPLE_TABLE[table].columns if table in SAMPLE_TABLE else ROLLUP[table].columns


def _query(part: Part, columns: tuple[str, ...], kinds: list[str]) -> str:
    """Return the query for a part; sums and the like have other types in another mode."""
    if part.table in ROLLUP:
        made = ", ".join(f"CAST({column} AS {kind})" for column, kind in zip(columns, kinds, strict=True))
    else:
        made = ", ".join(columns)
    return f"SELECT {made} FROM {part.table} WHERE {part.inside}"  # noqa: S608 - our own names


async def insert_missing(raw: Any, table: str, relation: str, staged: str) -> int:
    """Insert the staged rows of a table of samples or a rollup that the target lacks; returns how many."""
    columns = ", ".join(_columns(table))
    if table in SAMPLE_TABLE:
        rest = "ON CONFLICT DO NOTHING"
    else:  # what holds a continuous aggregate's rows has no unique index
        keys = (*ROLLUP[table].source.keys, "bucket")
        same = " AND ".join(f"t.{key} = s.{key}" for key in keys)
        rest = f"WHERE NOT EXISTS (SELECT FROM {relation} t WHERE {same})"
    said = await raw.execute(f"INSERT INTO {relation} ({columns}) SELECT {columns} FROM {staged} s {rest}")  # noqa: S608 - our own names
    return int(said.rsplit(" ", 1)[-1])


async def insert_log(raw: Any, table: Table, staged: str) -> int:
    """Insert the staged rows of a log: with their numbers, and those whose number is taken with new ones."""
    number = identity_column(table)
    everything = quoted(list(table.columns.keys()))
    rest = quoted([column.name for column in table.columns if column.name != number])
    copied = 0
    for columns in (everything, rest):
        said = await raw.execute(
            f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {staged} ORDER BY {number} "  # noqa: S608 - our own names
            "ON CONFLICT DO NOTHING"
        )
        copied += int(said.rsplit(" ", 1)[-1])
    return copied


async def upsert(raw: Any, table: Table, staged: str) -> None:
    """Add the staged rows, and change those that are there."""
    key = [column.name for column in table.primary_key]
    columns = quoted(list(table.columns.keys()))
    rest = [column.name for column in table.columns if column.name not in key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    await raw.execute(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {staged} "  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {changes}" if changes else "NOTHING")
    )


async def refuse_strangers(raw: Any, table: Table, staged: str, where: str) -> None:
    """Raise ResourceConflictError where the target has rows of its own: their ids would get mixed with the source's."""
    natural = natural_key(table)
    if not natural:
        return
    same = " AND ".join(f't."{name}" = s."{name}"' for name in (*table.primary_key.columns.keys(), *natural))
    shown = " || ' ' || ".join(f't."{name}"::text' for name in natural)
    row = await raw.fetchrow(
        f"SELECT count(*) AS rows, min({shown}) AS name FROM {table.name} t "  # noqa: S608 - our own names
        f"WHERE NOT EXISTS (SELECT FROM {staged} s WHERE {same})"
    )
    if row["rows"]:
        raise ResourceConflictError(
            f"{where} holds {row['rows']} {table.name} that the source has not ({row['name']}): "
            "it was used on its own; copy into an empty database",
            operation="copy",
        )
