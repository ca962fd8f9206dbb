"""The storage lane of the console: open the database, keep it open, decide who polls, read its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import structlog
from core.database import Database
from core.storage.lock import PollerLock
from core.storage.queries import latest_hosts
from core.storage.writer import BatchWriter

from console.composition.demo import DemoWorld
from console.composition.late_sink import LateSink
from console.composition.storage import embedded, prepare, storage_of
from core.config import ApplicationSettings
from core.events import DatabaseStateChanged, EventBus
from core.exceptions import ConfigurationError, InfrastructureException
from core.live_state import LiveState
from core.models import DatabaseState, DatabaseView, Host, PollerRole
from core.operations import Gate, Operations
from core.ports import Clock
from core.storage.servers import ManagedServer

_LOCK_S = 2.0
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
    ) -> None:
        self._settings, self._bus, self._live, self._gate = settings, bus, live, gate
        self._clock, self._say, self._on_role, self._world = clock, say, on_role, world
        self.sink = LateSink()
        self.operations: Operations | None = None
        self.refresh = asyncio.Event()
        self._server: ManagedServer | None = None
        self._database: Database | None = None
        self._writer: BatchWriter | None = None
        self._lock: PollerLock | None = None
        self._role = PollerRole.STARTING
        self._view = DatabaseView()
        self._hosts: list[Host] = []

    def set_hosts(self, hosts: list[Host]) -> None:
        """Take the inventory, for its copy in the database."""
        self._hosts = hosts
        if self._writer:
            self._writer.set_hosts(hosts)

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
        self._database = database
        self._writer = BatchWriter(database, self._settings.retention, spool, self._clock)
        self._writer.set_hosts(self._hosts)
        self.sink.attach(self._writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._writer.run(), name="writer")
            group.create_task(self._keep(database), name="database")

    async def stop(self) -> None:
        """Drain the writer to the database or the spool, let the lock go, close, stop our server."""
        if self._writer:
            await self._writer.stop(0.7)
        for part in (self._lock, self._database):
            if part:
                with suppress(InfrastructureException):
                    await part.close()
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
                await prepare(database, self._settings, self._say)
                break
            except InfrastructureException as exc:
                state = DatabaseState.UNSUPPORTED if isinstance(exc, ConfigurationError) else DatabaseState.AWAY
                self._say(exc.message)
                self._tell(replace(self._view, state=state, detail=exc.message))
                # Polling does not wait for the database: samples go to the spool.
                await self._become(PollerRole.POLLER, "database away: samples are spooled")
                failures += 1
                await asyncio.sleep(min(_RETRY_CAP_S, 2.0**failures))
        self.operations = storage_of(database, self._settings, self._bus, self._gate).operations
        self._lock = PollerLock(database)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reading(database), name="database-view")
            group.create_task(self._deciding(self._lock), name="poller-lock")
            group.create_task(self._following(database), name="follow")
            if self._world:
                group.create_task(self._history(self._world, database), name="history")

    async def _history(self, world: DemoWorld, database: Database) -> None:
        try:
            await world.write_history(database)
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
                    await self._become(PollerRole.VIEWER, "another console polls for this database")
            await asyncio.sleep(_LOCK_S)

    async def _following(self, database: Database) -> None:
        """As a viewer, read what the poller stored."""
        while True:
            if self._role is PollerRole.VIEWER:
                with suppress(InfrastructureException):
                    latest = await latest_hosts(database, at=self._clock.now(), max_age=_FOLLOW_AGE)
                    self._live.set_hosts([h.host for h in latest])
                    for host in latest:
                        self._live.apply_transition(host.transition)
                        if host.sample:
                            self._live.apply_sample(host.sample)
            await asyncio.sleep(_FOLLOW_S)

    async def _become(self, role: PollerRole, detail: str) -> None:
        if role is not self._role:
            self._role = role
            await self._on_role(role, detail)

    def _tell(self, view: DatabaseView) -> None:
        changed = view.state is not self._view.state
        self._view = view
        self._live.set_standing(database=view)
        if changed:
            self._bus.emit_nowait(DatabaseStateChanged(source="database", state=view.state, detail=view.detail))
