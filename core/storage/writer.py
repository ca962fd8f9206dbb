"""The lossless way to the database: takes at once, flushes each second, spools to disk while the database is away."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from core.config import RetentionSettings
from core.exceptions import InfrastructureException
from core.logging import get_logger
from core.models import HostFinding, HostSample, ItemSample, Transition, WriterStats
from core.ports import Clock, SystemClock
from core.storage.engine import Database
from core.storage.errors import PoisonError
from core.storage.ingest import Ingest
from core.storage.spool import Segment, Spool, spool_folder
from core.storage.spool_records import SAMPLES, Record

_LOG = get_logger(__name__)
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 15.0
_ADOPT_EVERY_S = 60.0
_T = TypeVar("_T")
_R = TypeVar("_R", HostSample, ItemSample, Transition, HostFinding)


class BatchWriter:
    """SampleSink: ``put`` never waits. ``run`` is awaited by its owner; ``stop`` drains to the database or the spool.

    ``spool_dir`` gets a folder a database. kill -9 loses at most what came within the last flush interval.
    """

    def __init__(
        self, database: Database, retention: RetentionSettings, spool_dir: Path, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._ingest = Ingest(database)
        self._rows, self._tick = retention.flush_rows, retention.flush_interval_s / 2
        self._limit = max(20_000, 4 * retention.flush_rows)
        self._portion = min(500, retention.flush_rows)  # records of the spool to be replayed at once
        self._spool = Spool(
            spool_folder(spool_dir, database),
            max_bytes=retention.spool_max_bytes,
            max_age_s=retention.spool_max_age.total_seconds(),
        )
        self._queue: deque[Record] = deque()
        self._wake, self._finished = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._spool_open = False
        self._retry_at: float | None = None  # None: the database took the last batch
        self._failures = 0
        self._adopted_at = 0.0
        self._stored = self._lost = 0
        self._flushed_at: datetime | None = None
        self._error: str | None = None

    def put(self, sample: HostSample) -> None:
        """Take a sample; the oldest one is dropped and counted where the queue is full."""
        self._take(sample)

    def put_items(self, sample: ItemSample) -> None:
        """Take what containers and units used, as ``put`` does."""
        self._take(sample)

    def put_transition(self, transition: Transition) -> None:
        """Take a transition, as ``put`` does."""
        self._take(transition)

    def put_finding(self, finding: HostFinding) -> None:
        """Take a finding, as ``put`` does."""
        self._take(finding)

    def _take(self, record: Record) -> None:
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(record)
        if len(self._queue) >= self._rows:
            self._wake.set()

    def stats(self) -> WriterStats:
        """Return the figures of this moment, in samples."""
        return WriterStats(
            stored=self._stored,
            queued=len(self._queue),
            spooled=self._spool.samples,
            dropped=self._lost + self._spool.dropped + self._spool.broken,
            last_flush=self._flushed_at,
            last_error=self._error,
        )

    async def run(self) -> None:
        """Flush until ``stop`` or cancellation; what is left then lies in the spool."""
        if self._stopping:  # stopped before it began: ``stop`` does what is left to do
            return
        self._task = asyncio.current_task()
        try:
            await self._disk(self._spool.open)
            self._spool_open = True
            while not self._stopping:
                await self._turn()
            await self._drain()
        finally:
            self._leave()

    async def stop(self, deadline_s: float = 2.0) -> None:
        """Drain within ``deadline_s`` seconds to the database, the rest to the spool; then ``run`` has ended."""
        self._stopping = True
        self._wake.set()
        if self._task is None:  # it never ran
            await self._disk(self._spool.open)
            self._spool_open = True
            self._leave()
            return
        try:
            async with asyncio.timeout(deadline_s):
                await self._finished.wait()
        except TimeoutError:
            self._task.cancel()  # its way out writes the queue to the spool
            async with asyncio.timeout(max(1.0, deadline_s)):
                await self._finished.wait()

    def _leave(self) -> None:
        """Write what is queued to the spool and let go of it. Blocks shortly: the loop may be about to end."""
        try:
            if self._spool_open:
                batch = self._batch(len(self._queue))
                if batch:
                    self._append(batch)
                self._spool.close()
        finally:
            self._finished.set()

    async def _turn(self) -> None:
        more = await self._replay() if self._ready() else False
        if not more and len(self._queue) < self._rows:
            try:
                async with asyncio.timeout(self._tick):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()
        while self._queue:
            await self._pass_on(now=self._ready())
            if self._stopping:
                return

    async def _drain(self) -> None:
        while self._queue:
            await self._pass_on(now=self._retry_at is None)

    async def _pass_on(self, *, now: bool) -> None:
        batch = self._batch(self._rows)
        await (self._deliver(batch) if now else self._keep(batch))

    def _ready(self) -> bool:
        """The database took the last batch, or it is time to try it again."""
        return self._retry_at is None or self._clock.monotonic() >= self._retry_at

    def _batch(self, most: int) -> list[Record]:
        return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    async def _deliver(self, batch: list[Record]) -> None:
        """Store a batch; one that takes longer than half an interval lies in the spool meanwhile."""
        store = asyncio.create_task(self._store(batch))
        segment: Segment | None = None
        try:
            done, _ = await asyncio.wait({store}, timeout=self._tick)
            if not done:
                segment = await self._keep_apart(batch)
                await self._finish(store)
            stored = store.result()
        except BaseException:
            if not await _ended_well(store) and segment is None:
                self._append(batch)
            raise
        if not stored and segment is None:
            await self._keep(batch)
        elif stored and segment is not None:
            await self._disk(lambda: self._spool.remove(segment))

    async def _finish(self, store: asyncio.Task[bool]) -> None:
        """Wait for a store; what comes meanwhile goes to disk, for the server may hang and nothing be kept else."""
        while not store.done():
            await asyncio.wait({store}, timeout=self._tick / 2)
            if not store.done() and self._queue:
                await self._keep(self._batch(len(self._queue)))

    async def _store(self, batch: Sequence[Record]) -> bool:
        """Store all of a batch but its poison; False where the database is away."""
        try:
            if self._database.capability is None:
                await self._database.open()
            await self._store_some(batch)
        except InfrastructureException as error:
            self._failed(error)
            return False
        self._retry_at, self._failures, self._error = None, 0, self._error if self._lost else None
        self._flushed_at = self._clock.now()
        return True

    async def _store_some(self, batch: Sequence[Record]) -> None:
        def of(kind: type[_R]) -> list[_R]:
            return [record for record in batch if isinstance(record, kind)]

        now = self._clock.now()
        await self._halving(of(HostSample), lambda some: self._ingest.samples(some, fresh=True, now=now))
        await self._halving(of(ItemSample), lambda some: self._ingest.items(some, fresh=True, now=now))
        await self._halving(of(Transition), self._ingest.transitions)
        await self._halving(of(HostFinding), self._ingest.findings)

    async def _halving(self, batch: Sequence[_R], store: Callable[[Sequence[_R]], Awaitable[None]]) -> None:
        """Store a batch; one bad row never blocks the rest: it is found by halving, reported and counted."""
        try:
            await store(batch)
            self._stored += sum(isinstance(record, SAMPLES) for record in batch)
        except PoisonError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._halving(batch[:middle], store)
                await self._halving(batch[middle:], store)
                return
            self._lost += 1
            self._error = f"a row of {batch[0].host} cannot be stored and was left out: {error.message}"
            _LOG.error("row left out", host=batch[0].host, reason=error.message)

    def _failed(self, error: InfrastructureException) -> None:
        if self._failures == 0:
            _LOG.warning("samples go to the spool", reason=error.message)
            self._ingest.forget()
        wait = min(_RETRY_MOST_S, _RETRY_FIRST_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._retry_at = self._clock.monotonic() + random.uniform(wait / 2, wait)  # noqa: S311 - jitter, no secret
        self._error = error.message

    async def _replay(self) -> bool:
        """Store the oldest batch of the spool; True where another one waits. Few of its rows are there already."""
        now = self._clock.monotonic()
        if self._spool.empty and self._retry_at is None and now - self._adopted_at > _ADOPT_EVERY_S:
            self._adopted_at = now
            await self._disk(self._spool.adopt)
        if self._spool.empty:
            return False
        read = await self._disk(lambda: self._spool.oldest(self._portion))
        if read is None:
            return False
        began = self._clock.monotonic()
        store = asyncio.create_task(self._store(read.records))
        try:
            await self._finish(store)
        except BaseException:
            await _ended_well(store)
            raise
        if not store.result():
            return False
        # As much at once as the fresh ones can wait for.
        quick = self._clock.monotonic() - began < self._tick / 2
        self._portion = min(self._rows, 2 * self._portion) if quick else max(1, self._portion // 2)
        await self._disk(lambda: self._spool.stored(read))
        return not self._spool.empty

    async def _keep(self, batch: list[Record]) -> None:
        await self._disk(lambda: self._append(batch))

    async def _keep_apart(self, batch: list[Record]) -> Segment | None:
        def work() -> Segment | None:
            self._spool.seal()
            self._append(batch)
            return self._spool.seal()

        return await self._disk(work)

    def _append(self, batch: Sequence[Record]) -> None:
        try:
            self._spool.append(batch)
        except OSError as error:
            self._lost += sum(isinstance(record, SAMPLES) for record in batch)
            self._error = f"{len(batch)} records are lost: the spool cannot be written: {error.strerror}"
            _LOG.error("spool cannot be written", reason=error.strerror, records=len(batch))

    @staticmethod
    async def _disk(work: Callable[[], _T]) -> _T:
        """Do disk work in a thread; it is brief, and done with before a cancelled caller goes on."""
        task = asyncio.create_task(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=5)
            raise


async def _ended_well(store: asyncio.Task[bool]) -> bool:
    """End a store whose waiter may have been cancelled; tells whether it stored its batch."""
    if not store.done():
        store.cancel()
        await asyncio.wait({store}, timeout=1)
    return store.done() and not store.cancelled() and store.exception() is None and store.result()
