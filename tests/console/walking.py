"""Walking the console by keys without a wait by the clock: each press ends when nothing is left to be done."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any
from unittest import mock

from rich.style import Style
from textual import events
from textual._compositor import Compositor
from textual.binding import ActiveBinding
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import WorkerState

from console.app import JumpwatchApp
from console.panes.database import DatabasePane
from console.panes.fleet import FleetPane
from console.panes.host import HostPane
from console.panes.items import ItemsPane
from console.panes.listpane import ListPane
from console.screens.keys import live_bindings
from console.screens.logs import LogScreen
from console.services import ConsoleServices
from console.widgets.linelist import LineList
from tests.console.fake_services import FakeServices, make_changes, make_log
from tests.console.frozen import standing_still

ENDLESS = frozenset(["follow_logs"])  # workers that live as long as their screen
LIMIT_S = 60.0  # a press that is not done by then hangs
Cells = list[list[tuple[str, Style]]]


class Recorded(FakeServices):
    """The fake services, with a note of every call of the port; whatever the port gains is recorded too."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"moving": False, **more})
        self.apply_s = 0.0
        self.changes, self.log_records = make_changes(self.names), make_log()
        self.calls: list[str] = []
        for name in dir(ConsoleServices):
            if not name.startswith("_") and name != "start" and callable(ours := getattr(self, name, None)):
                setattr(self, name, self._noting(name, ours))

    def stock(self) -> None:
        """Remember what waits and what is allowed now, for ``restock``."""
        self._stock = {name: getattr(self, name) for name in ("reviews", "secrets", "read_only", "notices", "paused")}

    def restock(self) -> None:
        """Put back what was answered, rejected or unlocked meanwhile."""
        changed = {name: value for name, value in self._stock.items() if getattr(self, name) != value}
        if changed:
            vars(self).update(changed)
            self.read_only_until = None
            self.push()

    def _noting(self, name: str, ours: Any) -> Any:
        @wraps(ours)
        def noted(*args: Any, **more: Any) -> Any:
            self.calls.append(name)
            return ours(*args, **more)

        return noted


@contextmanager
def a_home_of_its_own(no_colour: bool = False) -> Iterator[None]:
    """Keep the program away from this account's settings, and let the clock stand still."""
    with tempfile.TemporaryDirectory(prefix="jw-walk-") as home:
        folders = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
        more = {"NO_COLOR": "1"} if no_colour else {}
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORFGBG")}
        more["TZ"] = "CET-1"  # one hour east all the year, so that local time is told from UTC
        with mock.patch.dict(os.environ, {**kept, "HOME": home, **folders, **more}, clear=True), standing_still():
            time.tzset()
            before = Path.cwd()
            os.chdir(home)  # what is exported lies there
            try:
                yield
            finally:
                os.chdir(before)
                os.environ.pop("TZ")
        time.tzset()


class Walked(JumpwatchApp):
    """The console with covers that let nothing shine through: that costs most of the time, and shows nothing."""

    CSS = "ModalScreen { background: $background !important; }"


class Walk:
    """One console on fake services, walked by keys."""

    def __init__(self, app: JumpwatchApp, pilot: Pilot[None], services: Recorded) -> None:
        self.app, self.pilot, self.services = app, pilot, services
        self.pressed: list[str] = []
        self.left = 0  # how often the program would have ended: it is walked on

    def _exit(self, *_args: object, **_more: object) -> None:
        self.left += 1
        self.app._stopped = False

    # Pressing.
    def send(self, key: str) -> None:
        """Hand the key over as the terminal would; nobody waits for what it does."""
        if len(key) == 1 and not key.isalnum():
            key = _character_to_key(key)
        original = REPLACED_KEYS.get(key, key)
        try:
            char: str | None = unicodedata.lookup(_get_unicode_name_from_key(original))
        except KeyError:
            char = key if len(key) == 1 else None
        event = events.Key(key, char)
        event.set_sender(self.app)
        self.pressed.append(key)
        self.app.post_message(event)

    async def press(self, *keys: str) -> None:
        """Press the keys one after the other, each when the one before is done."""
        for key in keys:
            self.send(key)
            await self.settle()

    async def settle(self) -> None:
        """Return when no message, no callback, no worker and no drawing is left; a hang is a TimeoutError."""
        async with asyncio.timeout(LIMIT_S):
            while self.running:
                await self._idle()
                if not self.running or (self._quiet() and not self._looked()):
                    return
                self.app.screen._on_timer_update()  # what a timer would do within a sixtieth of a second
                if self._working():
                    await asyncio.sleep(0.002)

    async def _idle(self) -> None:
        """Return when the loop has nothing that could run at once."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready:
            await asyncio.sleep(0)

    @property
    def running(self) -> bool:
        """False once the program has been left or has failed."""
        return self.app._running and not self.app._exit and self.app._exception is None

    def _quiet(self) -> bool:
        screen = self.app.screen
        if screen._layout_required or screen._scroll_required or screen._repaint_required or screen._dirty_widgets:
            return False
        if screen._callbacks or self._working():
            return False
        pumps: list[MessagePump] = [self.app, *self.app.screen_stack, *screen.walk_children()]
        return all(p._message_queue.empty() and not p._next_callbacks for p in pumps)

    def _looked(self) -> bool:
        """Whether the log on top had lines to be taken: else its own clock would take them, later."""
        screen = self.app.screen
        new = isinstance(screen, LogScreen) and screen.feed.version != screen._seen
        if new:
            screen._look()
        return new

    def _working(self) -> bool:
        busy = (WorkerState.PENDING, WorkerState.RUNNING)
        return any(w.state in busy and w.name not in ENDLESS for w in self.app.workers)

    # Places.
    @property
    def screen(self) -> Screen[Any]:
        """The screen on top."""
        return self.app.screen

    async def home(self) -> None:
        """Go back to the main screen by escape, as a person does."""
        for _ in range(6):
            if self.app.screen is self.app.main:
                return
            await self.press("escape")
        raise AssertionError(f"six escapes do not leave {self.app.screen!r} after {self.pressed[-12:]}")

    async def afresh(self, name: str) -> None:
        """Have that pane choose and sort as at the start, so that the same keys lead to the same screens."""
        if not (found := self.app.main.query(f"#{name}")):
            return  # it was not shown yet
        pane = found.first()
        while isinstance(pane, ListPane) and pane.close_inner():
            await self.settle()
        if isinstance(pane, ItemsPane):
            pane._cursors.clear()
            pane._show(0)
        elif isinstance(pane, FleetPane):
            pane._order.order, pane._order.backwards = "severity", False
            pane._order._kept.forget()
            pane._resort()
        elif isinstance(pane, HostPane):
            pane.host, pane.zoom, pane.order = next(iter(self.services.names), ""), None, ()
            pane._draw()
        elif isinstance(pane, DatabasePane):
            pane.section = "tables"
            pane._show_section(focus=pane.display)
        for rows in pane.query(LineList):
            if rows.cursor > 0:
                rows.action_edge(0)
        await self.settle()

    async def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(*size)
        await self.settle()

    # Looking.
    def live(self) -> list[ActiveBinding]:
        """What the help lists at this moment."""
        return live_bindings(self.app.screen)

    def cells(self) -> Cells:
        """The screen on top as runs of text and style, a list a row."""
        screen = self.app.screen
        screen._compositor_refresh()
        rows: Cells = []
        for strip in screen._compositor.render_strips():
            row: list[tuple[str, Style]] = []
            for text, style, _control in strip:
                style = plain(style)
                if row and row[-1][1] == style:
                    row[-1] = (row[-1][0] + text, style)
                elif text:
                    row.append((text, style))
            rows.append(row)
        return rows

    def text(self) -> list[str]:
        """The screen on top as text, a line a row, each of the full width."""
        return ["".join(text for text, _style in row) for row in self.cells()]


@lru_cache(maxsize=4096)
def plain(style: Style | None) -> Style:
    """The style without links and meta data, which nobody sees."""
    if style is None:
        return Style()
    return Style(
        color=style.color, bgcolor=style.bgcolor, bold=style.bold or None, dim=style.dim or None,
        italic=style.italic or None, underline=style.underline or None, reverse=style.reverse or None,
        strike=style.strike or None,
    )  # fmt: skip


@contextmanager
def unpainted() -> Iterator[None]:
    """Let nothing be painted between two looks: nobody sees it, and it takes most of the time."""

    def render(compositor: Compositor, **_options: object) -> None:
        compositor._dirty_regions.clear()

    names = ("render_full_update", "render_partial_update")
    with mock.patch.multiple(Compositor, **dict.fromkeys(names, render)):
        yield


@asynccontextmanager
async def walking(
    size: tuple[int, int] = (80, 24), services: Recorded | None = None, *, no_colour: bool = False
) -> AsyncIterator[Walk]:
    """Run the console on fake services with a clock that stands still, from its first view on."""
    with unpainted(), a_home_of_its_own(no_colour), mock.patch.object(Input, "cursor_blink", False):
        services = services or Recorded()
        app = Walked(services)
        async with app.run_test(size=size, notifications=True) as pilot:
            walk = Walk(app, pilot, services)
            with mock.patch.object(app, "exit", walk._exit):
                yield await _begun(walk)


async def _begun(walk: Walk) -> Walk:
    """Wait for the first view."""
    services = walk.services
    async with asyncio.timeout(LIMIT_S):
        while services._post is None or bool(services.view.hosts) != bool(services.names):
            await walk.pilot.pause(0.01)
    services.stock()
    await walk.settle()
    await walk.home()
    return walk
