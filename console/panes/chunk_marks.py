"""Sign, word and severity of a chunk, and how chunks are grouped; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models import ChunkInfo, HypertableInfo

COMPRESSED, OPEN, PARTIAL, LATE = "▓", "░", "▒", "▚"


def sign(chunk: ChunkInfo, late: bool) -> str:
    """Return the one-cell sign of a chunk; ``late`` chunks should be compressed by now."""
    return PARTIAL if chunk.partial else COMPRESSED if chunk.compressed else LATE if late else OPEN


def word(chunk: ChunkInfo, late: bool) -> str:
    """Return the state in a word."""
    return "partial" if chunk.partial else "compressed" if chunk.compressed else "late" if late else "open"


def is_late(chunk: ChunkInfo, table: HypertableInfo | None, now: datetime) -> bool:
    """Say whether the chunk is uncompressed though it ended longer ago than its table's policy allows."""
    if chunk.compressed or table is None or table.compress_after_s is None or not table.compression_enabled:
        return False
    return (now - chunk.end).total_seconds() > table.compress_after_s + 86_400


def by_table(chunks: Iterable[ChunkInfo]) -> dict[str, tuple[ChunkInfo, ...]]:
    """Return the chunks of each table, oldest first."""
    groups: dict[str, list[ChunkInfo]] = {}
    for chunk in chunks:
        groups.setdefault(chunk.hypertable, []).append(chunk)
    return {name: tuple(sorted(own, key=lambda chunk: chunk.start)) for name, own in groups.items()}
