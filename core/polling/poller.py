"""The poller of one host: connect, keep the stream, back off, say what changed once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from core.events import EventBus, HostPolled, HostStateChanged
from core.exceptions import DataCollectionError, InfrastructureException, SSHTimeoutError
from core.live_state import LiveState, fullest
from core.logging import correlation
from core.models import Host, HostSample, HostState, Reason, Transition
from core.polling.assess import Assessor, Limits
from core.polling.backoff import Backoff
from core.polling.figures import Tally
from core.polling.inspector import Inspection, Inspector
from core.ports import Clock, HostSession, SampleSink, SessionFactory

log = structlog.get_logger("core.polling")


class Assembler(Protocol):
    """Turns frames of one host into samples; keeps the counters that rates need."""

    def feed(self, frame: bytes, received: datetime) -> HostSample: ...


@dataclass(frozen=True, slots=True)
class PollingContext:
    """What every poller shares."""

    factory: SessionFactory
    assembler: Callable[[str], Assembler]
    sink: SampleSink
    live: LiveState
    bus: EventBus
    clock: Clock
    reason_of: Callable[[InfrastructureException], Reason]
    limits: Limits
    backoff: Backoff
    interval_s: float
    stale_after_intervals: float = 3.0
    broken_frames: int = 3
    inspection: Inspection | None = None  # None: no slow collectors


class HostPoller:
    """Runs until cancelled; ``wake`` makes it try or restart its stream at once."""

    def __init__(
        self, host: Host, context: PollingContext, *, interval_s: float | None = None, tally: Tally | None = None
    ) -> None:
        self.host, self._context = host, context
        self.tally = tally or Tally()
        self._inspector = Inspector(host, context, self.tally)
        self.interval_s = interval_s or host.interval_s or context.interval_s
        self._state, self._reason, self._detail = HostState.UNKNOWN, Reason.PENDING, ""
        self._wake = asyncio.Event()
        self._assessor = Assessor(context.limits)
        self._failures = 0
        self._broken = 0
        self._seq: int | None = None
        self._last_frame = 0.0
        self._data_error: DataCollectionError | None = None
        self._connection = ""  # correlation id of this attempt to connect and of all that comes of it
        self._frames = 0  # of this connection: with it they make a frame's correlation id

    def wake(self) -> None:
        """Try at once, whatever the backoff says; an open stream is asked anew for an immediate frame."""
        self._wake.set()

    def inspect(self) -> None:
        """Run all slow collectors now, as far as their turns allow."""
        self._inspector.wake()

    def set_interval(self, seconds: float) -> None:
        """Change the interval; the stream restarts on the same connection."""
        self.interval_s = seconds
        self._wake.set()

    async def run(self) -> None:
        """Poll the host until cancelled."""
        if self.host.maintenance:
            self._change(HostState.MAINTENANCE, Reason.NONE, self.host.maintenance_line)
            await asyncio.Event().wait()
        while True:
            with correlation(host=self.host.name) as self._connection:
                self._frames = 0
                try:
                    began = self._context.clock.monotonic()
                    session = await self._context.factory.connect(self.host)
                    try:
                        self.tally.connected(self._context.clock.monotonic() - began)
                        async with self._inspector.over(session, self._connection):
                            await self._follow(session)
                    finally:
                        await session.close()
                except InfrastructureException as exc:
                    await self._failed(exc)

    async def _follow(self, session: HostSession) -> None:
        """Keep one stream after the other on this connection; raises when the connection or the data fails."""
        while True:
            self._wake.clear()
            self._seq, self._last_frame = None, self._context.clock.monotonic()
            assembler = self._context.assembler(self.host.name)
            self._data_error = None
            stream = await session.open_stream(
                lambda frame, at, a=assembler: self._frame(a, frame, at),  # type: ignore[misc]
                interval_s=self.interval_s,
            )
            try:
                async with asyncio.TaskGroup() as group:
                    watchers = [
                        group.create_task(stream.wait_closed()),
                        group.create_task(self._watch()),
                        group.create_task(self._wake.wait()),
                    ]
                    await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
                    for watcher in watchers:
                        if not watcher.done():
                            watcher.cancel()
            except BaseExceptionGroup as group_error:
                raise _first(group_error) from None
            finally:
                await stream.close()

    async def _watch(self) -> None:
        """Raise when no frame came for too long, or when frames come and none can be read."""
        limit = max(self.interval_s * self._context.stale_after_intervals, 15.0)
        while True:
            await asyncio.sleep(min(1.0, self.interval_s))
            if self._data_error is not None and self._broken >= self._context.broken_frames:
                raise self._data_error
            if self._context.clock.monotonic() - self._last_frame > limit:
                raise SSHTimeoutError(
                    f"no data for {limit:.0f} s over an open connection: the host may be hung or out of processes",
                    timeout_seconds=limit,
                    hostname=self.host.name,
                    operation="stream",
                )

    def _frame(self, assembler: Assembler, frame: bytes, at: datetime) -> None:
        context = self._context
        self._frames += 1
        self.tally.frames += 1
        self.tally.bytes += len(frame)
        self._last_frame, before = context.clock.monotonic(), self._last_frame
        try:
            sample = assembler.feed(frame, at)
        except DataCollectionError as exc:
            self._broken += 1
            self.tally.broken += 1
            self._data_error = exc
            if self._broken == 1:
                log.warning("unreadable frame", host=self.host.name, error=exc.message, correlation_id=self._poll_id())
            return
        self._broken, self._failures = 0, 0
        lag = max(0.0, self._last_frame - before - self.interval_s) if self._seq is not None else None
        self._seq = sample.seq
        self.tally.late(lag)
        context.sink.put(sample)
        context.live.apply_sample(sample, lag_s=lag)
        poll_id = self._poll_id()
        self._change(*self._assessor.assess(sample), poll_id)
        context.bus.emit_nowait(
            HostPolled(
                source="poller",
                correlation_id=poll_id,
                host=self.host.name,
                seq=sample.seq,
                cpu_pct=sample.system.cpu_pct,
                mem_pct=sample.system.mem_pct,
                disk_pct=fullest(sample),
                load1=sample.system.load1,
                lag_s=lag,
            )
        )

    def _poll_id(self) -> str:
        # Given by hand: a frame comes in the transport's context, not in ours.
        return f"{self._connection}-{self._frames}"

    async def _failed(self, exc: InfrastructureException) -> None:
        context = self._context
        reason = context.reason_of(exc)
        self._failures += 1
        self.tally.failures[reason.value] += 1
        self._change(HostState.OFFLINE, reason, exc.message, self._connection)
        if reason is Reason.KEY_CHANGED:
            context.live.set_retry(self.host.name, self._failures, None)
            delay = None  # never by itself: a person looks first
        else:
            # A key that waits for review: no hurry, acceptance wakes us.
            failures = 32 if reason is Reason.KEY_UNKNOWN else self._failures
            delay = context.backoff.delay(failures, random.random())  # noqa: S311 - jitter, not a secret
            context.live.set_retry(self.host.name, self._failures, context.clock.now() + timedelta(seconds=delay))
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

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


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report of several that came together: ours before foreign ones."""
    flat: list[BaseException] = []
    for exc in group.exceptions:
        flat.append(_first(exc) if isinstance(exc, BaseExceptionGroup) else exc)
    return next((e for e in flat if isinstance(e, InfrastructureException)), flat[0])
