"""Writing a past into the database, by the way that all samples take: for the demo, and for moving data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from core.models import Host, HostSample, ItemSample, Transition
from core.storage import rollups
from core.storage.engine import Database
from core.storage.ingest import Ingest, sync_hosts
from core.storage.rows import span
from core.storage.steps import Progress, no_progress

_BATCH = 1500  # samples: about 5000 rows in all tables


async def write_history(
    database: Database,
    hosts: Sequence[Host],
    samples: Iterable[HostSample | ItemSample],
    progress: Progress = no_progress,
    *,
    transitions: Sequence[Transition] = (),
    expected: int | None = None,
) -> int:
    """Store the hosts and their past samples, and roll them up; returns how many samples there were.

    ``samples`` may be a generator; ordered by time is best. Samples that are there already are left alone.
    ``expected`` is for the progress lines alone.
    """
    await sync_hosts(database, hosts)
    ingest = Ingest(database)
    written, first, last = 0, None, None
    source = iter(samples)
    # Making samples is work: in a thread, lest the loop stand still meanwhile.
    while batch := await asyncio.to_thread(lambda: list(islice(source, _BATCH))):
        await ingest.samples([one for one in batch if isinstance(one, HostSample)], fresh=True)
        await ingest.items([one for one in batch if isinstance(one, ItemSample)], fresh=True)
        begin, end = span(batch)
        first, last = min(first or begin, begin), max(last or end, end)
        written += len(batch)
        progress(f"history: {written}{f' of {expected}' if expected else ''} samples")
    await ingest.transitions(transitions)
    if first is not None and last is not None:
        await roll_up(database, first, last, progress)
    return written


async def roll_up(database: Database, first: datetime, last: datetime, progress: Progress = no_progress) -> None:
    """Bring every rollup up to date over the time written, ends included."""
    await rollups.refresh_all(database, first, last + timedelta(microseconds=1), progress)
