"""A real sshd with the programs that actions meet, played by small scripts in a folder that leads the PATH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.exceptions import ResourceNotFoundError
from core.models import Host
from core.ports import HostSession
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from tests.ssh.conftest import keys, make_factory
from tests.ssh.sshd import RealSshd, running

__all__ = ["keys", "make_factory"]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """The folder of played programs; it comes first on the host's PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in (
        "systemctl",
        "reboot",
        "shutdown",
        "poweroff",
        "halt",
        "init",
        "docker",
        "podman",
        "sudo",
        "journalctl",
    ):
        play(folder, name, "exit 97")  # a test's sshd runs on this very machine: none of these may be the real one
    return folder


@pytest.fixture
def sshd(tmp_path: Path, tools: Path) -> Iterator[RealSshd]:
    config = [f"SetEnv PATH={tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              "Subsystem sftp internal-sftp"]  # fmt: skip
    with running(tmp_path / "sshd", config=config) as server:
        yield server


def play(tools: Path, name: str, text: str) -> None:
    """Put a program of that name onto the host's PATH."""
    path = tools / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class KeptSessions:
    """Port HostReach over the real factory: one connection a server, kept as a poller keeps it."""

    def __init__(self, factory: AsyncSSHFactory, hosts: Sequence[Host]) -> None:
        self._factory, self._hosts = factory, {host.name: host for host in hosts}
        self._turn = asyncio.Lock()
        self._kept: dict[int | None, HostSession] = {}

    def host(self, name: str) -> Host:
        if name not in self._hosts:
            raise ResourceNotFoundError(f"no host {name!r}")
        return self._hosts[name]

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[HostSession]:
        host = self.host(name)
        async with self._turn:  # a look at many hosts asks for all of them at once
            if host.port not in self._kept:
                self._kept[host.port] = await self._factory.connect(host)
        yield self._kept[host.port]

    async def close(self) -> None:
        for session in self._kept.values():
            await session.close()


MakeReach = Callable[..., KeptSessions]


@pytest.fixture
async def make_reach(
    sshd: RealSshd, make_factory: Callable[..., AsyncSSHFactory], keys: HostKeyReviews
) -> AsyncIterator[MakeReach]:
    """Make a reach over hosts of these names, all of them this one sshd."""
    made: list[KeptSessions] = []

    def make(*names: str, **changes: object) -> KeptSessions:
        made.append(KeptSessions(make_factory(), [sshd.host(name, **changes) for name in names or ("real",)]))
        return made[-1]

    yield make
    for reach in made:
        await reach.close()
