"""The hosts as actions reach them: the polling connection is lent, another is opened for the action and closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.composition.hostreach import Reach
from core.config import ApplicationSettings
from core.exceptions import InfrastructureException, ResourceNotFoundError
from core.ssh.pool import AsyncSSHFactory
from core.ssh.session import AsyncSSHSession
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd


async def test_a_kept_connection_is_lent_and_a_new_one_is_closed(
    sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path
) -> None:
    factory: AsyncSSHFactory = make_factory()
    host = sshd.host("real")
    kept: dict[str, AsyncSSHSession] = {}
    reach = Reach(lambda: [host], factory, kept.get, ApplicationSettings())
    async with reach.session("real") as session:
        assert (await session.run(["echo", "new"])).stdout == "new\n"
    with pytest.raises(InfrastructureException):
        await session.run(["true"])
    kept["real"] = await factory.connect(host)
    async with reach.session("real") as session:
        assert session is kept["real"]
    assert (await session.run(["echo", "still there"])).stdout == "still there\n"
    await kept["real"].close()
    with pytest.raises(ResourceNotFoundError):
        reach.host("other")
