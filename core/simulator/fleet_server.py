"""The demo fleet at work: its listeners, its outages, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from core.simulator.fleet import LOGIN, HostSpec
from core.simulator.keys import RunFolder
from core.simulator.local import LocalMachine
from core.simulator.service import HostServer, SimulatedHost
from core.simulator.tally import Tally
from core.simulator.wire import SLOW_EVERY_S

_ADDRESS = "127.0.0.1"
_TICK_S = 0.25
_DF_EVERY_S = 3.0
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr")


@dataclass(slots=True)
class _Door:
    """One port: the socket that keeps it ours and refuses, and the listener while there is one."""

    host: SimulatedHost
    key: asyncssh.SSHKey
    keeper: socket.socket
    port: int
    listener: asyncssh.SSHAcceptor | None = None


class FleetServer:
    """Serves the hosts until ``stop``; one port a host, or one for all with the host's name as the login."""

    def __init__(
        self,
        specs: list[HostSpec],
        *,
        state_dir: Path,
        single_port: bool = False,
        slow_every_s: float = SLOW_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._begin = clock()
        epoch = time.time()
        tally = Tally()
        self._hosts = {
            spec.name: SimulatedHost(spec, epoch, self._elapsed, tally, slow_every_s=slow_every_s) for spec in specs
        }
        self._single = single_port
        self._state_dir = state_dir
        self._folder: RunFolder | None = None
        self._keys: asyncssh.SSHAuthorizedKeys | None = None
        self._doors: list[_Door] = []

    def _elapsed(self) -> float:
        return self._clock() - self._begin

    async def start(self) -> dict[str, Any]:
        """Open every port and return the ready line: hosts, client_key, known_hosts."""
        folder = self._folder = await asyncio.to_thread(RunFolder.create, self._state_dir)
        key = folder.write_client_key()
        self._keys = asyncssh.import_authorized_keys(key.export_public_key("openssh").decode())
        await self._refresh()
        hosts = list(self._hosts.values())
        for host in hosts[:1] if self._single else hosts:
            door = _open_door(host)
            self._doors.append(door)
            await self._listen(door)
        folder.write_known_hosts((_ADDRESS, door.port, door.key) for door in self._doors)
        return {
            "hosts": [self._line(number, host.spec) for number, host in enumerate(hosts)],
            "client_key": str(folder.client_key),
            "known_hosts": str(folder.known_hosts),
        }

    def _line(self, number: int, spec: HostSpec) -> dict[str, Any]:
        return {
            "name": spec.name,
            "address": _ADDRESS,
            "port": self._doors[0 if self._single else number].port,
            "user": spec.name if self._single else LOGIN,
            "tags": list(spec.tags),
            "groups": list(spec.groups),
        }

    async def run(self, stopped: asyncio.Event) -> None:
        """Tell the outages and read this machine's disks until ``stopped`` is set."""
        refreshed = time.monotonic()
        refresh: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as tasks:
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), _TICK_S)
                for door in self._doors:
                    if door.host.spec.drops or self._single or door.host.away or door.listener is None:
                        await self._tell_outage(door)
                if time.monotonic() - refreshed > _DF_EVERY_S and (refresh is None or refresh.done()):
                    refreshed = time.monotonic()
                    refresh = tasks.create_task(self._refresh())

    async def stop(self) -> None:
        """Remove the keys, then close every port and connection."""
        if self._folder is not None:
            await asyncio.to_thread(self._folder.remove)
        for door in self._doors:
            self._close(door)
            door.keeper.close()
        for host in self._hosts.values():
            host.drop()

    async def _tell_outage(self, door: _Door) -> None:
        if self._single:
            if door.host.away:
                door.host.drop()
        elif door.host.away and door.listener is not None:
            self._close(door)
            door.host.drop()
        elif not door.host.away and door.listener is None:
            await self._listen(door)

    @staticmethod
    def _close(door: _Door) -> None:
        if door.listener is not None:
            door.listener.close()
            door.listener = None

    async def _refresh(self) -> None:
        """Read the filesystems of this machine anew."""
        for host in self._hosts.values():
            if isinstance(host.kernel, LocalMachine):
                await asyncio.to_thread(host.kernel.refresh)

    async def _listen(self, door: _Door) -> None:
        keys = self._keys
        assert keys is not None
        only = None if self._single else door.host
        door.listener = await asyncssh.listen(
            sock=_bound(door.port),
            server_factory=lambda: HostServer(self._hosts, only, keys),
            server_host_keys=[door.key],
            encoding=None,
            encryption_algs=_CIPHERS,
            compression_algs=["none"],
            config=None,
            authorized_client_keys=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            gss_kex=False,
            gss_auth=False,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=10,
            keepalive_interval=0,
            server_version="jumpwatch-simulator",
            backlog=512,
        )


def _bound(port: int) -> socket.socket:
    """Return a socket on that loopback port (0: a free one); our own sockets may share it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_ADDRESS, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _open_door(host: SimulatedHost) -> _Door:
    # The keeper never listens: it holds the port while the host is away, and the kernel refuses connections to it.
    keeper = _bound(0)
    key = asyncssh.generate_private_key("ssh-ed25519")
    return _Door(host, key, keeper, int(keeper.getsockname()[1]))
