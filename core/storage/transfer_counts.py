"""Rows on both sides of a copy, table by table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.storage.mover import Mover
from core.storage.parts import Part
from core.storage.schema import ROLLUP
from core.storage.steps import Progress


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of one table on both sides; ``lacking`` are those of the source that the target has not."""

    table: str
    source: int
    target: int
    lacking: int = 0
    note: str = ""

    @property
    def equal(self) -> bool:
        """Nothing of the source lacks in the target."""
        return not self.lacking


async def compare(mover: Mover, name: str, parts: Sequence[Part], cut: datetime, say: Progress) -> TableCount:
    """Count a table's rows on both sides, part by part; rows that came late to the source are taken once more."""
    say(f"{name}: comparing")
    source = target = lacking = dropped = 0
    for part in parts:
        there, here = await mover.counts(part)
        if there > here and part.column == "ts":
            here += await mover.late(part)
        source, target = source + there, target + here
        lacking += max(0, there - here)
        dropped += max(0, here - there)
    other = await _elsewhere(mover, name, parts, cut) - (target if name in ROLLUP else 0)
    target, dropped = target + other, dropped + other
    if not dropped:
        note = ""
    elif name in ROLLUP:
        note = f"{dropped} more were rolled up in the target"
    else:
        note = f"{dropped} more than the source has now"
    return TableCount(name, source, target, lacking, note)


async def _elsewhere(mover: Mover, name: str, parts: Sequence[Part], cut: datetime) -> int:
    """Return the target's rows before the first part; of a rollup all, for it made some where the source has none."""
    low, high = datetime.min.replace(tzinfo=UTC), cut if name in ROLLUP or not parts else parts[0].low
    return await mover.count(mover.target, Part(name, "bucket" if name in ROLLUP else "ts", low, high, 0))
