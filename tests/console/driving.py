"""How the tests drive the console: on fake services, by keys, reading the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from console.app import JumpwatchApp
from console.panes.fleet_table import FleetTable
from console.screens.drawer import Drawer
from tests.console.fake_services import FakeServices


@asynccontextmanager
async def running(
    services: FakeServices | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[JumpwatchApp, Pilot[None], FakeServices]]:
    """Run the console until its first view is drawn."""
    services = services or FakeServices(moving=False)
    app = JumpwatchApp(services)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bool(services.view.hosts) == bool(services.names) and services._post is not None)
        await pilot.pause()
        yield app, pilot, services


async def until(pilot: Pilot[Any], met: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until the condition is met."""
    async with asyncio.timeout(timeout_s):
        while not met():
            await pilot.pause(0.01)


def screen_text(app: JumpwatchApp) -> str:
    """Return the screen as plain text, a line a row."""
    app.screen._compositor_refresh()
    rows = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in rows)


async def type_text(pilot: Pilot[None], text: str) -> None:
    """Type the text into whatever has the keyboard."""
    box = pilot.app.focused
    assert isinstance(box, Input)
    box.insert_text_at_cursor(text)
    await pilot.pause()


def table(app: JumpwatchApp) -> FleetTable:
    """Return the fleet's table."""
    return app.main.query_one(FleetTable)


async def open_drawer(pilot: Pilot[None]) -> Drawer:
    """Ask for the compression of the third newest chunk and return the drawer."""
    await pilot.press("5")
    await pilot.pause()
    await pilot.press("left", "left", "C")
    await until(pilot, lambda: isinstance(pilot.app.screen, Drawer))
    await pilot.pause()
    drawer = pilot.app.screen
    assert isinstance(drawer, Drawer)
    return drawer
