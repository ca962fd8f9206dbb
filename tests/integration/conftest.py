"""The whole program on a home of its own, driven by keys."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import JumpwatchApp
from console.composition.services import LiveServices
from core.config import load_settings
from core.inventory import Inventory
from core.models import FleetView, Host
from tests.ssh.sshd import RealSshd, need_sshd


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and no settings from outside."""
    for name in [n for n in os.environ if n.startswith(("JUMPWATCH_", "XDG_"))]:
        if name != "JUMPWATCH_TEST_REQUIRE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[RealSshd]:
    need_sshd()
    server = RealSshd(tmp_path / "sshd").start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def inventory(home: Path, sshd: RealSshd, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three hosts: a real one, a port where nobody listens, a port that answers with something else than SSH."""
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "1")
    monkeypatch.setenv("JUMPWATCH_SSH_CONNECT_TIMEOUT_S", "2")
    path = home / ".config" / "jumpwatch" / "hosts.toml"
    with Inventory.edit(path) as hosts:
        hosts.add(Host("real", "127.0.0.1", sshd.port, sshd.user, identity_files=(str(sshd.login_key),)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            hosts.add(Host("closed", "127.0.0.1", free.getsockname()[1]))
        hosts.save()
    return path


class Walk:
    """The running console with a person at it."""

    def __init__(self, pilot: Pilot[int], services: LiveServices) -> None:
        self.pilot, self.services, self.app = pilot, services, pilot.app

    @property
    def view(self) -> FleetView:
        return self.services.view

    async def until(self, true: Callable[[FleetView], object], seconds: float = 90.0) -> None:
        """Wait until the program's own view says so."""
        try:
            async with asyncio.timeout(seconds):
                while not true(self.view):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            lines = "; ".join(self.services.startup_lines)
            hosts = [(h.host.name, h.state.value, h.detail) for h in self.view.hosts]
            pytest.fail(f"not within {seconds} s: {lines} {self.view.database} {self.view.notices} {hosts}")

    async def shown(self, text: str, seconds: float = 60.0) -> str:
        """Wait until the screen shows the text; return the whole screen."""
        screen = ""
        try:
            async with asyncio.timeout(seconds):
                while text not in (screen := self.screen()):
                    await self.pilot.pause(0.05)
        except TimeoutError:
            pytest.fail(f"{text!r} is not on the screen:\n{screen}")
        return screen

    def screen(self) -> str:
        """What the terminal shows now, as text."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in lines)

    async def type(self, text: str) -> None:
        """Type a text key by key."""
        await self.pilot.press(*text)


@asynccontextmanager
async def console(*, demo: bool = False, size: tuple[int, int] = (160, 50)) -> AsyncIterator[Walk]:
    """Run the real program headless; what it started is stopped at the end."""
    services = LiveServices(load_settings, demo=demo)
    app = JumpwatchApp(services)
    async with app.run_test(size=size) as pilot:
        try:
            yield Walk(pilot, services)
        finally:
            await services.stop()
