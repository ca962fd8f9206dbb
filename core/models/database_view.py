"""The database as it is shown at one moment; apart from its records, for the first paint shows none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models.database import Capability, ChunkInfo, HealthCheck, HypertableInfo, JobInfo, PoolInfo
    from core.models.upkeep import ActivityView, RelationInfo


@dataclass(frozen=True, slots=True)
class WriterStats:
    """The lossless way to the database, in samples."""

    stored: int = 0
    queued: int = 0
    spooled: int = 0  # on disk, waiting for the database
    dropped: int = 0  # lost at the spool's bounds, counted
    last_flush: datetime | None = None
    last_error: str | None = None


class DatabaseState(StrEnum):
    """The database as the status line tells it."""

    STARTING = "starting"
    CONNECTED = "connected"
    AWAY = "away"
    UNSUPPORTED = "unsupported"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DatabaseView:
    """The database at a moment; ``at`` is when the figures were read (None: never)."""

    state: DatabaseState = DatabaseState.STARTING
    detail: str = ""
    at: datetime | None = None
    capability: Capability | None = None
    hypertables: tuple[HypertableInfo, ...] = ()
    chunks: tuple[ChunkInfo, ...] = ()
    jobs: tuple[JobInfo, ...] = ()
    pool: PoolInfo | None = None
    health: tuple[HealthCheck, ...] = ()
    sessions: int | None = None
    database_bytes: int | None = None
    workers: int | None = None  # TimescaleDB background workers seen in pg_stat_activity
    name: str = ""  # database at host, no password
    activity: ActivityView | None = None  # None: never read
    relations: tuple[RelationInfo, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Bytes before by bytes after over all compressed chunks."""
        before = sum(h.before_bytes or 0 for h in self.hypertables)
        after = sum(h.after_bytes or 0 for h in self.hypertables)
        return before / after if before and after else None

    @property
    def saved_bytes(self) -> int | None:
        """Bytes that compression saves now."""
        if not any(h.before_bytes for h in self.hypertables):
            return None
        return sum((h.before_bytes or 0) - (h.after_bytes or 0) for h in self.hypertables)
