"""A real sshd with the programs that actions meet, played by small scripts in a folder that leads the PATH."""

from __future__ import annotations

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


class NewSessions:
    """Port HostReach over the real factory: a connection for each session, or one that is kept for all."""

    def __init__(self, factory: AsyncSSHFactory, hosts: Sequence[Host]) -> None:
        self._factory, self._hosts = factory, {host.name: host for host in hosts}

    def host(self, name: str) -> Host:
        if name not in self._hosts:
            raise ResourceNotFoundError(f"no host {name!r}")
        return self._hosts[name]

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[HostSession]:
        session = await self._factory.connect(self.host(name))
        try:
            yield session
        finally:
            await session.close()


MakeReach = Callable[..., NewSessions]


@pytest.fixture
def make_reach(sshd: RealSshd, make_factory: Callable[..., AsyncSSHFactory], keys: HostKeyReviews) -> MakeReach:
    """Make a reach over hosts of these names, all of them this one sshd."""

    def make(*names: str, **changes: object) -> NewSessions:
        return NewSessions(make_factory(), [sshd.host(name, **changes) for name in names or ("real",)])

    return make
