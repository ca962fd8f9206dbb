"""A running demo fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from core.models import Host
from core.simulator.process import SimulatorProcess


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[list[Host]]:
    simulator = SimulatorProcess()
    try:
        yield await simulator.start(tmp_path / "state")
    finally:
        await simulator.stop()
