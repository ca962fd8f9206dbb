"""What makes the console easy, on the program's side: its options, its memory, news, and settings that change."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from console.composition.demo import demo_settings
from console.composition.memory import NAME, MemoryFile
from console.composition.oneshot import limits_of
from console.widgets.severity import STATE_RANK
from core.events import Notice
from core.exceptions import BusinessLogicError, InfrastructureException
from core.models.console import Changes, ConsoleOptions, HostChange
from core.storage.queries import transitions

if TYPE_CHECKING:
    from console.composition.running import Running
    from core.config import ApplicationSettings
    from core.database import Database
    from core.models import FleetView, Transition
    from core.models.console import Memory

_LOOK_S = 2.0
_MOST = 2000  # transitions read for the news
_LONGEST = timedelta(days=30)
# Taken up while the console runs; whatever else changed waits for the next start, and that is said.
_LIVE = ("console.", "keys.", "polling.interval_s", "monitoring.cpu_warn_pct", "monitoring.mem_warn_pct",
         "monitoring.disk_warn_pct")  # fmt: skip
log = structlog.get_logger("console")


class Comfort:
    """Belongs to one running console; ``run`` watches the settings files until it is cancelled."""

    def __init__(
        self, running: Running, load: Callable[[], ApplicationSettings], taken: Callable[[float], None], *, demo: bool
    ) -> None:
        self._running, self._load, self._taken, self._demo = running, load, taken, demo
        settings = running.settings
        self.options = options_of(settings, demo=demo)
        remembers = settings.console.remember and not demo  # a demo's hosts and filters are nobody's
        self._file = MemoryFile(settings.state_dir / NAME) if remembers else None
        self.memory: Memory | None = None
        self._unsaved: Memory | None = None
        self._settings = settings  # as last taken up
        self._told = ""

    def recall(self) -> None:
        """Read what is remembered. Blocking."""
        if self._file is not None:
            self.memory = self._file.load()

    def remember(self, memory: Memory) -> None:
        """Keep it; written within seconds."""
        self._unsaved = memory

    async def run(self) -> None:
        """Watch the settings files and write the memory, until cancelled."""
        if self._file is not None and self._file.note:
            self._say(self._file.note, "warning")
        seen = await asyncio.to_thread(self._stamp)
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.save()
            stamp = await asyncio.to_thread(self._stamp)
            if stamp != seen:
                seen = stamp
                await self._reload()

    async def save(self) -> None:
        """Write what is to be remembered; a disk that refuses is told once and costs nothing else."""
        memory, self._unsaved = self._unsaved, None
        if memory is None or self._file is None:
            return
        try:
            if not await asyncio.to_thread(self._file.save, memory):
                self._unsaved = memory  # another console was writing
        except OSError as error:
            self._say(f"the layout cannot be kept in {self._file.path}: {error.strerror}", "warning")

    def _stamp(self) -> tuple[object, ...]:
        stamps: list[object] = []
        for file in self._running.settings.files:
            try:
                stat = file.stat()
                stamps.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                stamps.append(None)
        return tuple(stamps)

    async def _reload(self) -> None:
        """Take up the files as they are now; one with a mistake changes nothing, and its mistake is told."""
        try:
            fresh = await asyncio.to_thread(self._load)
        except InfrastructureException as error:
            text = f"the settings stay as they were: {error.message}"
            self._say(text, "error")
            self.options = replace(self.options, remark=text, refused=True)
            return
        if self._demo:
            fresh = demo_settings(fresh)
        changed = differences(self._settings, fresh)
        self._settings = fresh
        pace = None if "polling.interval_s" not in changed else fresh.polling.interval_s
        self._running.supervisor.take_settings(limits_of(fresh), pace)
        if pace is not None:
            self._taken(pace)
        later = [name for name in changed if not name.startswith(_LIVE)]
        now = [name for name in changed if name.startswith(_LIVE)]
        if now:
            self._say(f"settings taken up: {', '.join(now[:8])}", "info")
        remark = f"settings taken up: {', '.join(now[:4])}" if now else ""
        if later:
            remark = f"changed, but only the next start takes it up: {', '.join(later[:8])}"
            self._say(remark, "warning")
        self.options = replace(options_of(fresh, demo=self._demo), remark=remark)

    def _say(self, text: str, level: Any) -> None:
        if text != self._told and self._running.bus.running:
            self._running.bus.emit_nowait(Notice(source="settings", text=text, level=level))
        self._told = text

    async def changes_since(self, since: datetime) -> Changes:
        """Return the news since then, from the stored transitions; raises where the database is away."""
        database = self._running.storage.database
        if database is None:
            raise BusinessLogicError("the database is not connected: what changed is not known")
        return await read_changes(database, self._running.live.current(), since)


async def read_changes(database: Database, view: FleetView, since: datetime) -> Changes:
    """Return what the stored transitions tell of the time since then, and what the view has waiting."""
    until = datetime.now(UTC)
    since = max(since, until - _LONGEST)
    found = await transitions(database, since=since, until=until, most=_MOST)
    return Changes(since, until, host_changes(found), notes_of(view), len(found) >= _MOST)


def options_of(settings: ApplicationSettings, *, demo: bool) -> ConsoleOptions:
    """Return what the screen reads of the settings."""
    console = settings.console
    return ConsoleOptions(
        theme=console.theme,
        glyphs=console.glyphs,
        bell=console.bell,
        notify=console.notify,
        notify_every_s=console.notify_every_s,
        interval_s=settings.polling.interval_s,
        keys=dict(settings.keys),
        demo=demo,
    )


def differences(old: ApplicationSettings, new: ApplicationSettings) -> list[str]:
    """Return the names of the settings that differ: section.field, and keys.binding; never a value."""
    before, after = _flat(old), _flat(new)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _flat(settings: ApplicationSettings) -> dict[str, object]:
    flat: dict[str, object] = {f"keys.{name}": keys for name, keys in settings.keys.items()}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        fields = getattr(type(value), "model_fields", None)
        if fields is None:
            flat[name] = value
        else:
            flat |= {f"{name}.{field}": getattr(value, field) for field in fields}
    return flat


def host_changes(found: Iterable[Transition]) -> tuple[HostChange, ...]:
    """Gather transitions, newest first, by host: worst now first; one that is as it was is told where it was away."""
    by_host: dict[str, list[Transition]] = defaultdict(list)
    for each in found:
        by_host[each.host].append(each)
    changes = [
        HostChange(host, rows[-1].old, rows[0].new, len(rows), rows[0].ts, rows[0].detail)
        for host, rows in by_host.items()
    ]
    return tuple(sorted(changes, key=lambda each: (STATE_RANK[each.now], each.host)))


def notes_of(view: FleetView) -> tuple[str, ...]:
    """Return in words what waits for a person besides."""
    notes = []
    if view.reviews:
        notes.append(f"{len(view.reviews)} host keys wait for review")
    if view.secrets:
        notes.append(f"{len(view.secrets)} logins ask")
    if waiting := [alert for alert in view.alerts if alert.loud]:
        worst = f"{waiting[0].host}: {waiting[0].text}" if waiting[0].host else waiting[0].text
        notes.append(f"{len(waiting)} alerts wait, the worst {worst}")
    return tuple(notes)
