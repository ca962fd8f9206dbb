"""The client's side of one handshake: how far it came, and the key that was not trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import asyncssh

from core.models import Reason
from core.ssh.login import Login
from core.ssh.proxy import ProxyCommand


class Stage(IntEnum):
    """How far a connection came; decides what a timeout means."""

    DIALLING = 0
    CONNECTED = 1
    GREETED = 2


class HandshakeClient(asyncssh.SSHClient):
    """Refuses every key that known_hosts does not hold, and keeps it for review."""

    def __init__(self, on_connected: Callable[[], None], login: Login, proxy: ProxyCommand | None = None) -> None:
        self._on_connected, self._proxy = on_connected, proxy
        self.login = login
        self._connection: asyncssh.SSHClientConnection | None = None
        self._stage = Stage.DIALLING
        self.refused_key: asyncssh.SSHKey | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection, self._stage = conn, Stage.CONNECTED
        self._on_connected()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage = self.stage  # what was reached outlives the connection
        self._connection = None
        if self._proxy is not None:
            self._proxy.close()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.refused_key = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return False

    # What the server asks at the login.

    async def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        self._watch_step()  # of the first key; the library asks for the others no more
        return await self.login.public_keys()

    async def password_auth_requested(self) -> str | None:
        self._watch_step()
        return await self.login.password_wanted()

    def password_change_requested(self, prompt: str, lang: str) -> Any:
        self.login.expired = True
        return NotImplemented

    async def kbdint_auth_requested(self) -> str | None:
        self._watch_step()
        return await self.login.interactive_wanted()

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        return await self.login.answers(name, instructions, prompts)

    def _watch_step(self) -> None:
        """Hear of a partial success: asyncssh tells it to the method's own handler alone."""
        handler = getattr(self._connection, "_auth", None)
        if handler is not None:
            handler.auth_succeeded = self.login.step_done

    @property
    def stage(self) -> Stage:
        """How far it came."""
        if self._connection is not None and self._connection.get_extra_info("server_version"):
            return Stage.GREETED
        return self._stage

    @property
    def timeout_reason(self) -> Reason:
        """What it means that time ran out now."""
        return (Reason.FILTERED, Reason.PROTOCOL, Reason.TIMEOUT)[self.stage]
