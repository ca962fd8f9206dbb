"""The SSH side of the demo fleet: its hosts, and who may log in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import asyncssh
from asyncssh.constants import MSG_IGNORE

from core.simulator.channel import HostChannel
from core.simulator.commands import Kernel
from core.simulator.files import DemoFiles
from core.simulator.fleet import LOGIN, HostSpec
from core.simulator.local import LocalMachine
from core.simulator.machine import Machine
from core.simulator.story import is_away
from core.simulator.tally import Tally
from core.simulator.wire import SLOW_EVERY_S

_REBOOT_S = 20.0


class SimulatedHost:
    """One host of the fleet: its kernel, its connections, and whether it is on the network."""

    def __init__(
        self,
        spec: HostSpec,
        epoch: float,
        elapsed: Callable[[], float],
        tally: Tally | None = None,
        *,
        slow_every_s: float = SLOW_EVERY_S,
    ) -> None:
        self.spec = spec
        self.tally = tally or Tally()
        self.slow_every_s = slow_every_s
        self.kernel: Kernel = LocalMachine(spec) if spec.local else Machine(spec, epoch)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._elapsed = elapsed
        self._first_login: float | None = None
        self._back = 0.0  # when a reboot is over

    def logged_in(self) -> None:
        """Start the clock of its outages: none comes while a console still opens."""
        if self._first_login is None:
            self._first_login = self._elapsed()

    @property
    def away(self) -> bool:
        """It is off the network now."""
        if self._elapsed() < self._back:
            return True
        return self._first_login is not None and is_away(self.spec, self._elapsed() - self._first_login)

    def go_down(self) -> None:
        """Leave the network for as long as a reboot takes."""
        self._back = self._elapsed() + _REBOOT_S
        self.drop()

    def drop(self) -> None:
        """Cut all its connections, as a pulled cable would."""
        for connection in tuple(self.connections):
            connection.abort()

    @cached_property
    def files(self) -> DemoFiles:
        """What can be copied to and from it, once somebody asks."""
        return DemoFiles(self.spec.name)

    def now(self) -> Kernel:
        """Return the kernel, moved on to this moment."""
        self.kernel.advance(self._elapsed())
        return self.kernel


def _send(send: Callable[..., None], kind: int, *words: bytes, **options: Any) -> None:
    """Leave out the packets without meaning that asyncssh puts before each of its own: OpenSSH sends none."""
    if kind != MSG_IGNORE:
        send(kind, *words, **options)


class HostServer(asyncssh.SSHServer):
    """One connection: this run's client key, the right login, and nothing else."""

    def __init__(
        self, hosts: dict[str, SimulatedHost], only: SimulatedHost | None, keys: asyncssh.SSHAuthorizedKeys
    ) -> None:
        self._hosts = hosts
        self._host = only
        self._single = only is None
        self._keys = keys
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        setattr(conn, "send_packet", partial(_send, conn.send_packet))  # noqa: B010 - a method of the library's object
        if self._host is not None:
            self._host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._host is not None and self._connection is not None:
            self._host.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        if self._connection is None:
            return True
        if self._single and self._host is None:
            self._host = self._hosts.get(username)
            if self._host is not None:
                self._host.connections.add(self._connection)
        if self._host is not None and self._host.away:
            self._connection.abort()
        elif self._host is not None and (self._single or username == LOGIN):
            self._connection.set_authorized_keys(self._keys)
        return True

    def auth_completed(self) -> None:
        if self._host is not None:
            self._host.logged_in()

    def session_requested(self) -> HostChannel | bool:
        return HostChannel(self._host) if self._host is not None else False
