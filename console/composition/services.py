"""The program behind the screen: bus, live state, pollers and database, started after the first paint."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from console.composition.garbage import settle
from core.exceptions import BusinessLogicError, InfrastructureException
from core.models import FleetView
from core.ports import SystemClock
from core.redaction import redact_text

if TYPE_CHECKING:
    from pydantic import SecretStr

    from console.composition.comfort import Comfort
    from console.composition.running import Running
    from console.services import Post, Progress
    from core.config import ApplicationSettings
    from core.models import (
        HostKeyReview,
        HostPlot,
        ItemPlot,
        LogFeed,
        LogSource,
        Mark,
        Outcome,
        Plan,
        PlanRequest,
        ReplayStatus,
        SavedCommand,
        SecretRequest,
    )
    from core.models.console import Changes, ConsoleOptions, Memory

_STOP_S = 1.9
log = logging.getLogger("console")  # not structlog: this module is there before the first paint


class LiveServices:
    """ConsoleServices over real parts; what they need is imported in a thread, so that the screen never waits."""

    def __init__(self, settings_loader: Callable[[], ApplicationSettings], *, demo: bool = False) -> None:
        self._load, self._demo = settings_loader, demo
        self._clock = SystemClock()
        self._lines: list[str] = []
        self._running: Running | None = None
        self._main: asyncio.Task[None] | None = None
        self._interval_s = 10.0
        self._comfort: Comfort | None = None
        self._empty = FleetView(at=self._clock.now())

    @property
    def view(self) -> FleetView:
        return self._running.view if self._running else self._empty

    @property
    def startup_lines(self) -> tuple[str, ...]:
        return tuple(self._lines)

    @property
    def read_only(self) -> bool:
        return self._running.gate.read_only if self._running else True

    @property
    def read_only_until(self) -> datetime | None:
        return self._running.gate.read_only_until if self._running else None

    @property
    def interval_s(self) -> float:
        return self._interval_s

    @property
    def paused(self) -> bool:
        return bool(self._running and self._running.supervisor.paused)

    async def start(self, post: Post) -> None:
        if self._main is None:
            self._main = asyncio.create_task(self._run(post), name="services")

    async def _run(self, post: Post) -> None:
        """Own everything until cancelled; a fault that nothing below caught is shown, never swallowed."""
        try:
            try:
                settings, make = await asyncio.to_thread(self._prepare)
            finally:
                settle()
            self._running = make(settings, self.say, demo=self._demo)
            self._interval_s = self._running.settings.polling.interval_s
            await self._run_beside(self._running, post)
        except InfrastructureException as exc:
            self._tell(post, exc.message)
        except Exception as exc:  # the program's outer boundary: a start that fails silently would be a lie
            log.exception("the program behind the screen ended")
            self._tell(post, f"Jumpwatch cannot run: {type(exc).__name__}: {exc}")

    async def _run_beside(self, running: Running, post: Post) -> None:
        """Run the program, and beside it what watches the settings files."""
        from console.composition.comfort import Comfort

        comfort = Comfort(running, self._load, self._set_pace, demo=self._demo)
        await asyncio.to_thread(comfort.recall)
        self._comfort = comfort
        watching = asyncio.create_task(comfort.run(), name="comfort")
        watching.add_done_callback(_told)
        try:
            await running.run(post)
        finally:
            watching.cancel()
            await asyncio.wait([watching], timeout=0.2)

    def _tell(self, post: Post, text: str) -> None:
        """Show a fault that ended the program behind the screen: as a standing line and in place of the start's."""
        line = redact_text(text)
        self.say(line)
        post(replace(self.view, at=self._clock.now(), notices=(line,), version=self.view.version + 1))

    def _prepare(self) -> tuple[ApplicationSettings, Callable[..., Running]]:
        """Read settings and plugins, open the log file and import the rest; in a thread, for all of it blocks."""
        settings = self._load()
        from core.logging import configure_logging

        if notice := configure_logging(settings, to_stderr=False):
            self.say(notice)
        _raise_file_limit()
        self.say("loading")
        from console.composition.inspecting import load_extras
        from console.composition.running import Running

        # The demo's hosts answer our own collectors alone.
        return settings, Running if self._demo else partial(Running, extras=load_extras(settings))

    def say(self, line: str) -> None:
        """Add a line to what the start has done."""
        self._lines.append(line)
        del self._lines[:-20]

    async def stop(self) -> None:
        from core.logging import shutdown_logging

        main, self._main = self._main, None
        if main is None:
            return
        main.cancel()
        await asyncio.wait([main], timeout=0.3)
        if self._comfort:
            await self._comfort.save()
        if self._running:
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._running.stop()
            except TimeoutError:
                self.say("not everything closed in time")
            await asyncio.to_thread(shutdown_logging)

    async def plan(self, request: PlanRequest) -> Plan:
        return await self._ready().operations().plan(request)

    async def apply(self, plan: Plan, typed: str, on_progress: Progress | None = None) -> Outcome:
        running = self._ready()
        try:
            outcome = await running.operations().apply(plan, typed, actor=running.actor, on_progress=on_progress)
            for each in outcome.results:  # the panes show at once what became of it
                running.supervisor.wake(each.host)
            return outcome
        finally:
            running.refresh_database()

    async def accept_host_key(self, review: HostKeyReview) -> None:
        await self.accept_host_keys((review,))

    async def accept_host_keys(self, reviews: Sequence[HostKeyReview]) -> int:
        running = self._ready()
        accepted = 0
        try:
            for review in reviews:
                await running.keys.accept(review)
                accepted += 1
        finally:
            if accepted:
                running.wake_for_keys({review.host for review in reviews[:accepted]})
        return accepted

    @property
    def can_keep_secrets(self) -> bool:
        return bool(self._running and self._running.secrets.can_keep)

    async def answer_secret(self, request: SecretRequest, secret: SecretStr, *, keep: bool = False) -> None:
        running = self._ready()
        for name in await running.secrets.answer(request, secret, keep=keep):
            running.supervisor.wake(name)

    def dismiss_secret(self, request: SecretRequest) -> None:
        self._ready().secrets.dismiss(request)

    async def reject_host_key(self, review: HostKeyReview) -> None:
        self._ready().keys.reject(review)

    def unlock(self, seconds: float) -> None:
        self._ready().gate.unlock(seconds)

    def lock(self) -> None:
        if self._running:
            self._running.gate.lock()

    def poll_now(self, host: str | None) -> None:
        if self._running:
            self._running.supervisor.wake(host)

    def set_interval(self, host: str | None, seconds: float) -> None:
        if not self._running:
            return
        names = [h.host.name for h in self._running.live.current().hosts] if host is None else [host]
        if host is None:
            self._interval_s = seconds
        for name in names:
            self._running.supervisor.set_interval(name, seconds)

    @property
    def options(self) -> ConsoleOptions | None:
        return self._comfort.options if self._comfort else None

    @property
    def memory(self) -> Memory | None:
        return self._comfort.memory if self._comfort else None

    def remember(self, memory: Memory) -> None:
        if self._comfort:
            self._comfort.remember(memory)

    async def changes_since(self, since: datetime) -> Changes:
        if self._comfort is None:
            raise BusinessLogicError("still starting: try again in a moment")
        return await self._comfort.changes_since(since)

    def _set_pace(self, seconds: float) -> None:
        self._interval_s = seconds

    def pause(self) -> bool:
        running = self._ready()
        running.set_paused(not running.supervisor.paused)
        return running.supervisor.paused

    @property
    def replay(self) -> ReplayStatus:
        from core.models import ReplayStatus

        return self._running.replay.status if self._running else ReplayStatus()

    def go_to(self, at: datetime | None, step: timedelta) -> None:
        self._ready().replay.go(at, step)

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        return await self._ready().replay.mark_beside(at, later=later, loud=loud)

    async def plot(self, host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
        return await self._ready().replay.plot(host, start, stop, points)

    async def item_plot(
        self, host: str, item: tuple[str, str], start: datetime, stop: datetime, points: int
    ) -> ItemPlot:
        return await self._ready().replay.item_plot(host, item, start, stop, points)

    async def follow_logs(self, source: LogSource, feed: LogFeed) -> None:
        await self._ready().reach.follow_logs(source, feed)

    async def saved_commands(self, hosts: Sequence[str]) -> tuple[SavedCommand, ...]:
        return await self._ready().reach.saved_commands(hosts)

    def ssh_argv(self, host: str) -> tuple[str, ...]:
        return self._ready().reach.ssh_argv(host)

    def _ready(self) -> Running:
        if self._running is None:
            raise BusinessLogicError("still starting: try again in a moment")
        return self._running


def _told(task: asyncio.Task[None]) -> None:
    """What watches the settings ends only by being cancelled; anything else is our defect, and costs no host."""
    if not task.cancelled() and task.exception() is not None:
        log.error("the settings are not watched any more", exc_info=task.exception())


def _raise_file_limit() -> None:
    """A connection a host wants a file each: take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
