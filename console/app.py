"""The Textual program: theme, start after the first paint, quitting within bounds."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.formatting import clean
from console.messages import ViewPosted
from console.outward import OutwardApp
from console.screens.base import Cover
from console.screens.main import MainScreen
from console.work import work
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from console.terminal import Terminal
    from core.models import FleetView
    from core.models.console import ConsoleOptions

STOP_S = 2.0


def _palette() -> type[Any]:
    from console.screens.provider import Commands

    return Commands


class JumpwatchApp(OutwardApp):
    """The console; everything it shows and does comes from the services it is given."""

    TITLE = "Jumpwatch"
    CSS_PATH = Path(__file__).parent / "styles" / "jumpwatch.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave_now", "quit at once", show=False, priority=True, id="app.quit"),
    ]

    def __init__(self, services: ConsoleServices, terminal: Terminal | None = None, theme: str = "") -> None:
        super().__init__(terminal, theme)
        self.services = services
        self._newest: FleetView | None = None
        self._stopped = False

    @property
    def options(self) -> ConsoleOptions | None:
        return self.services.options

    def get_default_screen(self) -> Screen[None]:
        self.main = MainScreen(self.services)
        return self.main

    def on_ready(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.run_worker(work(self._start), name="start", exit_on_error=True)

    async def _start(self) -> None:
        self.main.follow_startup()
        try:
            await self.services.start(self.receive)
        except InfrastructureException as error:
            self.notify(clean(error.message), title="The start failed", severity="error", timeout=30, markup=False)

    # Views come from any task of the loop; only the newest one is kept, one message is under way.
    def receive(self, view: FleetView) -> None:
        """Take a newer view; cheap, drawn when the screen gets to it."""
        waiting, self._newest = self._newest is not None, view
        if not waiting:
            self.post_message(ViewPosted(view))

    def action_command_palette(self) -> None:
        from console.screens.palette import CommandPalette

        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(id="--command-palette"))

    def on_view_posted(self, message: ViewPosted) -> None:
        if not self.main.is_mounted:  # covered from the start: the view waits, it may be the only one
            self.set_timer(0.05, lambda: self.post_message(ViewPosted(message.view)))
        elif (view := self._newest) is not None:
            self._newest = None
            self.main.update_view(view)
            for screen in self.screen_stack[1:]:
                if isinstance(screen, Cover):
                    screen.update_view(view)

    async def on_resize(self, event: events.Resize) -> None:
        from console.screens.small import TooSmall, too_small

        small, covered = too_small(event.size), isinstance(self.screen, TooSmall)
        if small and not covered:
            await self.push_screen(TooSmall())
        elif covered and not small:
            await self.pop_screen()

    def _fatal_error(self) -> None:
        # A defect of ours: the traceback goes to the log, a line that names it to the person.
        error = sys.exc_info()[1] or self._exception
        logging.getLogger("jumpwatch.console").critical("the console failed", exc_info=error)
        self.panic(Text(f"Jumpwatch met an error it did not expect: {clean(repr(error), 300)}. The log has the rest."))

    def on_app_focus(self) -> None:
        self.main.looked_back()

    def on_app_blur(self) -> None:
        self.main.looked_away()

    def action_leave(self) -> None:
        """Ask before quitting; say what stops with it."""
        from console.screens.dialogs import QuitDialog

        self.push_screen(QuitDialog(self.services, self.main.operator), self._left)

    async def _left(self, sure: bool | None) -> None:
        if sure:
            await self.action_leave_now()

    async def action_leave_now(self) -> None:
        """Stop the services, bounded, and quit."""
        if self.services.options is not None:
            self.services.remember(self.main.remembered())
        await self._stop()
        self.exit()

    async def on_unmount(self) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        try:
            await asyncio.wait_for(self.services.stop(), STOP_S)
        except TimeoutError:
            self.log.warning("the services did not stop in time")
        except InfrastructureException as error:
            self.log.warning(error.message)
