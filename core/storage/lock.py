"""One poller a database: an advisory lock on a session of its own decides, and the server frees it with the session."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.exceptions import InfrastructureException
from core.storage.engine import Database
from core.storage.errors import DRIVER_ERRORS, mapped

_CLASS, _OBJECT = 0x6A77, 1  # "jw": the pair names our lock within the database
_PING_S = 3.0
# The server notices a holder whose machine died without a word within half a minute.
_KEEPALIVE = (
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), \
set_config('tcp_keepalives_count', '3', false), set_config('idle_session_timeout', '0', false)"
)
_HOLDER = """
SELECT a.application_name AS name, a.client_addr::text AS address, a.backend_start AS since
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = $1 AND l.objid = $2 AND l.granted LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who polls: "jumpwatch poller anna@jump1:4711", where from, since when."""

    name: str
    address: str | None
    since: datetime | None


class PollerLock:
    """Ask with ``acquire`` (a viewer every few seconds); the poller asks ``held`` and stops storing when it is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._held = False
        self._busy = asyncio.Lock()

    async def acquire(self) -> bool:
        """Try to become the poller; False where another one is. Raises the Database family where nobody can tell."""
        if self._database.single_session:
            self._held = True  # its folder is locked by us: nobody else can be there
            return True
        async with self._busy:
            if self._held and await self._alive():
                return True
            self._held = False
            with mapped("ask for the poller's lock", self._database.where):
                connection = await self._session()
                async with asyncio.timeout(_PING_S):
                    self._held = bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _CLASS, _OBJECT))
            return self._held

    async def held(self) -> bool:
        """Say whether we still hold the lock: the session is asked, within 3 s; a lost one is never assumed."""
        if self._database.single_session:
            return self._held
        async with self._busy:
            self._held = self._held and await self._alive()
            return self._held

    async def holder(self) -> Holder | None:
        """Return who holds the lock, for the status line; None where nobody does or it cannot be seen."""
        if self._database.single_session:
            return None
        async with self._busy:
            with mapped("look who polls", self._database.where):
                connection = await self._session()
                async with asyncio.timeout(_PING_S):
                    row = await connection.fetchrow(_HOLDER, _CLASS, _OBJECT)
        return Holder(row["name"] or "somebody", row["address"], row["since"]) if row else None

    async def release(self) -> None:
        """Give the lock back by ending the session; at most 2 s, then it is cut."""
        self._held = False
        async with self._busy:
            await self._drop()

    async def _session(self) -> Any:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        who = f"jumpwatch poller {_user()}@{socket.gethostname()}:{os.getpid()}"
        self._connection = await self._database.dedicated(who)
        await self._connection.execute(_KEEPALIVE)
        return self._connection

    async def _alive(self) -> bool:
        connection = self._connection
        if connection is None or connection.is_closed():
            return False
        try:
            with mapped("keep the poller's lock", self._database.where):
                async with asyncio.timeout(_PING_S):
                    await connection.fetchval("SELECT 1")
        except InfrastructureException:
            await self._drop()
            return False
        return True

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await connection.close(timeout=2)
        except (TimeoutError, OSError, *DRIVER_ERRORS):
            connection.terminate()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such account in this container
        return str(os.getuid())
