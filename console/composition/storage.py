"""The storage side: which server, opening it, preparing it, keeping it, for the console and for commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.database import Database, initialise
from core.events import EventBus
from core.exceptions import ConfigurationError, InfrastructureException
from core.inventory.keeper import InventoryFile
from core.operations import Gate, Operations
from core.storage.audit import StorageAudit
from core.storage.chunks import StorageChunks
from core.storage.servers import EmbeddedServer, WasmServer, wasm_missing
from core.storage.setup import check_set_up
from core.storage.upkeep import StorageUpkeep

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.ports import AlertKeeper, HostReach, InventoryKeeper
    from core.storage.servers import ManagedServer

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Storage:
    """An open database with what acts on it."""

    database: Database
    keeper: StorageChunks
    audit: StorageAudit
    operations: Operations


def storage_of(
    database: Database,
    settings: ApplicationSettings,
    bus: EventBus,
    gate: Gate,
    inventory: InventoryKeeper | None = None,
    alerts: AlertKeeper | None = None,
    reach: HostReach | None = None,
) -> Storage:
    """Join the parts that act on an open database."""
    keeper, audit = StorageChunks(database), StorageAudit(database)
    operations = Operations(
        keeper,
        audit,
        lambda: database.retention,
        bus,
        gate=gate,
        capability=lambda: database.capability,
        inventory=inventory or InventoryFile(settings.inventory_file),
        alerts=alerts,
        reach=reach,
        server=StorageUpkeep(database),
    )
    return Storage(database, keeper, audit, operations)


def embedded(settings: ApplicationSettings) -> EmbeddedServer:
    """The embedded server with its data in the user's data folder."""
    return EmbeddedServer(settings.data_dir / "postgres")


async def start_demo_server(
    settings: ApplicationSettings, folder: Path, progress: Progress, notice: Progress
) -> tuple[ManagedServer, Database]:
    """Start TimescaleDB in WebAssembly, or say why not and start the embedded PostgreSQL."""
    missing = await asyncio.to_thread(wasm_missing)
    if missing is None:
        wasm = WasmServer(folder / "wasm", settings.cache_dir / "wasm")
        try:
            address = await wasm.start(progress)
            return wasm, Database(settings.database, settings.retention, address)
        except InfrastructureException as exc:
            await wasm.stop()
            missing = exc.message
    notice(f"{missing} It runs on embedded PostgreSQL instead, without compression.")
    server = EmbeddedServer(folder / "postgres", throw_away=True)
    return server, Database(settings.database, settings.retention, await server.start(progress))


@asynccontextmanager
async def opened(settings: ApplicationSettings, progress: Progress) -> AsyncIterator[Storage]:
    """Open the configured database or the embedded one; close it, and stop what was started, at the end."""
    server = None if settings.database.configured else embedded(settings)
    address = await server.start(progress) if server else None
    try:
        database = Database(settings.database, settings.retention, address)
        await database.open()
        try:
            gate = Gate(read_only=False)  # a command says --apply --confirm NAME itself
            gate.forbid(database.capability.why_no_write if database.capability else "")
            async with EventBus() as bus:
                yield storage_of(database, settings, bus, gate)
        finally:
            await database.close()
    finally:
        if server:
            await server.stop()


async def prepare(database: Database, progress: Progress) -> None:
    """Migrate and set up hypertables, compression, rollups and retention; raises for the first step that failed.

    A role that may not do that takes the database as it is: ConfigurationError where it is not as this program wants.
    """
    if database.capability is not None and database.capability.why_no_upkeep:
        await check_set_up(database)
        return
    for step in await initialise(database, progress):
        if not step.ok:
            raise ConfigurationError(f"{step.step} {step.target}: {step.reason}", operation="db init")
