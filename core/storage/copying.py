"""Rows on their way from one database to another: binary COPY out of the one straight into the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from core.exceptions import DatabaseConnectionError
from core.storage.engine import Database
from core.storage.errors import DRIVER_ERRORS, mapped

_BUFFERS = 16  # messages between the two, some 100 KiB each
_STAGE = "jumpwatch_stage"
Sink = Callable[[bytes], Coroutine[Any, Any, None]]

# Copying may take as long as maintenance may; limits of the transaction alone.
_PATIENT = """
SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true)
"""
NOTE = """
INSERT INTO jumpwatch_meta (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = now()
"""


@asynccontextmanager
async def reading(database: Database, operation: str, lock: Sequence[str] = ()) -> AsyncIterator[Any]:
    """Give asyncpg's connection in one transaction that sees one moment and cannot write.

    Chunks and partitions of the tables in ``lock`` cannot be dropped meanwhile.
    """
    async with _first_error(database, operation) as raw:
        await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if lock:  # before the moment is chosen: what is dropped is gone for older moments too
            await raw.execute(f"LOCK TABLE {', '.join(lock)} IN ACCESS SHARE MODE")
        await raw.execute(_PATIENT, _limit(database))
        yield raw


@asynccontextmanager
async def writing(database: Database, operation: str) -> AsyncIterator[Any]:
    """Give asyncpg's connection in one transaction that may last."""
    async with _first_error(database, operation) as raw:
        await raw.execute(_PATIENT, _limit(database))
        yield raw


@asynccontextmanager
async def _first_error(database: Database, operation: str) -> AsyncIterator[Any]:
    """Give asyncpg's connection; where it was cut because of an error, that one is told and not the cut."""
    failed: BaseException | None = None
    try:
        async with database.driver(operation) as raw:
            try:
                yield raw
            except BaseException as error:
                failed = error
                raise
    except DatabaseConnectionError as error:
        if failed is None or failed is error or isinstance(failed, DRIVER_ERRORS):
            raise
        raise failed from None


def _limit(database: Database) -> str:
    return str(int(database.settings.maintenance_timeout_s * 1000))


async def copy_out(database: Database, raw: Any, query: str, arguments: Sequence[Any], sink: Sink) -> int:
    """Give the rows of a query to ``sink`` as binary COPY data; returns how many there were."""
    limit = database.settings.maintenance_timeout_s
    with mapped("copy rows out", database.where, database.settings, statement_s=limit):
        try:
            said = await raw.copy_from_query(query, *arguments, output=sink, format="binary", timeout=limit)
        except asyncpg.PostgresError:
            raise
        except BaseException:
            # The driver would ask the server to cancel, and wait in vain where the server had ended already.
            raw.terminate()
            raise
    return _count(said)


async def copy_in(
    database: Database, raw: Any, relation: tuple[str | None, str], columns: Sequence[str], data: AsyncIterator[bytes]
) -> int:
    """Put binary COPY data into a table; returns how many rows came."""
    schema, name = relation
    limit = database.settings.maintenance_timeout_s
    with mapped(f"copy rows into {name}", database.where, database.settings, statement_s=limit):
        said = await raw.copy_to_table(
            name, schema_name=schema, source=data, columns=list(columns), format="binary", timeout=limit
        )
    return _count(said)


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[-1])


async def pour(
    source: tuple[Database, Any],
    query: str,
    arguments: Sequence[Any],
    target: tuple[Database, Any],
    relation: tuple[str | None, str],
    columns: Sequence[str],
) -> int:
    """Copy the rows of a query into a table of the other database, a few megabytes at a time; returns how many."""
    pipe: asyncio.Queue[bytes | None] = asyncio.Queue(_BUFFERS)

    async def drain() -> AsyncIterator[bytes]:
        while (data := await pipe.get()) is not None:
            yield data

    async def fill() -> None:
        await copy_out(*source, query, arguments, pipe.put)
        await pipe.put(None)  # never after a failure: the other side must not take half of the rows for all

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fill(), name="copy out")
            taken = group.create_task(copy_in(*target, relation, columns, drain()), name="copy in")
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return taken.result()


async def stage(raw: Any, relation: str, columns: Sequence[str]) -> str:
    """Make an empty table, for this transaction alone, with columns as the relation's; returns its name."""
    return await stage_as(raw, f"SELECT {quoted(columns)} FROM {relation}")  # noqa: S608 - our own names


async def stage_as(raw: Any, query: str) -> str:
    """Make an empty table, for this transaction alone, with columns as the query's; returns its name."""
    await raw.execute(f"DROP TABLE IF EXISTS pg_temp.{_STAGE}")
    await raw.execute(f"CREATE TEMP TABLE {_STAGE} ON COMMIT DROP AS {query} WITH NO DATA")
    return _STAGE


def quoted(columns: Sequence[str]) -> str:
    """Return columns of our own schema as SQL wants them: some are named like words of its own."""
    return ", ".join(f'"{column}"' for column in columns)


async def types_of(raw: Any, relation: str, columns: Sequence[str]) -> list[str]:
    """Return the types of a relation's columns, as casts want them."""
    rows = await raw.fetch(
        "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind FROM pg_catalog.pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        relation,
    )
    kinds = {row["name"]: row["kind"] for row in rows}
    return [kinds[column] for column in columns]


async def continue_numbers(raw: Any, table: str, column: str) -> None:
    """Let the server number on after the highest number that was copied."""
    highest = f"(SELECT max({column}) FROM {table})"  # noqa: S608 - our own names
    await raw.execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce({highest}, 1), {highest} IS NOT NULL)"
    )
