"""The storage lane of the console: open the database, keep it open, decide who polls, read its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from console.composition.late_sink import LateSink
from console.composition.storage import embedded, prepare, storage_of
from core.database import Database
from core.events import DatabaseStateChanged, Notice
from core.exceptions import ConfigurationError, InfrastructureException
from core.models import DatabaseState, DatabaseView, PollerRole
from core.storage import queries
from core.storage.housekeeping import Housekeeper
from core.storage.ingest import sync_hosts
from core.storage.lock import PollerLock
from core.storage.writer import BatchWriter

if TYPE_CHECKING:
    from console.composition.alerting import Alerting
    from console.composition.demo import DemoWorld
    from core.config import ApplicationSettings
    from core.events import EventBus
    from core.live_state import LiveState
    from core.models import Host
    from core.operations import Gate, Operations
    from core.ports import Clock, HostReach, InventoryKeeper
    from core.storage.servers import ManagedServer

_LOCK_S = 2.0
_HOUSE_S = 5.0
_RETRY_CAP_S = 15.0
_FOLLOW_S = 2.0
_FOLLOW_AGE = timedelta(hours=1)

log = structlog.get_logger("console.storage")


class StorageLane:
    """Owns server, engine, writer and lock; the rest of the program sees a sink, a view and the operations."""

    def __init__(
        self,
        settings: ApplicationSettings,
        *,
        bus: EventBus,
        live: LiveState,
        gate: Gate,
        clock: Clock,
        say: Callable[[str], None],
        on_role: Callable[[PollerRole, str], Awaitable[None]],
        world: DemoWorld | None,
        inventory: InventoryKeeper | None = None,
        alerts: Alerting | None = None,
        reach: HostReach | None = None,
    ) -> None:
        self._inventory, self._alerts, self._reach = inventory, alerts, reach
        self._settings, self._bus, self._live, self._gate = settings, bus, live, gate
        self._clock, self._say, self._on_role, self._world = clock, say, on_role, world
        self.sink = LateSink()
        self.operations: Operations | None = None
        self.refresh = asyncio.Event()
        self._server: ManagedServer | None = None
        self._database: Database | None = None
        self._writer: BatchWriter | None = None
        self._lock: PollerLock | None = None
        self.role = PollerRole.STARTING
        self._view = DatabaseView()
        self._hosts: list[Host] = []
        self._inventory_changed = asyncio.Event()

    @property
    def database(self) -> Database | None:
        """The database once it is set up."""
        return self._database if self.operations is not None else None

    def set_hosts(self, hosts: list[Host]) -> None:
        """Take the inventory, for its copy in the database."""
        self._hosts = hosts
        self._inventory_changed.set()

    async def run(self) -> None:
        """Run until cancelled; what fails is told and tried again, the pollers go on meanwhile."""
        if self._world:
            await self._become(PollerRole.POLLER, "demo")
        try:
            database = await self._start_database()
        except InfrastructureException as exc:
            # No server to write to: the pollers go on without history, said plainly.
            self._say(exc.message)
            self._tell(replace(self._view, state=DatabaseState.UNSUPPORTED, detail=exc.message))
            self._live.set_standing(notices=(exc.message,))
            await self._become(PollerRole.POLLER, "no database: nothing is stored")
            return
        spool = self._settings.state_dir / "spool"
        if self._world:
            spool = self._world.folder / "spool"
            self._live.set_standing(notices=self._world.notices)
            for text in self._world.notices:  # the line at the foot may be cut; the Events pane has all of it
                self._bus.emit_nowait(Notice(source="demo", text=text, level="warning"))
        self._database = database
        self._writer = BatchWriter(database, self._settings.retention, spool, self._clock)
        self.sink.attach(self._writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._writer.run(), name="writer")
            group.create_task(self._keep(database), name="database")

    async def stop(self) -> None:
        """Drain the writer to the database or the spool, let the lock go, close, stop our server."""
        if self._writer:
            await self._writer.stop(0.7)
        for close in (self._lock and self._lock.release, self._database and self._database.close):
            if close:
                with suppress(InfrastructureException):
                    await close()
        if self._server:
            await self._server.stop()

    async def _start_database(self) -> Database:
        settings = self._settings
        if self._world:
            return await self._world.start_database()
        if settings.database.configured:
            return Database(settings.database, settings.retention)
        self._server = embedded(settings)
        return Database(settings.database, settings.retention, await self._server.start(self._say))

    async def _keep(self, database: Database) -> None:
        failures = 0
        while True:
            try:
                await database.open()
                await prepare(database, self._say)
                break
            except InfrastructureException as exc:
                state = DatabaseState.UNSUPPORTED if isinstance(exc, ConfigurationError) else DatabaseState.AWAY
                self._say(exc.message)
                self._tell(replace(self._view, state=state, detail=exc.message))
                if why := self._only_looks(database):
                    await self._become(PollerRole.VIEWER, why)
                else:  # polling does not wait for the database: samples go to the spool
                    await self._become(PollerRole.POLLER, "database away: samples are spooled")
                failures += 1
                await asyncio.sleep(min(_RETRY_CAP_S, 2.0**failures))
        self._gate.forbid(self._only_looks(database))
        parts = storage_of(database, self._settings, self._bus, self._gate, self._inventory, self._alerts, self._reach)
        self.operations = parts.operations
        self._lock = PollerLock(database)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reading(database), name="database-view")
            if why := self._only_looks(database):  # it never asks for the poller's lock
                await self._become(PollerRole.VIEWER, why)
            else:
                group.create_task(self._deciding(self._lock), name="poller-lock")
            group.create_task(self._following(database), name="follow")
            group.create_task(self._copying_inventory(database), name="inventory-copy")
            if self._world:
                # The demo's jobs wait for a person: what they would do is there to be seen and done by key.
                group.create_task(self._history(self._world, database), name="history")
            else:
                group.create_task(self._keeping_house(database), name="housekeeping")

    @staticmethod
    def _only_looks(database: Database) -> str:
        """Say why this console can never store anything; empty where it can, or where that is not known yet."""
        return database.capability.why_no_write if database.capability else ""

    async def _history(self, world: DemoWorld, database: Database) -> None:
        try:
            text = await world.write_history(database)
            self._bus.emit_nowait(Notice(source="demo", text=text))
            if self._alerts is not None:
                self._alerts.forget_history()
        except InfrastructureException as exc:
            self._live.set_standing(notices=(f"the demo's history could not be written: {exc.message}",))
        self.refresh.set()

    async def _reading(self, database: Database) -> None:
        """Read the Database view now and then, and at once when somebody asks."""
        while True:
            self.refresh.clear()
            try:
                self._tell(await database.view())
            except InfrastructureException as exc:
                self._tell(replace(self._view, state=DatabaseState.AWAY, detail=exc.message))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.monitoring.database_refresh_s):
                    await self.refresh.wait()

    async def _deciding(self, lock: PollerLock) -> None:
        """One poller a database: try for the lock, and hold it."""
        while True:
            try:
                held = await lock.acquire()
            except InfrastructureException as exc:
                log.info("poller lock not readable", error=exc.message)
            else:
                if held:
                    await self._become(PollerRole.POLLER, "")
                else:
                    holder = await lock.holder()
                    await self._become(PollerRole.VIEWER, f"{holder.name if holder else 'another console'} polls")
            await asyncio.sleep(_LOCK_S)

    async def _keeping_house(self, database: Database) -> None:
        """As the poller, run the jobs that no background worker runs here."""
        housekeeper = Housekeeper(database, self._clock)
        while True:
            if self.role is PollerRole.POLLER:
                try:
                    await housekeeper.run_due()
                except InfrastructureException as exc:
                    log.warning("housekeeping", error=exc.message)
            await asyncio.sleep(_HOUSE_S)

    async def _copying_inventory(self, database: Database) -> None:
        """The database holds a copy of the inventory: tags and addresses beside the history."""
        while True:
            await self._inventory_changed.wait()
            if self.role is PollerRole.POLLER:
                self._inventory_changed.clear()
                try:
                    await sync_hosts(database, self._hosts)
                except InfrastructureException as exc:
                    log.warning("inventory not copied", error=exc.message)
                    self._inventory_changed.set()
            await asyncio.sleep(_LOCK_S)

    async def _following(self, database: Database) -> None:
        """As a viewer, read what the poller stored."""
        while True:
            if self.role is PollerRole.VIEWER:
                with suppress(InfrastructureException):
                    await self._look_on(database)
            await asyncio.sleep(_FOLLOW_S)

    async def _look_on(self, database: Database) -> None:
        self._live.set_hosts(list(await queries.hosts(database)))
        for transition in (await queries.states(database)).values():
            self._live.apply_transition(transition)
        for sample in (await queries.latest(database, max_age=_FOLLOW_AGE)).values():
            self._live.apply_sample(sample)
        for kinds in (await queries.findings(database)).values():
            for finding in kinds.values():
                self._live.apply_finding(finding)

    async def _become(self, role: PollerRole, detail: str) -> None:
        if role is not self.role:
            self.role = role
            if self._alerts is not None:
                self._alerts.set_role(role)
            await self._on_role(role, detail)

    def _tell(self, view: DatabaseView) -> None:
        changed = view.state is not self._view.state
        self._view = view
        self._live.set_standing(database=view)
        if changed:
            self._bus.emit_nowait(DatabaseStateChanged(source="database", state=view.state, detail=view.detail))
