"""Alerts while the console runs: the engine is fed, its steps are told and stored, what people say is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from core.alerts.defaults import DEFAULTS
from core.alerts.engine import AlertEngine
from core.alerts.rules import RuleSet
from core.alerts.rules_file import load_rules
from core.events import AlertAcknowledged, AlertRaised, AlertResolved, AlertSilenced, Notice
from core.exceptions import BusinessLogicError, InfrastructureException
from core.models import DatabaseState, HostState, PollerRole
from core.storage import alerts as stored
from core.storage.fill_levels import fill_levels

if TYPE_CHECKING:
    from core.alerts.book import Step
    from core.database import Database
    from core.events import BaseEvent, EventBus
    from core.live_state import LiveState
    from core.models import Alert, AlertChange
    from core.ports import Clock

_LOOK_S = 1.0
_STORE_S = 15.0  # figures of what stands; steps are stored at once
_RULES_S = 5.0
_SAID_S = 5.0  # what other consoles were told by their people
_RETRY_S = 5.0
_SEED_HOSTS = 25  # read at once
_WAITING_MOST = 10_000
_NO_DATABASE = (DatabaseState.AWAY, DatabaseState.UNSUPPORTED, DatabaseState.NONE)
log = structlog.get_logger("console.alerts")


class Alerting:
    """Owns the engine; ``run`` is awaited by the program. Implements the port AlertKeeper."""

    def __init__(
        self,
        live: LiveState,
        bus: EventBus,
        clock: Clock,
        *,
        rules_file: Path | None,
        interval_s: float,
        actor: str,
        fresh: bool,
    ) -> None:
        self._live, self._bus, self._clock, self._actor = live, bus, clock, actor
        self._rules_file, self._fresh = rules_file, fresh  # fresh: a new database, that knows of nothing
        self._engine = AlertEngine(RuleSet(DEFAULTS), clock, interval_s=interval_s)
        self._database: Callable[[], Database | None] = lambda: None
        self._paused: Callable[[], bool] = lambda: False
        self._role = PollerRole.STARTING
        self._changes: list[tuple[str, AlertChange]] = []  # not stored yet
        self._kept: dict[tuple[str, datetime], Alert] = {}  # as stored
        self._loaded = False  # what the database knows is known here
        self._due: dict[str, float] = {}
        self._stamp: object = None
        self._seeded: set[str] = set()
        self._storing = asyncio.Lock()

    def attach(self, database: Callable[[], Database | None], paused: Callable[[], bool]) -> None:
        """Say where the database is found once it is open, and whether polling is paused."""
        self._database, self._paused = database, paused

    def set_role(self, role: PollerRole) -> None:
        """A poller raises alerts, a viewer shows those of the database."""
        if role is not self._role:
            self._role, self._loaded = role, False

    async def run(self) -> None:
        """Look once a second until cancelled; a database that is away is tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._looking(), name="alerts-look")
            group.create_task(self._keeping(), name="alerts-store")

    async def _looking(self) -> None:
        while True:
            if self._is_due("rules", _RULES_S):
                await self._read_rules()
            view = self._live.current()
            if self._role is PollerRole.POLLER:
                for _ in self._engine.looking(view, paused=self._paused()):
                    await asyncio.sleep(0)
                # Not before it is known what stood already: an old alert must not be told anew.
                if self._fresh or self._loaded or view.database.state in _NO_DATABASE:
                    self._tell(self._engine.steps())
            await asyncio.sleep(_LOOK_S)

    def _tell(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if len(self._changes) < _WAITING_MOST:
                self._changes.append((step.alert.host, step.change))
            if step.loud and self._bus.running:
                self._bus.emit_nowait(_event(step))
        self._live.set_standing(alerts=self._engine.alerts)

    # The database.
    async def _keeping(self) -> None:
        while True:
            database = self._database()
            try:
                if database is not None and self._role is not PollerRole.STARTING:
                    await self._keep(database)
            except InfrastructureException as error:
                log.info("alerts are not stored now", error=error.message)
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_LOOK_S)

    async def _keep(self, database: Database) -> None:
        if self._role is PollerRole.VIEWER:
            if self._is_due("follow", 2 * _LOOK_S):
                self._live.set_standing(alerts=await stored.load(database, self._clock.now()))
            return
        if not self._loaded:
            found = await stored.load(database, self._clock.now())
            known = {alert.key for alert in found if alert.resolved is None}
            new = [alert for alert in self._engine.book.open.values() if alert.key not in known]
            steps = [step for step in self._engine.steps() if step.alert.key not in known]
            self._engine.restore([*found, *new])  # what came while no database was there is kept
            self._tell(steps)
            self._kept = {(alert.key, alert.raised): alert for alert in found}
            self._loaded = True
        if self._changes or self._is_due("store", _STORE_S):
            await self._store(database)
        if self._is_due("said", _SAID_S) and not database.single_session:
            await self._hear(database)
        await self._seed(database)

    async def _store(self, database: Database) -> None:
        """Store what changed since it was stored; where that fails it is tried again with all of it."""
        async with self._storing:
            changes, alerts = list(self._changes), self._engine.alerts
            changed = [alert for alert in alerts if self._kept.get((alert.key, alert.raised)) != alert]
            await stored.store(database, changed, changes)
            del self._changes[: len(changes)]
            self._kept = {(alert.key, alert.raised): alert for alert in alerts}

    async def _hear(self, database: Database) -> None:
        """Take what was said at other consoles of the alerts that stand."""
        said = await stored.said(database, self._clock.now())
        for alert in list(self._engine.book.open.values()):
            told = said.get((alert.key, alert.raised))
            mine = self._kept.get((alert.key, alert.raised))
            if told is None or mine is None:
                continue
            before = {name: getattr(mine, name) for name in told}
            if told != before and before == {name: getattr(alert, name) for name in told}:
                self._engine.book.take(replace(alert, **told))
                self._kept[alert.key, alert.raised] = replace(mine, **told)
        self._live.set_standing(alerts=self._engine.alerts)

    async def _seed(self, database: Database) -> None:
        """Give the engine the past of the hosts that it does not know yet, a few at a time."""
        up = (HostState.ONLINE, HostState.DEGRADED)
        names = [h.host.name for h in self._live.current().hosts if h.state in up and h.host.name not in self._seeded]
        if not names:
            return
        some = names[:_SEED_HOSTS]
        self._seeded.update(some)
        for (host, mount), points in (await fill_levels(database, some, self._clock.now())).items():
            self._engine.seed(host, mount, points)

    def forget_history(self) -> None:
        """The past has been written anew: read it again."""
        self._seeded.clear()

    # The rules.
    async def _read_rules(self) -> None:
        if self._rules_file is None:
            return
        stamp = await asyncio.to_thread(_stamp_of, self._rules_file)
        if stamp == self._stamp:
            return
        first, self._stamp = self._stamp is None, stamp
        try:
            rules = await asyncio.to_thread(load_rules, self._rules_file)
        except InfrastructureException as error:
            kept = "the defaults hold" if first else "the rules before it hold"
            self._notice(f"{error.message}; {kept} until it is mended", "error")
            return
        self._engine.set_rules(RuleSet(rules))
        if not first:
            self._notice(f"{self._rules_file.name} is taken: {len(rules) - len(DEFAULTS)} rules of yours")

    def _notice(self, text: str, level: str = "info") -> None:
        if self._bus.running:
            self._bus.emit_nowait(Notice(source="alerts", text=text, level=level))  # type: ignore[arg-type]

    def _is_due(self, what: str, every_s: float) -> bool:
        now = self._clock.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    # What people say: the port AlertKeeper.
    async def alerts(self) -> tuple[Alert, ...]:
        """Return the alerts as they are shown."""
        return self._live.current().alerts

    async def acknowledge(self, keys: Sequence[str], note: str) -> None:
        """Say that these are known; stored before this returns."""
        now = self._clock.now()
        await self._said(lambda book: book.acknowledge(keys, self._actor, note, now))

    async def silence(self, keys: Sequence[str], until: datetime, note: str) -> None:
        """Tell nobody of these until then; stored before this returns."""
        now = self._clock.now()
        await self._said(lambda book: book.silence(keys, until, self._actor, note, now))

    async def unsilence(self, keys: Sequence[str]) -> None:
        """Take silences back; stored before this returns."""
        now = self._clock.now()
        await self._said(lambda book: book.unsilence(keys, self._actor, now))

    async def _said(self, say: Callable[..., object]) -> None:
        database = self._database()
        if database is None:
            raise BusinessLogicError("there is no database that could keep it: the status line says why")
        if self._role is PollerRole.VIEWER:  # the poller reads it from there within seconds
            self._engine.restore(await stored.load(database, self._clock.now()))
            self._engine.steps()
        say(self._engine.book)
        steps = self._engine.steps()
        self._tell(steps)
        if self._role is PollerRole.VIEWER:
            self._changes.clear()
            await stored.store(database, [step.alert for step in steps], [(s.alert.host, s.change) for s in steps])
        else:
            await self._store(database)


def _event(step: Step) -> BaseEvent:
    alert, change = step.alert, step.change
    where = {
        "source": "alerts", "key": alert.key, "rule": alert.rule, "host": alert.host, "item": alert.item,
        "level": alert.severity, "text": alert.text,
    }  # fmt: skip
    said = {"actor": change.actor, "note": change.note}
    if change.change == "acknowledged":
        return AlertAcknowledged.model_validate(where | said)
    if change.change == "silenced":
        return AlertSilenced.model_validate(where | said | {"until": alert.silenced_until})
    if change.change == "unsilenced" and change.actor:
        return AlertSilenced.model_validate(where | said)
    if change.change == "resolved":
        return AlertResolved.model_validate(where | {"lasted_s": (change.ts - alert.raised).total_seconds()})
    again = change.change != "raised"
    return AlertRaised.model_validate(where | {"again": again, "flapping": alert.flapping})


def _stamp_of(path: Path) -> tuple[int, int] | str:
    """What tells one version of a file from the next."""
    try:
        stat = path.stat()
    except OSError as error:
        return str(error)
    return stat.st_mtime_ns, stat.st_size
