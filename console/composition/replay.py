"""Walking through time: the moment wanted, one read in flight, its neighbours ahead of the person's next step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from console.composition.kept_moments import KeptMoments
from core.exceptions import BusinessLogicError, InfrastructureException
from core.models import ReplayStatus, Timeline
from core.replay import ReplaySource
from core.storage import item_past, plots

if TYPE_CHECKING:
    from console.services import Post
    from core.database import Database
    from core.models import FleetView, HostPlot, ItemPlot, Mark
    from core.operations import Gate
    from core.ports import Clock

_PATIENCE_S = 0.5  # what the read of a moment that was passed by may take to its end: it is shown on the way
_STILL_S = 0.2  # without a step; then what takes longer is read
_READ_S = 15.0
_LINE_FRESH_S = 30.0
_CELLS = 120  # steps in the window of the time line
_SHORTEST, _GRAIN = timedelta(hours=1), timedelta(seconds=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger("console.replay")


class Replayer:
    """Owns the console's place in time. ``run`` reads; ``go`` only says what is wanted, and never waits."""

    def __init__(
        self,
        database: Callable[[], Database | None],
        live: Callable[[], FleetView],
        gate: Gate,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._database, self._live, self._gate, self._clock = database, live, gate, clock
        self._interval_s = interval_s
        self._source: ReplaySource | None = None
        self._of: Database | None = None
        self._post: Post = lambda view: None
        self._status = ReplayStatus()
        self._shown: FleetView | None = None
        self._kept = KeptMoments(clock)
        self._forward = False
        self._line_read = 0.0
        self._standing: object = None
        self._wish = 0  # grows with each call of ``go``
        self._wake = asyncio.Event()

    @property
    def status(self) -> ReplayStatus:
        """Where the console stands."""
        return self._status

    @property
    def shown(self) -> FleetView | None:
        """The newest view of the past; None while live, and until the first moment was read."""
        return self._shown

    def posting(self, post: Post) -> Post:
        """Return what live views are posted by: during a replay they only bring what stands beside the hosts."""
        self._post = post

        def through(view: FleetView) -> None:
            if self._shown is None:
                post(view)
                return
            writer = view.writer
            standing = (
                view.role, view.role_detail, view.database, view.reviews, view.secrets, view.notices,
                writer.spooled, writer.dropped,
            )  # fmt: skip
            if standing != self._standing:
                self._standing = standing
                self._show(self._shown)

        return through

    def go(self, at: datetime | None, step: timedelta) -> None:
        """Show that moment, None for live, walking in steps of that length; BusinessLogicError without a database."""
        if at is None or at >= self._clock.now():
            self._back(step)
            return
        self.source()
        before = self._status.at
        self._forward = before is not None and at > before
        self._gate.set_replay(True)  # from the first key on: what is seen is not what would be hit
        window = self._window(at, step)
        line = self._status.timeline
        if line is None or (line.start, line.stop) != window:
            # What is known of it already stands until the rest is read.
            known = () if line is None else tuple(m for m in line.marks if window[0] <= m.ts < window[1])
            line = Timeline(*window, known)
        kept = self._kept.get(at)
        self._status = ReplayStatus(at, step, kept is None, "", line)
        if kept is not None:
            self._show(kept)
        elif self._shown is not None:
            self._post(self._shown)  # the time line shows what is wanted at once
        self._ask()

    def _ask(self) -> None:
        self._wish += 1
        self._wake.set()

    def _back(self, step: timedelta) -> None:
        self._status = ReplayStatus(step=step, trouble=self._status.trouble if self._status.at is None else "")
        self._shown = None
        self._gate.set_replay(False)
        self._post(self._live())
        self._ask()

    def source(self) -> ReplaySource:
        """Return what reads the past; BusinessLogicError without a database."""
        database = self._database()
        if database is None:
            raise BusinessLogicError(
                "no database is connected, so there is no past to show; the status line says why", operation="replay"
            )
        if self._source is None or self._of is not database:
            self._source, self._of = ReplaySource(database, self._live, self._interval_s), database
            self._kept.clear()
        return self._source

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        """Return the mark next to the moment; raises the Database family."""
        return await self.source().mark_beside(at, later=later, loud=loud)

    async def plot(self, host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
        """Return a host's past; raises the Database family."""
        self.source()
        assert self._of is not None
        return await plots.host_history(self._of, host, start, stop, points=points)

    async def item_plot(
        self, host: str, item: tuple[str, str], start: datetime, stop: datetime, points: int
    ) -> ItemPlot:
        """Return the past of a container or unit; raises the Database family."""
        self.source()
        assert self._of is not None
        return await item_past.item_history(self._of, host, item, start, stop, points=points)

    # Reading.
    async def run(self) -> None:
        """Read what is wanted until cancelled, always the newest wish and nothing else at the same time."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._status.at is not None:
                await self._serve(self._status.at, self._wish)

    async def _serve(self, at: datetime, wish: int) -> None:
        """Read the moment, then its neighbour, the time line, what takes longer; break off at the next wish."""
        kept = self._kept.get(at)
        if kept is None:
            await self._while_wanted(wish, lambda: self._moment(at), at, _PATIENCE_S)
        elif self._status.reading:  # it was on its way already when it was wanted
            self._status = replace(self._status, reading=False)
            self._show(kept)
        step = self._status.step
        ahead, behind = (at + step, at - step) if self._forward else (at - step, at + step)
        await self._while_wanted(wish, lambda: self._ahead(ahead), ahead)
        await self._while_wanted(wish, self._timeline)
        if wish == self._wish:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STILL_S):
                    await self._wake.wait()
        await self._while_wanted(wish, lambda: self._whole(at))
        await self._while_wanted(wish, lambda: self._ahead(behind), behind)
        further = ahead + (ahead - at)
        await self._while_wanted(wish, lambda: self._ahead(further), further)

    async def _while_wanted(
        self,
        wish: int,
        read: Callable[[], Coroutine[Any, Any, None]],
        moment: datetime | None = None,
        patience_s: float = 0.0,
    ) -> None:
        """Do one read unless something else is wanted; one that is superseded is cancelled, soon or at once.

        It goes on where its moment is the very one that is wanted now.
        """
        if wish != self._wish:
            return
        task = asyncio.create_task(self._bounded(read()), name="replay-read")
        waker = asyncio.create_task(self._wake.wait(), name="replay-wake")
        try:
            await asyncio.wait({task, waker}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                awaited = moment is not None and moment == self._status.at
                await asyncio.wait({task}, timeout=None if awaited else patience_s)
        finally:
            for each in (task, waker):
                each.cancel()
            await asyncio.gather(task, waker, return_exceptions=True)
        if not task.cancelled():
            task.result()  # a defect is for whoever runs the lanes

    async def _bounded(self, read: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(_READ_S):
                await read
        except TimeoutError:
            self._failed(f"the database did not answer within {_READ_S:.0f} s")
        except InfrastructureException as error:
            log.warning("the past was not read", error=error.message)
            self._failed(error.message)

    def _failed(self, trouble: str) -> None:
        """Say why nothing was read; who has not left the present stays there."""
        self._status = replace(self._status, reading=False, trouble=trouble)
        if self._shown is None:
            self._status = ReplayStatus(step=self._status.step, trouble=trouble)
            self._back(self._status.step)
        else:
            self._post(self._shown)

    async def _moment(self, at: datetime) -> None:
        view = await self.source().fleet(at)
        self._kept.put(at, view)
        if self._status.at is not None:  # superseded, it is a step on the way
            self._status = replace(self._status, reading=self._status.at != at, trouble="")
            self._show(view)

    async def _ahead(self, at: datetime) -> None:
        if at < self._clock.now() and self._kept.get(at) is None:
            self._kept.put(at, await self.source().fleet(at))

    async def _whole(self, at: datetime) -> None:
        kept = self._kept.get(at)
        if kept is None or (kept.past is not None and kept.past.whole):
            return
        view = await self.source().whole(kept)
        self._kept.put(at, view)
        if self._status.at == at:
            self._show(view)

    async def _timeline(self) -> None:
        at, line = self._status.at, self._status.timeline
        if at is None or line is None:
            return
        now = asyncio.get_running_loop().time()
        open_end = line.stop >= self._clock.now() and now - self._line_read > _LINE_FRESH_S
        if line.gaps is not None and not open_end:
            return
        pace = self._pace()
        read = await self.source().timeline(line.start, min(line.stop, self._clock.now()), pace)
        self._line_read = now
        read = replace(read, stop=line.stop)
        current = self._status.timeline
        if current is not None and (current.start, current.stop) == (read.start, read.stop):
            self._status = replace(self._status, timeline=read)
            if self._shown is not None:
                self._post(self._shown)

    def _pace(self) -> float | None:
        """Return how far apart the samples of the moment shown are, in seconds."""
        paces = [h.sample.interval_s for h in self._shown.hosts if h.sample] if self._shown else []
        return max((pace for pace in paces if pace is not None), default=None)

    def _window(self, at: datetime, step: timedelta) -> tuple[datetime, datetime]:
        """Return the window of the time line: the present one while the moment is well within it."""
        span = max(_SHORTEST, step * _CELLS)
        line = self._status.timeline
        if line is not None and line.stop - line.start == span and line.start <= at <= line.stop - span / 10:
            return line.start, line.stop
        # The end is now, on a whole step: the window stays the same for as long as that.
        grain = max(step, _GRAIN)
        now = _EPOCH - (_EPOCH - self._clock.now()) // grain * grain
        stop = min(at + span / 2, now)
        return stop - span, stop

    def _show(self, view: FleetView) -> None:
        """Show a moment; what stands beside the hosts is as live, for the past of it is not kept."""
        live = self._live()
        self._shown = replace(
            live,
            at=view.at,
            live=False,
            hosts=view.hosts,
            events=view.events,
            alerts=view.alerts,
            lag_s=None,
            polling=view.polling,
            version=view.version,
            past=view.past,
        )
        self._post(self._shown)
