"""The main screen: status line, tabs, one pane at a time, notices and key hints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer

from console.formatting import clean
from console.panes.base import Pane
from console.panes.fleet import FleetPane
from console.screens.attention import News
from console.screens.comforts import Comforts
from console.screens.host_requests import HostRequests
from console.screens.keys import help_rows, hint_rows
from console.screens.tabs import TABS, make_pane
from console.screens.travel import TimeTravel
from console.widgets.bars import KeyHints, TabLine
from console.widgets.notices import NoticeLine
from console.widgets.scrubber import Scrubber
from console.widgets.statusline import StatusLine
from core.models import DatabaseState, PollerRole

if TYPE_CHECKING:
    from textual.events import DescendantFocus

    from console.messages import HostWanted, PaneLeft
    from console.services import ConsoleServices
    from console.widgets.bars import Piece
    from core.models import FleetView

FOLLOW_S = 0.25


class MainScreen(TimeTravel, HostRequests, Comforts):
    """Hands views to the pane shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(t.key, f"pane('{t.name}')", t.title, show=False, id=f"tab.{t.name}") for t in TABS),
        Binding("u", "clock", "UTC or local time", show=False, id="main.clock"),
        Binding("escape", "back", "back", show=False, id="main.back"),
        Binding("q", "leave", "quit", tooltip="back to the Fleet; there: quit", show=False, id="main.leave"),
        Binding("question_mark", "help", "help", key_display="?", show=False, id="main.help"),
    ]

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__(services)
        self._active = "fleet"
        self._follow: Timer | None = None
        self._news = News()

    def compose(self) -> ComposeResult:
        yield StatusLine(id="status")
        yield TabLine([(t.key, t.name, t.title) for t in TABS], id="tabs")
        with Container(id="body"):
            yield FleetPane(id="fleet")
        yield Scrubber(id="scrubber")
        yield NoticeLine(id="notices")
        yield KeyHints(id="hints")

    def on_mount(self) -> None:
        tabs = self.query_one(TabLine)
        tabs.note, tabs.crumbs = self._tab_note, lambda: [clean(each) for each in self.pane.crumbs()]
        self.bindings_updated_signal.subscribe(self, lambda _screen: self._update_hints())
        self.set_interval(1.0, self._tick)
        self.pane.focus_main()
        self._update_hints()

    @property
    def shown(self) -> str:
        return self._active

    @property
    def pane(self) -> Pane:
        """The pane shown."""
        return self.query_one(f"#{self._active}", Pane)

    # Views.
    def update_view(self, view: FleetView) -> None:
        """Hand a newer view to whatever is shown."""
        self._now()
        self.query_one(StatusLine).take(view)
        self.query_one(NoticeLine).take(view)
        pane = self.pane
        pane.interval_s = self.services.interval_s
        pane.update_view(view)
        self._update_bars()
        if (news := self._news.of(view)) is not None:
            self.post_message(news)

    def _tick(self) -> None:
        now = self._now()
        self.pane.tick(now)
        self._update_bars()
        self.follow_options()

    def follow_startup(self) -> None:
        """Show how far the start is until it is over; ``start`` may return before that."""
        self._follow = self.set_interval(FOLLOW_S, self._update_startup)

    def _update_startup(self) -> None:
        view = self.services.view
        self.query_one(FleetPane).update_startup(self.services.startup_lines)
        self.query_one(TabLine).update_line()
        starting = view.role is PollerRole.STARTING or view.database.state is DatabaseState.STARTING
        if not starting and self._follow is not None:
            self._follow.stop()

    def _now(self) -> datetime:
        view = self.services.view
        now = datetime.now(UTC) if view.live else view.at
        status = self.query_one(StatusLine)
        status.now, status.utc, status.paused = now, self._utc, self.services.paused
        status.read_only, status.read_only_until = self.services.read_only, self.services.read_only_until
        self.pane.now = now
        return now

    def _update_bars(self) -> None:
        self.update_scrubber()
        self.query_one(StatusLine).update_line()
        self.query_one(TabLine).update_line()

    def _tab_note(self) -> Piece:
        look, running = self.query_one(TabLine).palette, self.operator.running
        if running:
            return f"▶ {running[0].label}", look.warn
        view = self.services.view
        starting = view.role is PollerRole.STARTING or view.database.state is DatabaseState.STARTING
        if starting and self.services.startup_lines:
            return "○ " + clean(self.services.startup_lines[-1]), look.dim
        return "", None

    def _update_hints(self) -> None:
        if self.is_current:
            self.query_one(KeyHints).set_hints(*hint_rows(self))

    # Panes.
    async def action_pane(self, name: str) -> None:
        """Show the pane of that name, made now if this is its first time."""
        if name == self._active:
            return
        self.pane.display = False
        if not self.query(f"#{name}"):
            await self.query_one("#body").mount(make_pane(name))
        self._active = self.query_one(TabLine).active = name
        pane = self.pane
        pane.display = True
        pane.set_clock(self._utc)
        self.update_view(self.services.view)
        pane.focus_main()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Keep the keyboard on the pane shown: a key pressed in haste may reach the one that was just left."""
        pane = next((each for each in event.widget.ancestors_with_self if isinstance(each, Pane)), None)
        if pane is not None and pane is not self.pane:
            self.pane.focus_main()

    async def on_host_wanted(self, message: HostWanted) -> None:
        order = self.query_one(FleetPane).order
        await self.action_pane("host")
        from console.panes.host import HostPane

        self.query_one(HostPane).show(message.host, order)
        self._update_bars()  # the crumbs name it, and not the host that the pane had before

    async def on_pane_left(self, message: PaneLeft) -> None:
        await self.action_pane("fleet")

    async def action_back(self) -> None:
        if not self.pane.close_inner():
            await self.action_pane("fleet")

    async def action_leave(self) -> None:
        if self._active != "fleet":
            await self.action_pane("fleet")
        else:
            await self.run_action("app.leave")

    def action_clock(self) -> None:
        self.set_clock(not self._utc)

    def action_help(self) -> None:
        from console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(help_rows(self)))
