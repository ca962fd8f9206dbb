"""Opens connections: one a host, few at a time, jump hosts shared, host keys checked on every hop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import asyncssh

from core.config import SSHSettings
from core.exceptions import SSHAuthenticationError, SSHHostKeyError, SSHTimeoutError
from core.models import Host, Reason
from core.ssh import sshfp
from core.ssh.client import HandshakeClient, Stage
from core.ssh.error_mapping import connection_error, map_error, printable, timeout_error
from core.ssh.gather import Gather
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.jumps import Jump, JumpHosts
from core.ssh.known_hosts import Trust, pattern
from core.ssh.login import Login
from core.ssh.options import Resolved, Sources, Target, algorithms, allowed_authorities, resolve, too_weak
from core.ssh.proxy import ProxyCommand, start_proxy
from core.ssh.secrets import Secrets
from core.ssh.session import AsyncSSHSession
from core.ssh.stream import LoopMaker

HEARTBEAT_S = 5.0
_PER_SERVER = 6  # logins under way; sshd begins to drop them at ten by default (MaxStartups), and others log in too
_KNOCK_S = 3.0


class AsyncSSHFactory:
    """Implements core.ports.SessionFactory over asyncssh."""

    def __init__(
        self,
        settings: SSHSettings,
        keys: HostKeyReviews,
        loops: LoopMaker,
        *,
        secrets: Secrets | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._settings, self._keys = settings, keys
        self._secrets = secrets or Secrets()
        self._sources = Sources(keys=self._secrets.files)
        self._loops, self._heartbeat_s = loops, heartbeat_s
        self._limit = asyncio.Semaphore(settings.connect_limit)
        # Hosts that did not answer last time hold a place for the whole timeout: half of all are left to the others.
        self._silent: set[str] = set()
        self._doubtful = asyncio.Semaphore(max(1, settings.connect_limit // 2))
        self._places: dict[str, tuple[str, int]] = {}  # of hosts that are reached without a detour
        self._gates: dict[tuple[str, int | None], asyncio.Semaphore] = {}
        self._jumps = JumpHosts(
            self._resolve, self._open, limit_s=settings.connect_timeout_s + settings.login_timeout_s
        )
        self._gather = Gather()

    async def connect(self, host: Host) -> AsyncSSHSession:
        """Connect and log in; raises the SSH family or ConfigurationError, SSHHostKeyError after queueing the key."""
        settings = self._settings
        target = Target.of(host, config=settings.config_file, default_user=settings.user)
        async with self._turn(host.name, target):
            resolved = await self._resolve(target, host.name)
            if not resolved.jumps and not resolved.config.proxy:
                self._places[host.name] = resolved.host, resolved.port
            jump = await self._jumps.take(resolved, host.name)
            try:
                connection = await self._open(resolved, host.name, jump)
            except BaseException:
                await self._jumps.release(jump)
                raise
        return AsyncSSHSession(
            connection,
            host=host.name,
            place=pattern(resolved.host, resolved.port),
            heartbeat_s=self._heartbeat_s,
            loops=self._loops,
            gather=self._gather,
            first_frame_s=settings.login_timeout_s,
            keepalive_s=settings.keepalive_interval_s,
            release=partial(self._jumps.release, jump),
        )

    async def answers(self, host: Host) -> bool:
        """Knock: whether the port of a host takes a connection; False where it is reached by a detour."""
        place = self._places.get(host.name)
        if place is None:
            return False
        try:
            async with asyncio.timeout(_KNOCK_S):
                _, writer = await asyncio.open_connection(*place)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    @contextlib.asynccontextmanager
    async def _turn(self, name: str, target: Target) -> AsyncIterator[None]:
        """Wait for a place among those that connect, and note who does not answer."""
        gate = self._gates.setdefault((target.name, target.port), asyncio.Semaphore(_PER_SERVER))
        doubtful = self._doubtful if name in self._silent else contextlib.nullcontext()
        async with gate, doubtful, self._limit:
            try:
                yield
            except SSHTimeoutError:
                self._silent.add(name)
                raise
            self._silent.discard(name)

    async def _resolve(self, target: Target, hostname: str) -> Resolved:
        try:
            return await asyncio.to_thread(
                resolve, target, keepalive_s=self._settings.keepalive_interval_s, sources=self._sources
            )
        except (ValueError, OSError, asyncssh.Error) as exc:
            raise map_error(exc, target.name, hostname=hostname, greeted=False) from None

    async def _open(self, resolved: Resolved, hostname: str, jump: Jump | None) -> asyncssh.SSHClientConnection:
        """Open one connection, directly or through a jump host; every error comes out as ours."""
        if (asked := self._secrets.waiting(hostname, resolved.place)) is not None:
            raise asked
        trust = await self._trust(resolved)
        login = await self._login(resolved)
        try:
            connection = await self._handshake(resolved, hostname, jump, trust, login)
            self._secrets.logged_in(resolved.place, login.began)
        finally:
            await login.close()
        if why := too_weak(resolved, connection):
            connection.abort()
            raise self._keys.unverifiable(hostname, resolved.key_name, resolved.port, why)
        return connection

    async def _trust(self, resolved: Resolved) -> Trust:
        trust = await self._keys.trust(resolved.key_name, resolved.key_port, resolved.known_hosts)
        return replace(
            trust, authorities=allowed_authorities(resolved, trust), revoked=(*trust.revoked, *resolved.revoked)
        )

    async def _login(self, resolved: Resolved) -> Login:
        for file in resolved.identities.files:
            if file.locked and await self._secrets.unlock_from_keyring(file.path):
                resolved = await self._resolve(resolved.target, resolved.target.name)
        config = resolved.config
        return Login(
            resolved.place,
            resolved.identities,
            self._secrets,
            asks=not config.yes("batchmode", default=False),
            password=config.yes("passwordauthentication", default=True),
            interactive=config.yes("kbdinteractiveauthentication", default=True),
        )

    async def _handshake(
        self, resolved: Resolved, hostname: str, jump: Jump | None, trust: Trust, login: Login
    ) -> asyncssh.SSHClientConnection:
        settings = self._settings
        place = pattern(resolved.host, resolved.port)
        loop = asyncio.get_running_loop()
        waited = settings.connect_timeout_s
        timer = asyncio.timeout(waited)

        def connected() -> None:
            nonlocal waited
            waited = settings.login_timeout_s
            timer.reschedule(loop.time() + waited)

        proxy = await self._proxy(resolved, hostname)
        client = HandshakeClient(connected, login, proxy)
        through = {"tunnel": jump.connection if jump is not None else None}
        try:
            async with timer:
                return await asyncssh.connect(
                    resolved.host,
                    options=resolved.options,
                    **(through if proxy is None else {"sock": proxy.sock}),
                    client_factory=lambda: client,
                    known_hosts=trust.as_asyncssh(),
                    connect_timeout=None,
                    login_timeout=0,
                    **algorithms(resolved, trust),
                )
        except TimeoutError as exc:
            if not timer.expired():  # the system's own ETIMEDOUT
                raise map_error(exc, place, hostname=hostname, greeted=False) from None
            raise timeout_error(client.timeout_reason, place, waited, hostname=hostname) from None
        except (asyncssh.Error, OSError, ValueError) as exc:
            if client.refused_key is not None:
                raise await self._refusal(resolved, hostname, client.refused_key, trust) from None
            if isinstance(exc, asyncssh.HostKeyNotVerifiable):
                why = printable(str(exc.reason).encode(), 160)
                raise self._keys.unverifiable(hostname, resolved.key_name, resolved.port, why) from None
            if proxy is not None and client.stage is not Stage.GREETED:
                detail = f"its ProxyCommand says: {proxy.said}" if proxy.said else "its ProxyCommand ended"
                raise connection_error(Reason.ROUTE, place, hostname=hostname, detail=detail) from None
            error = map_error(exc, place, hostname=hostname, greeted=client.stage is Stage.GREETED)
            raise self._asking(error, login, place, hostname) from None
        except BaseException:
            if proxy is not None:
                proxy.close()
            raise

    async def _refusal(self, resolved: Resolved, hostname: str, key: asyncssh.SSHKey, trust: Trust) -> SSHHostKeyError:
        config = resolved.config
        asked = config.text("verifyhostkeydns") in ("yes", "ask")
        return self._keys.refuse(
            hostname,
            resolved.key_name,
            resolved.key_port,
            key,
            trust,
            resolved.known_hosts,
            hashed=config.yes("hashknownhosts", default=False),
            dns=await sshfp.hint(resolved.host, key) if asked else "",
        )

    async def _proxy(self, resolved: Resolved, hostname: str) -> ProxyCommand | None:
        if not resolved.config.proxy:
            return None
        try:
            return await start_proxy(resolved.config.proxy)
        except OSError as exc:
            raise map_error(exc, resolved.host, hostname=hostname, greeted=False) from None

    def _asking(self, error: Exception, login: Login, place: str, hostname: str) -> Exception:
        """Where the login failed for want of a secret, queue the question; else the error as it is."""
        if not isinstance(error, SSHAuthenticationError):
            return error
        if login.expired:
            return connection_error(
                Reason.LOGIN, place, hostname=hostname, detail="the password has expired; change it by hand"
            )
        wanted = login.denied()
        locked = tuple(file.path for file in login.locked) if login.asks else ()
        if wanted or locked:
            return self._secrets.ask(hostname, wanted, locked)
        if login.stopped_between:
            detail = "a first step was taken, and there is nothing to offer for the next one that the host wants"
            return connection_error(Reason.LOGIN, place, hostname=hostname, detail=detail)
        return error
