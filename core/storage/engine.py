"""The database as an object: one engine, its sessions, and the connections that need care."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from core.config import DatabaseSettings, RetentionSettings
from core.exceptions import ConfigurationError, DatabaseConnectionError
from core.models import Capability, DatabaseView, HealthCheck, PoolInfo, StorageMode
from core.storage.capability import read_capability
from core.storage.connect import Address, connect_arguments, where
from core.storage.errors import DRIVER_ERRORS, mapped
from core.storage.policy_notes import in_force
from core.storage.revisions import refuse_lost, refuse_newer, revision_of


class Database:
    """One database: open it once, hand it round, close it. Nothing here blocks the loop.

    ``address`` is a server of our own; without it the settings say where the database is.
    """

    def __init__(
        self, settings: DatabaseSettings, retention: RetentionSettings, address: Address | None = None
    ) -> None:
        self.settings = settings
        self.configured_retention = retention
        self.retention = retention  # with what was changed by hand since the settings were written (policy_notes)
        self.own_pids: set[int] = set()  # the server's processes of our pool's sessions
        self.address = address
        self.where = where(settings, address)
        self.single_session = bool(address and address.single_session)
        self.kind = address.kind if address else "given"
        self.slow_figures: dict[str, Any] = {}  # the catalogue's memory of figures that are dear to read
        self._engine: AsyncEngine | None = None
        self._upkeep: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None
        self._capability: Capability | None = None

    @property
    def engine(self) -> AsyncEngine:
        """The engine; DatabaseConnectionError before ``open``."""
        if self._engine is None:
            raise DatabaseConnectionError(f"{self.where} is not open", operation="engine")
        return self._engine

    @property
    def capability(self) -> Capability | None:
        """What the server can do, as read at the last ``open`` or ``refresh_capability``."""
        return self._capability

    @property
    def timescale(self) -> bool:
        """The mode is TimescaleDB's."""
        return self._capability is not None and self._capability.mode is StorageMode.TIMESCALEDB

    async def open(self) -> Capability:
        """Make the engine, connect once and read the capability; may be called again.

        Raises the Database family, and ConfigurationError for a database that this program must not write to: set up
        by a newer one, or for a TimescaleDB that is gone. It is closed then.
        """
        if self._engine is None:
            self._engine, self._upkeep = self._make_engines()
            self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        return await self.refresh_capability()

    async def refresh_capability(self) -> Capability:
        """Read anew what the server can do; keeps it in ``capability``."""
        async with self.connect("read what the server can do") as connection:
            found = await read_capability(connection, self.kind, single_session=self.single_session)
            at = await revision_of(connection)
            retention = self.configured_retention
            if at is not None:
                retention = await in_force(connection, retention)
        try:
            refuse_newer(at, self.where)
            refuse_lost(found, self.where)
        except ConfigurationError:
            self._capability = None
            await self.close()
            raise
        self._capability, self.retention = found, retention
        return found

    async def close(self) -> None:
        """Close all connections; at most 5 s, then they are dropped."""
        engines = [engine for engine in (self._engine, self._upkeep) if engine is not None]
        self._engine = self._upkeep = self._sessions = None
        for engine in dict.fromkeys(engines):
            try:
                async with asyncio.timeout(5):
                    await engine.dispose()
            except (TimeoutError, OSError, *DRIVER_ERRORS):
                await engine.dispose(close=False)

    async def forget_connections(self) -> None:
        """Let new connections be made: after DDL, for plans cached on old ones would fail once."""
        if not self.single_session:
            with mapped("renew connections", self.where, self.settings):
                await self.engine.dispose()

    @asynccontextmanager
    async def connect(self, operation: str = "query") -> AsyncIterator[AsyncConnection]:
        """Give a connection in one transaction: committed at the end, rolled back on an error."""
        with mapped(operation, self.where, self.settings):
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def session(self, operation: str = "session") -> AsyncIterator[AsyncSession]:
        """Give an AsyncSession: committed at the end, rolled back on an error."""
        if self._sessions is None:
            raise DatabaseConnectionError(f"{self.where} is not open", operation=operation)
        with mapped(operation, self.where, self.settings):
            async with self._sessions.begin() as session:
                yield session

    @asynccontextmanager
    async def driver(self, operation: str = "ingest") -> AsyncIterator[Any]:
        """Give asyncpg's own connection in one transaction (for COPY and arrays); errors are mapped."""
        with mapped(operation, self.where, self.settings):
            async with self.engine.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection
                try:
                    async with raw.transaction():
                        yield raw
                except BaseException:
                    if raw.is_closed() or raw.is_in_transaction():
                        await connection.invalidate()
                    raise

    @asynccontextmanager
    async def maintenance(
        self, timeout_s: float | None = None, operation: str = "maintenance", *, transaction: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Give a connection in AUTOCOMMIT for what PostgreSQL allows only outside a transaction.

        The block may last ``timeout_s`` (default: maintenance_timeout_s); then, or on cancellation, the server is told
        to stop (a single-session engine cannot be told). It is a connection of its own, so that no pane waits for it.
        With ``transaction`` the block is one long transaction instead, for migrations.
        """
        limit = timeout_s if timeout_s is not None else self.settings.maintenance_timeout_s
        engine = self._upkeep or self.engine
        with mapped(operation, self.where, self.settings, statement_s=limit):
            async with asyncio.timeout(limit), engine.connect() as plain:
                connection = plain if transaction else await plain.execution_options(isolation_level="AUTOCOMMIT")
                await self._set_timeout(connection, limit, local=transaction)
                try:
                    yield connection
                    if transaction:
                        await connection.commit()
                finally:
                    if self.single_session and not transaction:
                        await self._set_timeout(connection, self.settings.statement_timeout_s)

    @staticmethod
    async def _set_timeout(connection: AsyncConnection, seconds: float, *, local: bool = False) -> None:
        values = {"ms": str(int(seconds * 1000)), "local": local}
        await connection.execute(text("SELECT set_config('statement_timeout', :ms, :local)"), values)

    async def dedicated(self, name: str) -> Any:
        """Open asyncpg's own connection outside the pool; the caller closes it. ``name`` is its application_name."""
        with mapped("connect", self.where, self.settings):
            return await asyncpg.connect(**connect_arguments(self.settings, self.address, name=name))

    def pool(self) -> PoolInfo | None:
        """Return the pool's figures; None before ``open``."""
        if self._engine is None or not isinstance(self._engine.pool, AsyncAdaptedQueuePool):
            return None
        pool = self._engine.pool
        overflow = max(0, pool.overflow())
        return PoolInfo(pool.size(), pool.checkedout(), overflow, pool.size() + pool._max_overflow)

    async def view(self) -> DatabaseView:
        """Return the database as the pane shows it, from cheap catalogue paths; never raises the Database family."""
        from core.storage.catalogue import read_view

        return await read_view(self)

    async def health(self) -> tuple[HealthCheck, ...]:
        """Return the checks with their reasons; the first is the connection itself."""
        return (await self.view()).health

    def _make_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        url = URL.create("postgresql+asyncpg")
        single = self.single_session
        size = 1 if single else self.settings.pool_size
        engine = create_async_engine(
            url,
            connect_args=connect_arguments(self.settings, self.address),
            pool_size=size,
            max_overflow=0 if single else self.settings.max_overflow,
            pool_timeout=max(60.0, self.settings.pool_timeout_s) if single else self.settings.pool_timeout_s,
            pool_pre_ping=not single,
            hide_parameters=True,
        )
        self._watch_pids(engine)
        if single:
            return engine, engine
        arguments = connect_arguments(
            self.settings, self.address, name=f"{self.settings.application_name} maintenance", bounded=False
        )
        upkeep = create_async_engine(url, connect_args=arguments, poolclass=NullPool, hide_parameters=True)
        self._watch_pids(upkeep)
        return engine, upkeep

    def _watch_pids(self, engine: AsyncEngine) -> None:
        """Remember which of the server's processes are ours: the activity tells them from other consoles'."""

        def came(dbapi: Any, record: Any) -> None:
            record.info["pid"] = dbapi.driver_connection.get_server_pid()
            self.own_pids.add(record.info["pid"])

        def went(_: Any, record: Any) -> None:
            self.own_pids.discard(record.info.get("pid"))

        event.listen(engine.sync_engine, "connect", came)
        for name in ("close", "close_detached", "invalidate"):
            event.listen(engine.sync_engine, name, lambda *arguments: went(*arguments[:2]))
