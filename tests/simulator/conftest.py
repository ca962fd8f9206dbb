"""A running demo fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.events import EventBus
from core.models import Host
from core.simulator.process import SimulatorProcess
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from tests.hostwork.bench import Bench
from tests.hostwork.conftest import KeptSessions


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[list[Host]]:
    simulator = SimulatorProcess()
    try:
        yield await simulator.start(tmp_path / "state")
    finally:
        await simulator.stop()


@pytest_asyncio.fixture
async def bench(fleet: list[Host], tmp_path: Path) -> AsyncIterator[Bench]:
    """The program's own hands on the demo's hosts, over real SSH."""
    factory = AsyncSSHFactory(
        SSHSettings(config_file=tmp_path / "none"), HostKeyReviews(tmp_path / "known"), loop_calls(1 << 18)
    )
    reach = KeptSessions(factory, fleet)
    async with EventBus() as bus:
        yield Bench(bus, reach)
    await reach.close()
