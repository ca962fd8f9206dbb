"""The poller of one host: connect, keep the stream, back off, say what changed once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from core.events import HostPolled, HostStateChanged
from core.exceptions import DataCollectionError, InfrastructureException, SSHTimeoutError
from core.live_state import bare, fullest
from core.logging import correlation
from core.models import Host, HostSample, HostState, Reason, Transition
from core.polling.assess import Assessor, Limits
from core.polling.context import Assembler, PollingContext
from core.polling.figures import Tally
from core.polling.inspector import Inspector
from core.ports import FrameStream, HostSession

log = structlog.get_logger("core.polling")
_SILENCE_S = 15.0  # no stream counts as silent before that
_AWAY = frozenset({Reason.PORT, Reason.FILTERED, Reason.ROUTE})  # a knock tells of the return
_KEPT_S = 300.0  # a connection outlives a pause of so long


class HostPoller:
    """Runs until cancelled; ``wake`` makes it try at once, or asks the running loop for a frame."""

    def __init__(
        self, host: Host, context: PollingContext, *, interval_s: float | None = None, tally: Tally | None = None
    ) -> None:
        self.host, self._context = host, context
        self.tally = tally or Tally()
        self._inspector = Inspector(host, context, self.tally)
        self.interval_s = interval_s or host.interval_s or context.interval_s
        self._state, self._reason, self._detail = HostState.UNKNOWN, Reason.PENDING, ""
        self._signal = asyncio.Event()  # whatever it waits for, or another thing to look at
        self._stream: FrameStream | None = None
        self._stale: asyncio.TimerHandle | None = None
        self._fault: InfrastructureException | None = None
        self._assessor = Assessor(context.limits)
        self._failures = self._refusals = 0  # in a row
        self._broken = 0
        self._last_frame = 0.0
        self._due: float | None = None  # monotonic; None: the next frame is the first at its pace
        self._items_due = 0.0  # monotonic
        self.paused = False
        self.session: HostSession | None = None  # while a connection is up
        self._connection = ""  # correlation id of this attempt to connect and of all that comes of it
        self._frames = 0  # of this connection: with it they make a frame's correlation id

    @property
    def refused(self) -> bool:
        """The host refuses the login: it is tried seldom, but for a person who asks for this very host."""
        return self._refusals > 0

    def wake(self) -> None:
        """Try at once, whatever the backoff says; a running loop is asked for a frame."""
        if self._stream is not None:
            self._pace(self._stream)
        else:
            self._signal.set()

    def inspect(self) -> None:
        """Run all slow collectors now, as far as their turns allow."""
        self._inspector.wake()

    def renew_collectors(self) -> None:
        """Take the slow collectors anew, on the running connection."""
        self._inspector.renew()

    def take_limits(self, limits: Limits) -> None:
        """Judge by other thresholds from the next sample on."""
        self._assessor.limits = limits

    def set_interval(self, seconds: float) -> None:
        """Change the interval, on the running stream where there is one."""
        if seconds < self.interval_s:
            # At the pace before a silence was long; a frame is asked for at once, so it counts from here.
            self._last_frame = self._context.clock.monotonic()
        self.interval_s = seconds
        if self._stream is not None:
            self._pace(self._stream)

    def set_paused(self, paused: bool) -> None:
        """Pause ends the loop on the host and keeps the connection for a while; resuming starts it anew."""
        self.paused = paused
        self._inspector.set_paused(paused)
        if not self.refused:  # its wait goes on
            self._signal.set()

    async def run(self) -> None:
        """Poll the host until cancelled."""
        if self.host.maintenance:
            self._change(HostState.MAINTENANCE, Reason.NONE, self.host.maintenance_line)
            await asyncio.Event().wait()
        while True:
            await self._rest(None)
            with correlation(host=self.host.name) as self._connection:
                self._frames = 0
                try:
                    began = self._context.clock.monotonic()
                    self.session = session = await self._context.factory.connect(self.host)
                    try:
                        self.tally.connected(self._context.clock.monotonic() - began)
                        async with self._inspector.over(session, self._connection):
                            await self._follow(session)
                    finally:
                        self.session = None
                        await session.close()
                except InfrastructureException as exc:
                    await self._failed(exc)

    async def _follow(self, session: HostSession) -> None:
        """Keep one stream after the other on this connection, until it fails or a pause gets long."""
        while await self._rest(_KEPT_S):
            self._signal.clear()
            self._fault, self._due, self._last_frame = None, None, self._context.clock.monotonic()
            assembler, interval_s = self._context.assembler(self.host.name), self.interval_s
            stream = await session.open_stream(partial(self._frame, assembler), interval_s=interval_s)
            closed = asyncio.ensure_future(stream.wait_closed())
            closed.add_done_callback(lambda _: self._signal.set())
            try:
                self._stream = stream
                if interval_s != self.interval_s:  # changed while it opened
                    self._pace(stream)
                self._watch()
                await self._signal.wait()
                if self._fault is not None:
                    raise self._fault
                if closed.done():
                    closed.result()
            finally:
                self._stream = None
                if self._stale is not None:
                    self._stale.cancel()
                closed.cancel()
                await stream.close()
                await asyncio.wait((closed,))
                _ = closed.cancelled() or closed.exception()

    async def _rest(self, kept_s: float | None) -> bool:
        """Wait while paused, so many seconds at most; False where that ran out."""
        try:
            async with asyncio.timeout(kept_s):
                while self.paused:
                    self._signal.clear()
                    await self._signal.wait()
        except TimeoutError:
            return False
        return True

    def _pace(self, stream: FrameStream) -> None:
        self._due = None
        stream.set_interval(self.interval_s)
        self._watch()

    def _watch(self) -> None:
        """Look again when a frame will have been missing for too long; one timer a host, not one a frame."""
        if self._stale is not None:
            self._stale.cancel()
        limit = max(self.interval_s * self._context.stale_after_intervals, _SILENCE_S)
        left = self._last_frame + limit - self._context.clock.monotonic()
        if left > 0:
            self._stale = asyncio.get_running_loop().call_later(left, self._watch)
            return
        text = f"no data for {limit:.0f} s over an open connection: the host may be hung or out of processes"
        self._stop(SSHTimeoutError(text, timeout_seconds=limit, hostname=self.host.name, operation="stream"))

    def _stop(self, fault: InfrastructureException) -> None:
        self._fault = fault
        self._signal.set()

    def _frame(self, assembler: Assembler, frame: bytes, at: datetime) -> None:
        context = self._context
        self._frames += 1
        self.tally.frames += 1
        self.tally.bytes += len(frame)
        due, self._last_frame = self._due, context.clock.monotonic()
        self._due = self._last_frame + self.interval_s
        try:
            sample = assembler.feed(frame, at)
        except DataCollectionError as exc:
            self._broken += 1
            self.tally.broken += 1
            if self._broken == 1:
                log.warning("unreadable frame", host=self.host.name, error=exc.message, correlation_id=self._poll_id())
            if self._broken >= context.broken_frames:
                self._stop(exc)
            return
        self._broken = self._failures = self._refusals = 0
        lag = max(0.0, self._last_frame - due) if due is not None else None
        self.tally.late(lag)
        system = sample.system
        figures = (system.cpu_pct, system.mem_pct, fullest(sample), system.load1)
        context.sink.put(self._stored(sample))
        context.live.apply_sample(sample, lag_s=lag, disk_pct=figures[2])
        poll_id = self._poll_id()
        state, reason, detail = self._assessor.assess(sample, figures[1], figures[2])
        if state is not self._state or reason is not self._reason or detail != self._detail:
            self._change(state, reason, detail, poll_id)
        if context.bus.heard(HostPolled):
            context.bus.emit_nowait(HostPolled.of_sample(self.host.name, poll_id, sample.seq, figures, lag))

    def _stored(self, sample: HostSample) -> HostSample:
        """What the database gets: the host's row from every frame, rows of its items every ten seconds."""
        if self._last_frame >= self._items_due or (sample.disks is None and sample.interfaces is None):
            if sample.disks is not None or sample.interfaces is not None:
                self._items_due = self._last_frame + self._context.items_every_s - self.interval_s / 2
            return sample
        return bare(sample)

    def _poll_id(self) -> str:
        # Given by hand: a frame comes in the transport's context, not in ours.
        return f"{self._connection}-{self._frames}"

    async def _failed(self, exc: InfrastructureException) -> None:
        context = self._context
        reason = context.reason_of(exc)
        self._failures += 1
        self.tally.failures[reason.value] += 1
        self._refusals = self._refusals + 1 if reason is Reason.LOGIN else 0
        self._change(HostState.OFFLINE, reason, exc.message, self._connection)
        delay = self._delay(reason)
        next_try = None if delay is None else context.clock.now() + timedelta(seconds=delay)
        context.live.set_retry(self.host.name, self._failures, next_try)
        self._signal.clear()
        await self._wait(delay, context.answers if reason in _AWAY else None)
        self._signal.clear()

    async def _wait(self, delay: float | None, answers: Callable[[Host], Awaitable[bool]] | None) -> None:
        """Wait for the delay to end, to be woken, or for the host to answer again: then it is polled at once."""
        end = None if delay is None else self._context.clock.monotonic() + delay
        while not self._signal.is_set():
            left = None if end is None else end - self._context.clock.monotonic()
            if left is not None and left <= 0:
                return
            step = self._context.knock_s * (1.0 + random.random())  # noqa: S311 - jitter, not a secret
            knock = answers if left is not None and left > step else None
            try:
                async with asyncio.timeout(step if knock is not None else left):
                    await self._signal.wait()
            except TimeoutError:
                if knock is not None and await knock(self.host):
                    return

    def _delay(self, reason: Reason) -> float | None:
        """Seconds until the next try; None: never by itself."""
        chance = random.random()  # noqa: S311 - jitter, not a secret
        if reason is Reason.KEY_CHANGED:
            return None  # a person looks first
        if reason is Reason.LOGIN:
            return self._context.breaker.delay(self._refusals, chance)
        # A key that waits for review: no hurry, acceptance wakes us.
        return self._context.backoff.delay(32 if reason is Reason.KEY_UNKNOWN else self._failures, chance)

    def _change(self, state: HostState, reason: Reason, detail: str, correlation_id: str | None = None) -> None:
        """Say a change of state or reason once; a changed figure in the line alone is no change."""
        context = self._context
        transition = Transition(self.host.name, context.clock.now(), self._state, state, reason, detail)
        if (state, reason) == (self._state, self._reason):
            if detail != self._detail:  # the screen tells the present figure, history the change alone
                self._detail = detail
                context.live.apply_transition(transition)
            return
        event = HostStateChanged(
            source="poller",
            correlation_id=correlation_id,
            host=self.host.name,
            old=self._state,
            new=state,
            reason=reason,
            detail=detail,
        )
        self._state, self._reason, self._detail = state, reason, detail
        context.sink.put_transition(transition)
        context.live.apply_transition(transition)
        context.bus.emit_nowait(event)
        level = log.info if state in (HostState.ONLINE, HostState.MAINTENANCE) else log.warning
        level(
            "host state",
            host=self.host.name,
            old=transition.old,
            new=state,
            reason=reason,
            detail=detail,
            correlation_id=correlation_id,
        )
