"""Make the pictures of the README from the running demo: ``python screenshots/make.py``."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import cairosvg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from textual.pilot import Pilot

from console.app import JumpwatchApp
from console.composition.services import LiveServices
from console.screens.tabs import TABS
from core.config import load_settings
from core.models import FleetView, HostState

HERE = Path(__file__).resolve().parent
SIZE = (120, 40)
_LIMIT_S = 180.0
_SCALE = 10 / 12.2  # a cell is 12.2 wide: ten whole pixels, for letters are put on whole ones
# The picture must not fetch a font from elsewhere: whoever looks at it has a monospace font.
_WEB_FONT = re.compile(r"@font-face\s*\{[^}]*\}", re.DOTALL)


async def shoot(pilot: Pilot[int], name: str) -> None:
    """Save the screen as SVG and PNG."""
    await pilot.pause(0.5)
    svg = _WEB_FONT.sub("", pilot.app.export_screenshot(title="jumpwatch demo")).replace("Fira Code", "monospace")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(HERE / f"{name}.png"), scale=_SCALE)
    print(name)


async def until(services: LiveServices, true: Callable[[FleetView], bool], what: str) -> None:
    """Wait for the demo to get somewhere."""
    async with asyncio.timeout(_LIMIT_S):
        while not true(services.view):  # noqa: ASYNC110 - a script that watches a screen
            await asyncio.sleep(0.5)
    print("seen:", what)


async def main() -> None:
    """Walk the demo with the keys a user has."""
    services = LiveServices(load_settings, demo=True)
    app = JumpwatchApp(services)
    async with app.run_test(size=SIZE) as pilot:
        await until(
            services, lambda v: len(v.hosts) > 1 and all(h.state is not HostState.UNKNOWN for h in v.hosts), "the fleet"
        )
        await until(services, lambda v: (v.database.ratio or 0) > 2, "compressed chunks")
        await until(services, lambda v: any("compressed by the demo" in e.text for e in v.events), "the whole history")
        await until(services, lambda v: any(h.state is HostState.OFFLINE for h in v.hosts), "a host that dropped off")
        ways = {"host": ("1", "enter")}  # the host under the cursor of the fleet; each other pane by its own key
        steps = [(tab.name, ways.get(tab.name, (tab.key,))) for tab in TABS]
        drawer = ("5", "w", "y", "tab", "j", "C")
        replay = ("escape", "3", "g", "enter", "left_square_bracket", "Z", "Z")  # the day before the disk that fills
        for name, keys in (*steps, ("drawer", drawer), ("replay", replay)):
            await pilot.press(*keys)
            await pilot.pause(2.5)
            await shoot(pilot, name)
        await pilot.press("backslash", "ctrl+q")


if __name__ == "__main__":
    asyncio.run(main())
