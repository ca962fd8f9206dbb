"""Retention and compression as operations: what would go, doing it, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.config import RetentionSettings
from core.exceptions import InfrastructureException
from core.models import ChunkInfo, keep_time, past_retention
from core.ports import ChunkKeeper
from core.storage.chunks import StorageChunks
from core.storage.rollups import uncovered
from core.storage.schema import SAMPLE_TABLE

OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """Exactly the chunks that would be dropped; ``waiting`` are those that must be rolled up first, with the reason."""

    chunks: tuple[ChunkInfo, ...]
    waiting: tuple[tuple[ChunkInfo, str], ...] = ()

    @property
    def bytes(self) -> int:
        """What the chunks take on disk now."""
        return sum(chunk.total_bytes or 0 for chunk in self.chunks)

    @property
    def rows(self) -> int:
        """How many rows they hold, as far as that is known."""
        return sum(chunk.rows or 0 for chunk in self.chunks)


@dataclass(slots=True)
class RetentionReport:
    """What was done, chunk by chunk; ``failed`` with the reason."""

    done: list[ChunkInfo] = field(default_factory=list)
    failed: list[tuple[ChunkInfo, str]] = field(default_factory=list)
    before_bytes: int = 0
    after_bytes: int = 0

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not self.failed

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after."""
        return self.before_bytes / self.after_bytes if self.before_bytes and self.after_bytes else None


async def plan_retention(
    keeper: StorageChunks, retention: RetentionSettings, now: datetime, *, older_than: datetime | None = None
) -> RetentionPlan:
    """Return what retention would drop now: each table by its own setting, or raw data before ``older_than`` alone.

    Nothing goes of the time over which rollups are still refreshed. Every chunk of raw data is compared with its
    rollups; those not wholly rolled up are in ``waiting`` too, and apply rolls them up before it drops them.
    """

    def keep(table: str) -> timedelta | None:
        if older_than is None:
            return keep_time(table, retention)
        return max(now - older_than, retention.refresh_start) if table in SAMPLE_TABLE else None

    chunks = past_retention(await keeper.chunks(), keep, now)
    waiting = []
    for chunk in chunks:
        if chunk.hypertable in SAMPLE_TABLE and (
            why := await uncovered(keeper.database, chunk.hypertable, chunk.start, chunk.end)
        ):
            waiting.append((chunk, why))
    return RetentionPlan(chunks, tuple(waiting))


async def apply_retention(
    keeper: ChunkKeeper, plan: RetentionPlan, on_progress: OnProgress | None = None
) -> RetentionReport:
    """Drop exactly the chunks of the plan, one by one; one that fails is reported and the rest go on."""
    report = RetentionReport()
    for number, chunk in enumerate(plan.chunks, 1):
        try:
            await keeper.drop(chunk)
        except InfrastructureException as error:
            report.failed.append((chunk, error.message))
        else:
            report.done.append(chunk)
            report.before_bytes += chunk.total_bytes or 0
        if on_progress is not None:
            on_progress(number, len(plan.chunks), chunk.name)
    return report


async def plan_compression(
    keeper: ChunkKeeper, now: datetime, age: timedelta, hypertable: str | None = None
) -> tuple[ChunkInfo, ...]:
    """Return the chunks of raw data that ended longer than ``age`` ago and are not wholly compressed."""
    return tuple(
        chunk
        for chunk in await keeper.chunks(hypertable)
        if chunk.hypertable in SAMPLE_TABLE and chunk.end <= now - age and (not chunk.compressed or chunk.partial)
    )


async def apply_compression(
    keeper: ChunkKeeper, chunks: Sequence[ChunkInfo], on_progress: OnProgress | None = None
) -> RetentionReport:
    """Compress the chunks one by one; one that fails is reported and the rest go on."""
    report = RetentionReport()
    for number, chunk in enumerate(chunks, 1):
        try:
            compressed = await keeper.compress(chunk)
        except InfrastructureException as error:
            report.failed.append((chunk, error.message))
        else:
            report.done.append(compressed)
            report.before_bytes += compressed.before_bytes or 0
            report.after_bytes += compressed.after_bytes or 0
        if on_progress is not None:
            on_progress(number, len(chunks), chunk.name)
    return report
