"""The server as the operations on jobs, tables, rollups and sessions see it: facts to plan by, and statements run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from core.exceptions import DatabaseOperationError, InfrastructureException, ResourceNotFoundError
from core.models import ChunkInfo, IndexInfo, JobInfo, RelationFacts, SessionInfo
from core.storage import rollups
from core.storage.activity import read_session
from core.storage.catalogue import read_jobs
from core.storage.engine import Database
from core.storage.optimize import clean_up
from core.storage.policy_notes import reread
from core.storage.relations import read_leftovers, read_relation, read_sort_index
from core.storage.schema import ROLLUP

Tell = Callable[[str], None]
_LOOK_S = 0.5
# What each command says of itself while it runs; a command without a row there says nothing.
_PROGRESS = text("""
SELECT phase, heap_blks_scanned AS done, heap_blks_total AS total FROM pg_catalog.pg_stat_progress_vacuum
WHERE pid = :pid
UNION ALL SELECT phase, blocks_done, blocks_total FROM pg_catalog.pg_stat_progress_create_index WHERE pid = :pid
UNION ALL SELECT phase, sample_blks_scanned, sample_blks_total FROM pg_catalog.pg_stat_progress_analyze
WHERE pid = :pid
""")


class StorageUpkeep:
    """UpkeepKeeper over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(self) -> tuple[JobInfo, ...]:
        """Return the background jobs."""
        return await read_jobs(self._database)

    async def relation(self, name: str) -> RelationFacts:
        """Return one table, rollup, chunk or partition; ResourceNotFoundError where there is none of that name."""
        return await read_relation(self._database, name)

    async def leftovers(self) -> tuple[IndexInfo, ...]:
        """Return the invalid indexes that a cut REINDEX CONCURRENTLY left."""
        return await read_leftovers(self._database)

    async def session(self, pid: int) -> SessionInfo:
        """Return one session of this database; ResourceNotFoundError where it is gone."""
        return await read_session(self._database, pid)

    async def sort_index(self, chunk: ChunkInfo) -> IndexInfo | None:
        """Return the index to sort a chunk by."""
        return await read_sort_index(self._database, chunk.name)

    async def window(self, rollup: str, start: datetime, stop: datetime) -> tuple[datetime, datetime] | None:
        """Return what a refresh may touch of a window: whole buckets, none before the oldest raw data."""
        if rollup not in ROLLUP:
            raise ResourceNotFoundError(
                f"{rollup[:80]!r} is no rollup; those there are: {', '.join(ROLLUP)}", operation="refresh"
            )
        return await rollups.window(self._database, ROLLUP[rollup], start, stop)

    async def refresh(self, rollup: str, start: datetime, stop: datetime) -> None:
        """Bring a rollup up to date over whole buckets; never back over raw data that was dropped."""
        await rollups.refresh(self._database, ROLLUP[rollup], start, stop)

    def setting_s(self, policy: str) -> float:
        """Return what the settings themselves say of a policy, in seconds, whatever was changed by hand."""
        value: timedelta = getattr(self._database.configured_retention, policy)
        return value.total_seconds()

    async def policies_changed(self) -> None:
        """Take up what was written of the policies."""
        async with self._database.connect("read the policies") as connection:
            await reread(self._database, connection)

    async def ask(self, statement: str, operation: str) -> object:
        """Run one statement in a transaction of its own and return its first value; None where it gave no row."""
        async with self._database.driver(operation) as driver:
            return await driver.fetchval(statement)

    async def run(self, statement: str, operation: str, tell: Tell) -> None:
        """Run one statement outside a transaction, exactly as it stands, and tell how far the server says it is.

        Cancelled, the server is told to stop; an index that was half built by then is dropped.
        """
        at_work: list[int] = []
        try:
            await self._run(statement, operation, tell, at_work)
        except BaseException:
            if statement.startswith("REINDEX"):
                await asyncio.shield(clean_up(self._database, at_work))
            raise

    async def _run(self, statement: str, operation: str, tell: Tell, at_work: list[int]) -> None:
        told: list[str] = []

        def listen(_: Any, message: Any) -> None:
            if message.severity == "WARNING":
                told.append(str(message.message))

        async with self._database.maintenance(operation=operation) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            at_work[:] = [driver.get_server_pid()]
            driver.add_log_listener(listen)
            try:
                async with self._telling(at_work[0], tell):
                    await driver.execute(statement)
                await asyncio.sleep(0)  # listeners are called soon, not at once
            finally:
                driver.remove_log_listener(listen)
        if told:  # VACUUM and ANALYZE skip what the role may not touch, and count it a success
            raise DatabaseOperationError(f"done in part: {told[0]}", operation=operation)

    @asynccontextmanager
    async def _telling(self, pid: int, tell: Tell) -> AsyncIterator[None]:
        if self._database.single_session:  # there is nobody to ask meanwhile
            yield
            return
        watcher = asyncio.create_task(self._watch(pid, tell), name="upkeep-progress")
        try:
            yield
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    async def _watch(self, pid: int, tell: Tell) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(InfrastructureException):  # the work goes on; so does the next look
                async with self._database.connect("look how far it is") as connection:
                    row = (await connection.execute(_PROGRESS, {"pid": pid})).first()
                if row is not None:
                    share = f" {100 * row.done / row.total:.0f}%" if row.total else ""
                    tell(f"{row.phase}{share}")
