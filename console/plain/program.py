"""The plain console: says what changed as it changes, and answers one line at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from console.formatting import clean, nearest
from console.panes.hostfilter import HOSTS
from console.panes.query import parse
from console.plain import text
from core.exceptions import InfrastructureException
from core.models import HostState, PollerRole

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from core.models import FleetView

_STOP_S = 2.0
HELP = (
    "summary: how all stands",
    "fleet [words]: the hosts, worst first; words filter as in the console: cpu>80 tag:web state:offline !db",
    "host NAME: one host in full",
    "events: the newest events",
    "database: tables, sizes, health",
    "changes: what changed in the last day",
    "poll [NAME]: poll now",
    "pause: pause polling, or go on",
    "quiet: say no changes by themselves, or say them again",
    "utc, local: which clock",
    "quit: leave; polling from here stops",
)
_SHORT = {"s": "summary", "f": "fleet", "h": "host", "e": "events", "d": "database", "db": "database", "q": "quit",
          "exit": "quit", "?": "help", "news": "changes"}  # fmt: skip
_NAMES = ("summary", "fleet", "host", "events", "database", "changes", "poll", "pause", "quiet", "utc", "local", "quit",
          "help")  # fmt: skip


class PlainConsole:
    """One run; everything it says goes through ``write``, a line at a time."""

    def __init__(self, services: ConsoleServices, write: Callable[[str], None]) -> None:
        self._services, self._write = services, write
        self._view: FleetView = services.view
        self._fresh = asyncio.Event()
        self._states: dict[str, HostState] = {}
        self._told_start: set[str] = set()
        self._started = False
        self._quiet = False
        self._utc = True

    async def run(self, source: TextIO) -> None:
        """Run until ``quit`` or the end of the input."""
        lines: asyncio.Queue[str] = asyncio.Queue()
        _feed(source, lines)
        self.say(["Jumpwatch, as lines of text. Type help and enter for the commands."])
        watching = asyncio.create_task(self._watch(), name="plain-watch")
        try:
            await self._services.start(self._post)
            while (line := await lines.get()) and await self.answer(line.strip()):
                pass
        except InfrastructureException as error:
            self.say([clean(error.message)])
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._services.stop(), _STOP_S)

    def say(self, lines: Iterable[str]) -> None:
        """Write lines."""
        for line in lines:
            self._write(line)

    def _post(self, view: FleetView) -> None:
        self._view = view
        self._fresh.set()

    async def _watch(self) -> None:
        """Say the steps of the start, then each change of a host's state."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fresh.wait(), 0.5)
            self._fresh.clear()
            for line in self._services.startup_lines:
                if line not in self._told_start:
                    self._told_start.add(line)
                    self.say([clean(line)])
            view = self._view
            if not self._started and view.role is not PollerRole.STARTING:
                self._started = True
                self.say(self._summary())
            if self._started and not self._quiet:
                self.say(text.news(self._states, view.hosts, datetime.now(UTC), self._utc))
            self._states = {each.host.name: each.state for each in view.hosts if each.state is not HostState.UNKNOWN}

    def _summary(self) -> list[str]:
        return text.summary(self._view, read_only=self._services.read_only, utc=self._utc)

    async def answer(self, line: str) -> bool:
        """Answer one line; false where it was the last one."""
        word, _, rest = line.lstrip(":").partition(" ")
        word, rest = _SHORT.get(word.lower(), word.lower()), rest.strip()
        if word == "quit":
            return False
        try:
            self.say(await self._said(word, rest))
        except InfrastructureException as error:
            self.say([clean(error.message)])
        return True

    async def _said(self, word: str, rest: str) -> Iterable[str]:
        view, now = self._view, datetime.now(UTC)
        if word in ("", "summary"):
            return self._summary()
        if word == "fleet":
            query = parse(rest, HOSTS)
            shown = text.fleet([each for each in view.hosts if query.keeps(each, now)], now)
            return [*(clean(mistake.text) for mistake in query.mistakes), *shown]
        if word == "host":
            found = next((each for each in view.hosts if each.host.name == rest), None)
            return self._no_host(rest) if found is None else text.host(found, now, self._utc)
        if word == "events":
            return text.events(view, self._utc)
        if word == "database":
            return text.database(view)
        if word == "changes":
            return await self._changes()
        return self._done(word, rest)

    def _done(self, word: str, rest: str) -> Iterable[str]:
        if word == "poll":
            if rest and rest not in {each.host.name for each in self._view.hosts}:
                return self._no_host(rest)
            self._services.poll_now(rest or None)
            return [f"Polling {clean(rest) or 'all hosts'} now."]
        if word == "pause":
            return ["Polling is paused; pause goes on." if self._services.pause() else "Polling goes on."]
        if word == "quiet":
            self._quiet = not self._quiet
            return ["Changes are not said by themselves." if self._quiet else "Changes are said as they come."]
        if word in ("utc", "local"):
            self._utc = word == "utc"
            return [f"Moments are in {'UTC' if self._utc else 'local time'}."]
        if word == "help":
            return [*HELP, "Actions want a plan and a typed name: jumpwatch db ... --apply --confirm NAME."]
        close = nearest(word, _NAMES)
        return [f"No command {clean(word, 40)}{'; the nearest is ' + close if close else ''}. help says them all."]

    def _no_host(self, name: str) -> list[str]:
        names = [each.host.name for each in self._view.hosts]
        close = nearest(name, names)
        return [f"No host {clean(name, 60) or 'was named'}{'; the nearest is ' + clean(close) if close else ''}."]

    async def _changes(self) -> list[str]:
        from datetime import timedelta

        since = datetime.now(UTC) - timedelta(days=1)
        changes = await self._services.changes_since(since)
        lines = [
            f"{clean(each.host)}: {each.now.value}, was {each.before.value}, {each.times} changes. {clean(each.detail)}"
            for each in changes.hosts
        ]
        return [*changes.notes, *lines] or ["Nothing changed in the last day."]


def _feed(source: TextIO, lines: asyncio.Queue[str]) -> None:
    """Hand the source's lines to the loop; an empty one is its end. A thread: a file, a pipe and a terminal alike."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        while True:
            try:
                line = source.readline()
            except (OSError, ValueError):
                line = ""
            try:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            except RuntimeError:  # the loop has ended
                return
            if not line:
                return

    threading.Thread(target=read, name="plain-input", daemon=True).start()
