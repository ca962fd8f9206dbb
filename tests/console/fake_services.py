"""A moving fleet behind the ConsoleServices port: for drawing, not for truth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from console.services import Post, Progress
from core.exceptions import BusinessLogicError, ValidationError
from core.models import (
    FleetView,
    HostKeyReview,
    HostPlot,
    HostResult,
    HostState,
    ItemHistory,
    ItemPlot,
    LogFeed,
    LogRecord,
    LogSource,
    Mark,
    Outcome,
    Plan,
    PlanRequest,
    PlanTarget,
    PollerRole,
    ReplayStatus,
    SavedCommand,
    SecretRequest,
    WriterStats,
)
from core.models.console import Changes, ConsoleOptions, HostChange, Memory
from tests.console.fake_alerts import make_alerts
from tests.console.fake_database import make_chunks, make_database, partitions
from tests.console.fake_findings import found
from tests.console.fake_fleet import NAMES, make_events, make_host, make_reviews, troubled
from tests.console.fake_past import make_marks, make_past, make_plot, make_timeline


class FakeServices:
    """Views that move, plans that read well, an apply that takes a moment."""

    def __init__(
        self,
        hosts: int = len(NAMES),
        *,
        trouble: bool = True,
        tick_s: float = 0.5,
        moving: bool = True,
        slow_start_s: float = 0.0,
        wasm: bool = False,
        plain: bool = False,
    ) -> None:
        self.tick_s, self.moving, self.trouble, self.plain = tick_s, moving, trouble, plain
        self.slow_start_s = slow_start_s
        self.names = [NAMES[i] if i < len(NAMES) else f"node-{i:04d}" for i in range(hosts)]
        self.view = FleetView(at=datetime.now(UTC))
        self.startup_lines: tuple[str, ...] = ()
        self.read_only = True
        self.read_only_until: datetime | None = None
        self.interval_s = 2.0
        self.paused = False
        self.reviews = make_reviews() if trouble else ()
        self.notices: tuple[str, ...] = ()
        self.secrets: tuple[SecretRequest, ...] = ()
        self.answered: list[tuple[SecretRequest, str, bool]] = []
        self.can_keep_secrets = False
        self.accepted: list[HostKeyReview] = []
        self.rejected: list[HostKeyReview] = []
        self.applied: list[tuple[Plan, str]] = []
        self.polled: list[str | None] = []
        self.apply_s = 0.2
        self.fail_with = ""
        self.stopped = 0
        self._step = 0
        self._post: Post | None = None
        self._task: asyncio.Task[None] | None = None
        self.chunks = make_chunks(datetime.now(UTC))
        self.replay = ReplayStatus()
        self.no_past = ""
        self.followed: list[LogSource] = []
        self.unfollowed: list[LogSource] = []
        self.log_records: tuple[LogRecord, ...] = ()
        self.log_note = ""
        self.results: tuple[HostResult, ...] = ()
        self.commands: tuple[SavedCommand, ...] = ()
        self.commands_fault = ""
        self.ssh: tuple[str, ...] = ("true",)
        self.alerts = make_alerts(datetime.now(UTC)) if trouble else ()
        self.planned: list[PlanRequest] = []
        self.options: ConsoleOptions | None = None
        self.memory: Memory | None = None
        self.kept: list[Memory] = []
        self.changes: Changes | None = None

    def make_view(self) -> FleetView:
        """Return the fleet at the present step."""
        now = datetime.now(UTC)
        hosts = [make_host(index, name, self._step, now) for index, name in enumerate(self.names)]
        if self.trouble:
            hosts = found(troubled(hosts, now), now)
        database = make_database(now, self.chunks)
        if self.plain:
            database = partitions(database)
        events = make_events(now)
        return FleetView(
            at=now,
            hosts=tuple(hosts),
            database=database,
            role=PollerRole.POLLER,
            writer=WriterStats(stored=10_000 + self._step * 12, queued=12, last_flush=now),
            reviews=self.reviews,
            secrets=self.secrets,
            events=events,
            notices=self.notices,
            lag_s=0.08,
            version=self._step,
            alerts=self.alerts,
        )

    def push(self, view: FleetView | None = None) -> None:
        """Post a view now."""
        self.view = view if view is not None else self.make_view()
        if self._post is not None:
            self._post(self.view)

    async def start(self, post: Post) -> None:
        self._post = post
        for text in ("reading the inventory", "starting the database", "migrating the schema", "connecting to hosts"):
            self.startup_lines += (text,)
            await asyncio.sleep(self.slow_start_s)
        self.push()
        if self.moving:
            self._task = asyncio.create_task(self._move())

    async def _move(self) -> None:
        while True:
            await asyncio.sleep(self.tick_s)
            self._step += 1
            self.push()

    async def stop(self) -> None:
        self.stopped += 1
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def plan(self, request: PlanRequest) -> Plan:
        await asyncio.sleep(0)
        self.planned.append(request)
        chunk = request.arguments.get("chunk")
        targets = [each for each in self.chunks if chunk in (None, each.name)][:8]
        confirm = str(chunk or request.arguments.get("table") or request.action).rsplit(".", 1)[-1]
        return Plan(
            request=request,
            title=f"{request.action} {chunk or ''}".strip(),
            targets=tuple(
                PlanTarget(each.name, f"{each.start:%Y-%m-%d}, {each.rows} rows", each.total_bytes) for each in targets
            ),
            statements=tuple(f"SELECT compress_chunk('{each.name}', if_not_compressed => true)" for each in targets),
            confirm=confirm,
            destructive=True,
            summary=f"{len(targets)} chunk(s), 180.0 MiB now, about 18 MiB after (ratio of its neighbours 10.1x)",
            hash="c0ffee",
            warnings=("the chunk is locked against writes while it is compressed",),
            refused="read-only: nothing may be applied" if self.read_only else "",
        )

    async def apply(self, plan: Plan, typed: str, on_progress: Progress | None = None) -> Outcome:
        if self.read_only:
            raise BusinessLogicError("read-only: w leaves it")
        if typed != plan.confirm:
            raise BusinessLogicError(f"{typed!r} was typed, {plan.confirm!r} is wanted")
        self.applied.append((plan, typed))
        for done, target in enumerate(plan.targets):
            if on_progress is not None:
                on_progress(done, len(plan.targets), target.name)
            await asyncio.sleep(self.apply_s)
        if self.fail_with:
            raise BusinessLogicError(self.fail_with)
        return Outcome(
            True,
            "a-000123",
            "1 of 1 done, 180M → 18M, 10.0x",
            tuple(t.name for t in plan.targets),
            (),
            180 << 20,
            18 << 20,
            results=self.results,
        )

    async def accept_host_key(self, review: HostKeyReview) -> None:
        if review.changed:
            raise BusinessLogicError("a changed key is not accepted here")
        self.accepted.append(review)
        self.reviews = tuple(each for each in self.reviews if each is not review)
        self.push()

    async def reject_host_key(self, review: HostKeyReview) -> None:
        self.rejected.append(review)
        self.reviews = tuple(each for each in self.reviews if each is not review)
        self.push()

    async def accept_host_keys(self, reviews: Sequence[HostKeyReview]) -> int:
        for review in reviews:
            await self.accept_host_key(review)
        return len(reviews)

    async def answer_secret(self, request: SecretRequest, secret: SecretStr, *, keep: bool = False) -> None:
        if secret.get_secret_value() == "wrong":
            raise ValidationError("the passphrase does not open it")
        self.answered.append((request, secret.get_secret_value(), keep))
        self.secrets = tuple(each for each in self.secrets if each is not request)
        self.push()

    def dismiss_secret(self, request: SecretRequest) -> None:
        self.secrets = tuple(each for each in self.secrets if each is not request)
        self.push()

    def unlock(self, seconds: float) -> None:
        self.read_only, self.read_only_until = False, datetime.now(UTC) + timedelta(seconds=seconds)

    def lock(self) -> None:
        self.read_only, self.read_only_until = True, None

    def poll_now(self, host: str | None) -> None:
        self.polled.append(host)

    def set_interval(self, host: str | None, seconds: float) -> None:
        self.interval_s = seconds if host is None else self.interval_s

    def pause(self) -> bool:
        self.paused = not self.paused
        return self.paused

    # Time travel.
    def go_to(self, at: datetime | None, step: timedelta) -> None:
        if self.no_past:
            raise BusinessLogicError(self.no_past)
        if at is None or at >= datetime.now(UTC):
            self.replay = ReplayStatus(step=step)
            self.push(self._live)
            return
        if self.replay.at is None:
            self._live = self.view
        self.replay = ReplayStatus(at, step, timeline=make_timeline(at, step))
        self.push(make_past(self._live, at))

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        now = datetime.now(UTC)
        found = [mark for mark in make_marks(now) if not loud or mark.severity != "info"]
        if later:
            return next((mark for mark in found if mark.ts > at), None)
        return next((mark for mark in reversed(found) if mark.ts < at), None)

    async def plot(self, host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
        if self.no_past:
            raise BusinessLogicError(self.no_past)
        return make_plot(host, start, stop, points)

    async def item_plot(
        self, host: str, item: tuple[str, str], start: datetime, stop: datetime, points: int
    ) -> ItemPlot:
        if self.no_past:
            raise BusinessLogicError(self.no_past)
        plot = make_plot(host, start, stop, points)
        return ItemPlot(
            ItemHistory(plot.history.times, plot.history.cpu, plot.history.net), ItemHistory(), "raw", plot.step_s
        )

    # Hosts acted on.

    async def follow_logs(self, source: LogSource, feed: LogFeed) -> None:
        self.followed.append(source)
        feed.say("following", self.log_note)
        feed.add(self.log_records)
        try:
            await asyncio.Event().wait()
        finally:
            self.unfollowed.append(source)

    async def saved_commands(self, hosts: Sequence[str]) -> tuple[SavedCommand, ...]:
        if self.commands_fault:
            raise ValidationError(self.commands_fault)
        return self.commands

    def ssh_argv(self, host: str) -> tuple[str, ...]:
        return self.ssh

    def remember(self, memory: Memory) -> None:
        self.kept.append(memory)

    async def changes_since(self, since: datetime) -> Changes:
        if self.changes is None:
            raise BusinessLogicError("the database is not connected")
        return self.changes


def make_changes(names: Sequence[str]) -> Changes:
    """Return what went on over the last day: every third host is in another state than it was."""
    now = datetime.now(UTC)
    states = (HostState.OFFLINE, HostState.DEGRADED, HostState.ONLINE)
    hosts = tuple(
        HostChange(name, states[place - 1], states[place], place + 1, now - timedelta(hours=place + 1), "no answer")
        for place, name in enumerate(names[::3][:3])
    )
    return Changes(now - timedelta(days=1), now, hosts, ("1 host key to be looked at",))


def make_log(lines: int = 60) -> tuple[LogRecord, ...]:
    """Return a log of more than a screen, a line in five of them bad."""
    now = datetime.now(UTC)
    return tuple(
        LogRecord(each, now - timedelta(seconds=lines - each), 3 if each % 5 == 0 else 6, "nginx", f"line {each}")
        for each in range(lines)
    )
