"""Which revisions of the schema this program knows, and the refusal of a database that it does not understand."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.exceptions import ConfigurationError
from core.models import Capability, StorageMode

KNOWN = ("0001", "0002", "0003", "0004", "0005")  # in order; each has a module in migrations/versions
HEAD = KNOWN[-1]

_THERE = text("SELECT to_regclass('public.jumpwatch_schema') IS NOT NULL")
_AT = text("SELECT version_num FROM jumpwatch_schema")


async def revision_of(connection: AsyncConnection) -> str | None:
    """Return the revision that the database is at; None where it is not set up."""
    if not await connection.scalar(_THERE):
        return None
    found: str | None = await connection.scalar(_AT)
    return found


def refuse_newer(at: str | None, where: str) -> None:
    """Raise ConfigurationError for a revision that a newer program made; nothing may be written there by this one."""
    if at is None or at in KNOWN:
        return
    raise ConfigurationError(
        f"{where} was set up by a newer jumpwatch: its schema is at revision {at[:40]}, this program knows up to "
        f"{HEAD}; upgrade jumpwatch here, or name another database in JUMPWATCH_DATABASE_URL (nothing was changed)",
        error_code="DATABASE_NEWER",
        operation="open the database",
        details={"revision": at, "known": HEAD},
    )


def refuse_lost(capability: Capability, where: str) -> None:
    """Raise ConfigurationError where a database made for TimescaleDB has lost it; its mode never changes by itself."""
    if capability.mode is not StorageMode.TIMESCALEDB or capability.licence == "timescale":
        return
    if capability.extension_version is None:
        why = (
            "the extension is gone: install TimescaleDB on the server, add it to shared_preload_libraries, and restore "
            "the database from a backup where the extension was dropped"
        )
    elif capability.licence is None:
        why = (
            f"the server does not load TimescaleDB {capability.extension_version}: preload it again "
            "(shared_preload_libraries = 'timescaledb') and restart the server"
        )
    else:
        why = (
            f"TimescaleDB {capability.extension_version} now runs under its Apache licence, without compression and "
            "policies: set timescaledb.license = 'timescale' on the server (with the community packages) and reconnect"
        )
    raise ConfigurationError(
        f"{where} was set up for TimescaleDB, and {why}",
        error_code="DATABASE_UNSUPPORTED",
        operation="open the database",
    )
