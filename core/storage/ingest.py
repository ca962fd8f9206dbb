"""Putting samples into the database: ids first, then COPY where it is taken, else arrays; one transaction a batch.

The driver's own encoder makes the binary COPY. One of our own that packs column by column gains a few per cent where
all rows know the same figures and loses as much where they do not. The benchmark "ingest" measures it beside psql.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Generic, TypeVar

import asyncpg

from core.models import Host, HostFinding, HostSample, ItemSample, Transition
from core.storage.engine import Database
from core.storage.errors import PoisonError
from core.storage.partitions import Coverage
from core.storage.rows import (
    ItemKey,
    Row,
    clean,
    finding_rows,
    look_items,
    look_rows,
    sample_items,
    sample_rows,
    span,
    transition_rows,
)
from core.storage.schema import FRAME_TABLES, LOOK_TABLES, SampleTable

Key = TypeVar("Key")
OfHost = TypeVar("OfHost", Transition, HostFinding)
Taken = TypeVar("Taken", HostSample, ItemSample)
_FRESH = timedelta(seconds=30)  # rollups of ours reach to a minute ago; older rows must be told to them
_TRANSITION_COLUMNS = ("host_id", "ts", "old", "new", "reason", "detail")
_TRANSITION_TYPES = ("int4", "timestamptz", "text", "text", "text", "text")
_FINDING_COLUMNS = ("host_id", "kind", "ts", "status", "severity", "detail", "body")
_FINDING_TYPES = ("int4", "text", "timestamptz", "text", "text", "text", "text")
_HOST_IDS = "SELECT name, host_id FROM hosts WHERE name = ANY($1::text[])"
_NEW_HOSTS = "INSERT INTO hosts (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING"
_ITEM_IDS = """
SELECT i.host_id, i.kind, i.name, i.item_id, i.extra FROM items i
JOIN unnest($1::int4[], $2::text[], $3::text[]) AS w(host_id, kind, name) USING (host_id, kind, name)
"""
_NEW_ITEMS = """
INSERT INTO items (host_id, kind, name, extra)
SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (host_id, kind, name) DO UPDATE SET extra = excluded.extra
WHERE items.extra IS DISTINCT FROM excluded.extra
"""
# Rows that come late lie behind what our own rollups have taken: they are taken again from there.
_LATE = """
UPDATE jumpwatch_meta SET value = LEAST(value::timestamptz, $1::timestamptz)::text, updated = clock_timestamp()
WHERE key LIKE 'rollup:%'
"""


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Taken]):
    """A kind of sample: its tables, the items that one speaks of, and the rows of many."""

    tables: tuple[SampleTable, ...]
    items: Callable[[Taken], Iterable[tuple[ItemKey, str | None]]]
    rows: Callable[[Sequence[Taken], Mapping[str, int], Mapping[ItemKey, int]], Mapping[SampleTable, Iterator[Row]]]


_FRAMES = _Kind(FRAME_TABLES, sample_items, sample_rows)
_LOOKS = _Kind(LOOK_TABLES, look_items, look_rows)


class Ingest:
    """Writes batches of samples; remembers ids and partitions. For one task at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hosts: dict[str, int] = {}
        self._items: dict[ItemKey, int] = {}
        self._extras: dict[ItemKey, str | None] = {}
        self._coverage = Coverage(database)

    def forget(self) -> None:
        """Read ids and partitions anew; after the database was away it may be another one."""
        self._hosts.clear()
        self._items.clear()
        self._extras.clear()
        self._coverage.forget()

    async def samples(self, samples: Sequence[HostSample], *, fresh: bool, now: datetime | None = None) -> None:
        """Store a batch, all of it or none. ``fresh``: by COPY where the server takes it, as long as no row is there.

        Rows that are there already are left alone. Raises PoisonError for data that can never be stored.
        """
        await self._put(samples, _FRAMES, fresh, now)

    async def items(self, samples: Sequence[ItemSample], *, fresh: bool, now: datetime | None = None) -> None:
        """Store what containers and units used, as ``samples`` does."""
        await self._put(samples, _LOOKS, fresh, now)

    async def _put(self, samples: Sequence[Taken], kind: _Kind[Taken], fresh: bool, now: datetime | None) -> None:
        if not samples:
            return
        first, last = span(samples)
        partitioned = not self._database.timescale
        if partitioned:
            for table in kind.tables:
                await self._coverage.cover(table.name, first, last)
        capability = self._database.capability
        if fresh and capability is not None and capability.copy:
            try:
                return await self._store(samples, kind, first, now, copy=True)
            except _DuplicateError:
                pass  # some row is there already: the other way leaves it alone
        await self._store(samples, kind, first, now, copy=False)

    async def _store(
        self, samples: Sequence[Taken], kind: _Kind[Taken], first: datetime, now: datetime | None, *, copy: bool
    ) -> None:
        async with self._database.driver("store samples") as connection:
            # What is read here is remembered only once the transaction is through.
            found_hosts = await self._host_ids(connection, {sample.host for sample in samples})
            found_items, extras = await self._item_ids(
                connection, chain.from_iterable(map(kind.items, samples)), found_hosts
            )
            rows = kind.rows(samples, _over(found_hosts, self._hosts), _over(found_items, self._items))
            for table, table_rows in rows.items():
                row = next(table_rows, None)
                if row is not None:
                    await (_copy if copy else _unnest)(connection, table, chain((row,), table_rows))
            if not self._database.timescale and (now is None or first < now - _FRESH):
                await connection.execute(_LATE, first)
        self._hosts.update(found_hosts)
        self._items.update(found_items)
        self._extras.update(extras)

    async def transitions(self, transitions: Sequence[Transition]) -> None:
        """Store transitions; those that are there already are left alone."""
        statement = _unnest_sql("transitions", _TRANSITION_COLUMNS, _TRANSITION_TYPES)
        await self._records("store transitions", statement, transitions, transition_rows)

    async def findings(self, findings: Sequence[HostFinding]) -> None:
        """Store findings; those that are there already are left alone."""
        statement = _unnest_sql("findings", _FINDING_COLUMNS, _FINDING_TYPES)
        await self._records("store findings", statement, findings, finding_rows)

    async def _records(
        self,
        operation: str,
        statement: str,
        records: Sequence[OfHost],
        rows_of: Callable[[Iterable[OfHost], Mapping[str, int]], list[Row]],
    ) -> None:
        if not records:
            return
        async with self._database.driver(operation) as connection:
            found = await self._host_ids(connection, {record.host for record in records})
            rows = rows_of(records, _over(found, self._hosts))
            await connection.execute(statement, *zip(*rows, strict=True))
        self._hosts.update(found)

    async def _host_ids(self, connection: Any, names: set[str]) -> dict[str, int]:
        missing = sorted(name for name in names if name not in self._hosts)
        if not missing:
            return {}
        if any(name != clean(name) for name in missing):
            raise PoisonError("a host name holds what cannot be stored", operation="store samples")
        found = await connection.fetch(_HOST_IDS, missing)
        if len(found) < len(missing):
            await connection.execute(_NEW_HOSTS, missing)
            found = await connection.fetch(_HOST_IDS, missing)
        return {row["name"]: row["host_id"] for row in found}

    async def _item_ids(
        self, connection: Any, items: Iterable[tuple[ItemKey, str | None]], new_hosts: dict[str, int]
    ) -> tuple[dict[ItemKey, int], dict[ItemKey, str | None]]:
        wanted: dict[ItemKey, str | None] = {}
        for key, extra in items:
            if key not in self._items or self._extras[key] != extra:
                wanted[key] = extra
        if not wanted:
            return {}, {}
        hosts = self._hosts | new_hosts
        names = {host_id: host for host, host_id in hosts.items()}
        # In one order everywhere, so that two writers never wait for each other in a circle.
        keys = sorted((hosts[host], kind, name) for host, kind, name in wanted)
        columns = [list(column) for column in zip(*keys, strict=True)]
        extras = [wanted[names[host_id], kind, name] for host_id, kind, name in keys]
        found = await connection.fetch(_ITEM_IDS, *columns)
        same = {(row["host_id"], row["kind"], row["name"]): row["extra"] for row in found}
        if any(key not in same or same[key] != extra for key, extra in zip(keys, extras, strict=True)):
            await connection.execute(_NEW_ITEMS, *columns, extras)
            found = await connection.fetch(_ITEM_IDS, *columns)
        ids = {(names[row["host_id"]], row["kind"], row["name"]): row["item_id"] for row in found}
        return ids, wanted


def _over(new: dict[Key, int], known: dict[Key, int]) -> Mapping[Key, int]:
    return ChainMap(new, known) if new else known


class _DuplicateError(Exception):
    """COPY met a row that is there already."""


_AT_ONCE = 500  # rows encoded before the loop's other tasks get their turn


async def _steadily(rows: Iterable[Row]) -> AsyncGenerator[Row, None]:
    for number, row in enumerate(rows, 1):
        yield row
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


async def _copy(connection: Any, table: SampleTable, rows: Iterable[Row]) -> None:
    try:
        async with aclosing(_steadily(rows)) as records:
            await connection.copy_records_to_table(table.name, records=records, columns=table.columns)
    except asyncpg.UniqueViolationError as error:
        raise _DuplicateError from error
    except (TypeError, ValueError, OverflowError) as error:
        # asyncpg's encoders raise these bare for a value that the column cannot hold.
        raise PoisonError(f"a value cannot be stored in {table.name}: {error}", operation="store samples") from error


def _unnest_sql(table: str, columns: Sequence[str], types: Sequence[str]) -> str:
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types, 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - our own names


async def _unnest(connection: Any, table: SampleTable, rows: Iterable[Row]) -> None:
    arrays = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_unnest_sql(table.name, table.columns, table.types), *arrays)


async def sync_hosts(database: Database, hosts: Sequence[Host]) -> None:
    """Copy the inventory into the database: hosts are added and changed, never removed (their history stays)."""
    if not hosts:
        return
    async with database.driver("copy the inventory") as connection:
        for host in sorted(hosts, key=lambda host: host.name):
            await connection.execute(
                """
                INSERT INTO hosts (name, address, port, login, groups, tags, interval_s, maintenance, simulated)
                VALUES ($1, $2, $3, $4, $5::text[], $6::text[], $7, $8, $9)
                ON CONFLICT (name) DO UPDATE SET address = excluded.address, port = excluded.port,
                    login = excluded.login, groups = excluded.groups, tags = excluded.tags,
                    interval_s = excluded.interval_s, maintenance = excluded.maintenance,
                    simulated = excluded.simulated
                """,
                host.name,
                host.target,
                host.port,
                host.user,
                list(host.groups),
                list(host.tags),
                host.interval_s,
                host.maintenance,
                host.simulated,
            )
