"""In-memory storage at our own ports, for the logic of plan and apply; a real database has its own test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from core.exceptions import InfrastructureException
from core.models import Capability, ChunkInfo, Outcome, StorageMode

NOW = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TIMESCALE = Capability(
    mode=StorageMode.TIMESCALEDB,
    server_version="18.0",
    extension_version="2.27.2",
    licence="timescale",
    background_workers=True,
    single_session=False,
    copy=True,
    role="watch",
    superuser=False,
    kind="given",
    compress_call="CALL convert_to_columnstore",
    recompress_call="CALL convert_to_columnstore",
)
PLAIN = replace(TIMESCALE, mode=StorageMode.PARTITIONS, extension_version=None, licence=None)


class HandClock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.wall, self.ticks = NOW, 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def move(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


def chunk(age_days: int, table: str = "host_samples", **changes: object) -> ChunkInfo:
    """A day's chunk that began so many days ago."""
    start = NOW.replace(hour=0) - age_days * DAY
    base = ChunkInfo(
        table, f"_timescaledb_internal.{table}_{age_days}_chunk", start, start + DAY, False, False, 1 << 20, rows=1000
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class FakeKeeper:
    """Chunks in a list; ``fail`` maps a chunk's name to what is raised for it."""

    held: list[ChunkInfo]
    fail: Mapping[str, InfrastructureException] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def chunks(self, hypertable: str | None = None) -> tuple[ChunkInfo, ...]:
        return tuple(c for c in self.held if hypertable in (None, c.hypertable))

    async def compress(self, chunk: ChunkInfo) -> ChunkInfo:
        return await self._change(
            "compress", chunk, compressed=True, partial=False, before_bytes=1 << 20, after_bytes=1 << 17
        )

    async def decompress(self, chunk: ChunkInfo) -> ChunkInfo:
        return await self._change("decompress", chunk, compressed=False, partial=False)

    async def drop(self, chunk: ChunkInfo) -> None:
        await self._change("drop", chunk)
        self.held.remove(chunk)

    async def run_job(self, job_id: int) -> None:
        self.calls.append(("job", str(job_id)))

    async def analyze(self, table: str) -> None:
        self.calls.append(("analyze", table))

    async def _change(self, verb: str, chunk: ChunkInfo, **changes: object) -> ChunkInfo:
        self.calls.append((verb, chunk.name))
        if self.gate is not None:
            await self.gate.wait()
        if chunk.name in self.fail:
            raise self.fail[chunk.name]
        changed = replace(chunk, **changes)  # type: ignore[arg-type]
        self.held[self.held.index(chunk)] = changed
        return changed


@dataclass
class FakeAudit:
    """Keeps the rows; ``broken`` refuses one of the two."""

    rows: list[tuple[str, str, object]] = field(default_factory=list)
    broken: Mapping[str, InfrastructureException] = field(default_factory=dict)

    async def intent(
        self, *, action: str, actor: str, plan: Mapping[str, object], correlation_id: str | None = None
    ) -> str:
        if "intent" in self.broken:
            raise self.broken["intent"]
        audit_id = f"a{len(self.rows)}"
        self.rows.append(
            ("intent", audit_id, {"action": action, "actor": actor, "correlation_id": correlation_id, **plan})
        )
        return audit_id

    async def outcome(self, audit_id: str, outcome: Outcome) -> None:
        if "outcome" in self.broken:
            raise self.broken["outcome"]
        self.rows.append(("outcome", audit_id, outcome))
