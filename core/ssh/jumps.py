"""Connections to jump hosts: one for all that go through it, opened by the first and closed by the last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncssh

from core.exceptions import InfrastructureException
from core.models import Reason
from core.ssh.error_mapping import connection_error, timeout_error
from core.ssh.known_hosts import DEFAULT_PORT, pattern
from core.ssh.options import Resolved, Target

_CLOSE_WAIT_S = 2.0
_Chain = tuple[tuple[Target, ...], ...]


@dataclass(slots=True)
class Jump:
    """A connection to a jump host and how many connections run through it."""

    connection: asyncssh.SSHClientConnection | None = None
    attempt: asyncio.Future[InfrastructureException | None] | None = None
    users: int = 0
    through: Jump | None = None


class JumpHosts:
    """The jump hosts in use; ``resolve`` and ``open_connection`` are the factory's own."""

    def __init__(
        self,
        resolve: Callable[[Target, str], Awaitable[Resolved]],
        open_connection: Callable[[Resolved, str, Jump | None], Awaitable[asyncssh.SSHClientConnection]],
        *,
        limit_s: float,
    ) -> None:
        self._resolve, self._open_connection, self._limit_s = resolve, open_connection, limit_s
        self._jumps: dict[tuple[Target, ...], Jump] = {}

    async def take(self, resolved: Resolved, hostname: str) -> Jump | None:
        """Return the last hop before a host, None where there is none; to be given back by release().

        Raises SSHTimeoutError after ``limit_s`` seconds a hop, and the SSH family.
        """
        if not resolved.jumps:
            return None
        limit = self._limit_s * len(resolved.jumps)
        try:
            async with asyncio.timeout(limit):
                return await self._jump(resolved.jumps, hostname, ())
        except TimeoutError:
            place = pattern(resolved.jumps[-1].name, resolved.jumps[-1].port or DEFAULT_PORT)
            raise timeout_error(Reason.TIMEOUT, place, limit, hostname=hostname) from None

    async def release(self, jump: Jump | None) -> None:
        """Count one user less; the last one closes the connection to the jump host."""
        if jump is None:
            return
        jump.users -= 1
        if jump.users > 0:
            return
        for hops in [hops for hops, other in self._jumps.items() if other is jump]:
            del self._jumps[hops]
        if jump.connection is not None:
            jump.connection.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WAIT_S):
                    await jump.connection.wait_closed()
        await self.release(jump.through)

    async def _jump(self, hops: tuple[Target, ...], hostname: str, below: _Chain) -> Jump:
        """Return the shared connection to the last hop, opened if need be, and counted as in use.

        ``below`` are the hops that wait for this one.
        """
        if hops in below:
            raise connection_error(
                Reason.ROUTE, hops[-1].name, hostname=hostname, detail="ProxyJump leads round in a circle"
            )
        jump = self._jumps.setdefault(hops, Jump())
        jump.users += 1
        try:
            while jump.connection is None or jump.connection.is_closed():
                # One attempt serves all that wait: a dead jump host must not cost each of them its timeout in turn.
                if jump.attempt is None:
                    await self._attempt(jump, hops, hostname, below)
                elif (failure := await asyncio.shield(jump.attempt)) is not None:
                    raise failure
        except BaseException:
            await self.release(jump)
            raise
        return jump

    async def _attempt(self, jump: Jump, hops: tuple[Target, ...], hostname: str, below: _Chain) -> None:
        attempt = jump.attempt = asyncio.get_running_loop().create_future()
        failure: InfrastructureException | None = None
        try:
            await self._open_jump(jump, hops, hostname, below)
        except InfrastructureException as exc:
            failure = exc
            raise
        finally:  # cancelled: the next one in line tries
            jump.attempt = None
            attempt.set_result(failure)

    async def _open_jump(self, jump: Jump, hops: tuple[Target, ...], hostname: str, below: _Chain) -> None:
        resolved = await self._resolve(hops[-1], hostname)
        before = hops[:-1] or resolved.jumps
        through = await self._jump(before, hostname, (*below, hops)) if before else None
        try:
            connection = await self._open_connection(resolved, hostname, through)
        except BaseException:
            await self.release(through)
            raise
        old, jump.through, jump.connection = jump.through, through, connection
        await self.release(old)
