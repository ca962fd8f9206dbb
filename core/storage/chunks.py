"""Chunks as the operations see them, the same in every mode; a name is acted on only as the catalogue has it."""

from __future__ import annotations

from sqlalchemy import text

from core.exceptions import BusinessLogicError, DatabaseOperationError, ResourceNotFoundError
from core.models import Capability, ChunkInfo
from core.ports import Clock, SystemClock
from core.storage import rollups
from core.storage.capability import get_compression
from core.storage.catalogue import read_chunks
from core.storage.engine import Database
from core.storage.housekeeping import run_own_job, run_their_job
from core.storage.partitions import drop_partition
from core.storage.schema import ROLLUPS, SAMPLE_TABLE

# Both bounds: older_than takes chunks that end before it, newer_than those that begin after it.
_DROP = text("""
SELECT drop_chunks(CAST(CAST(:table AS text) AS regclass),
                   older_than => CAST(:stop AS timestamptz), newer_than => CAST(:start AS timestamptz))
""")
_TABLE = text("""
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname = 'public' AND c.relname = :name OR n.nspname || '.' || c.relname = :name)
  AND c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
""")
_MATERIAL = text("""
SELECT format('%I.%I', h.schema_name, h.table_name) FROM _timescaledb_catalog.continuous_agg c
JOIN _timescaledb_catalog.hypertable h ON h.id = c.mat_hypertable_id
WHERE c.user_view_schema = 'public' AND c.user_view_name = :name
""")


class StorageChunks:
    """ChunkKeeper over a database."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        self._clock = clock or SystemClock()

    async def chunks(self, hypertable: str | None = None) -> tuple[ChunkInfo, ...]:
        """Return the chunks of one table, or of all, oldest first within a table."""
        return await read_chunks(self.database, hypertable)

    async def compress(self, chunk: ChunkInfo) -> ChunkInfo:
        """Compress a chunk, or take its newer rows in; returns it as it is then."""
        capability = self._needs_timescale("compress")
        now = await self._find(chunk)
        if now.compressed and not now.partial:
            return now
        async with self.database.maintenance(operation=f"compress {now.name}") as connection:
            call = capability.recompress_call if now.partial else capability.compress_call
            await connection.execute(text(f"{call}(CAST(CAST(:chunk AS text) AS regclass))"), {"chunk": now.name})
        return await self._find(chunk)

    async def decompress(self, chunk: ChunkInfo) -> ChunkInfo:
        """Decompress a chunk; returns it as it is then."""
        self._needs_timescale("decompress")
        now = await self._find(chunk)
        if not now.compressed:
            return now
        async with self.database.maintenance(operation=f"decompress {now.name}") as connection:
            await connection.execute(
                text("SELECT decompress_chunk(CAST(CAST(:chunk AS text) AS regclass))"), {"chunk": now.name}
            )
        return await self._find(chunk)

    async def drop(self, chunk: ChunkInfo) -> None:
        """Drop exactly this chunk, never one that is still written. Raw data must be rolled up: that is done first.

        Raises BusinessLogicError where rows of it are in no rollup yet, or its time has not passed.
        """
        now = await self._find(chunk)
        if now.end > self._clock.now():
            raise BusinessLogicError(f"{now.name} is still being written", operation="drop chunk")
        window = self.database.retention.refresh_start
        if now.hypertable in SAMPLE_TABLE and now.end > self._clock.now() - window:
            # A refresh would find nothing there, and take the rolled up rows away.
            raise BusinessLogicError(
                f"{now.name} is kept: rollups are refreshed over the last {window}", operation="drop chunk"
            )
        await self.roll_up(now)
        if not self.database.timescale:
            await drop_partition(self.database, now.hypertable, now.name.split(".", 1)[1])
            return
        async with self.database.connect(f"drop {now.name}") as connection:
            rows = await connection.execute(_DROP, {"table": now.hypertable, "start": now.start, "stop": now.end})
            dropped = [str(row[0]) for row in rows]
            if [name.replace('"', "") for name in dropped] != [now.name]:
                # The transaction is rolled back: nothing was dropped.
                raise DatabaseOperationError(
                    f"the server would drop {', '.join(dropped) or 'nothing'} where {now.name} was meant",
                    operation="drop chunk",
                )

    async def roll_up(self, chunk: ChunkInfo) -> None:
        """Bring the rollups up to date over a raw chunk; BusinessLogicError where rows of it still lack in one."""
        if chunk.hypertable not in SAMPLE_TABLE:
            return
        missing = await rollups.uncovered(self.database, chunk.hypertable, chunk.start, chunk.end)
        if missing:
            for rollup in (r for r in ROLLUPS if r.source.name == chunk.hypertable):
                await rollups.refresh(self.database, rollup, chunk.start, chunk.end)
            missing = await rollups.uncovered(self.database, chunk.hypertable, chunk.start, chunk.end)
        if missing:
            raise BusinessLogicError(f"{chunk.name} is kept: {missing}", operation="drop chunk")

    async def run_job(self, job_id: int) -> None:
        """Run a job now and wait for it; its own failure is raised."""
        if not self.database.timescale:
            await run_own_job(self.database, job_id, self._clock.now())
        else:
            await run_their_job(self.database, job_id, self._clock.now())

    async def analyze(self, table: str) -> None:
        """Refresh a table's statistics; a rollup of TimescaleDB is analysed in the table that holds it."""
        async with self.database.maintenance(operation=f"analyze {table}") as connection:
            quoted = None
            if self.database.timescale:
                quoted = await connection.scalar(_MATERIAL, {"name": table})
            quoted = quoted or await connection.scalar(_TABLE, {"name": table})
            if quoted is None:
                raise ResourceNotFoundError(f"there is no table {table[:80]!r}", operation="analyze")
            await connection.execute(text(f"ANALYZE {quoted}"))  # quoted by the server itself

    async def _find(self, chunk: ChunkInfo) -> ChunkInfo:
        for found in await read_chunks(self.database, chunk.hypertable, name=chunk.name):
            if found.start == chunk.start and found.end == chunk.end:
                return found
        raise ResourceNotFoundError(f"there is no chunk {chunk.name[:120]} any more", operation="find chunk")

    def _needs_timescale(self, verb: str) -> Capability:
        capability = self.database.capability
        if capability is None or not capability.compression:
            raise BusinessLogicError(f"to {verb} {get_compression(capability)}", operation=verb)
        return capability
