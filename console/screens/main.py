"""The main screen: status line, tabs, one pane at a time, notices and key hints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer

from console.actions.operate import Operator
from console.formatting import clean
from console.messages import (
    CopyWanted,
    HostWanted,
    IntervalWanted,
    MaintenanceWanted,
    PaneLeft,
    PlanWanted,
    PollWanted,
    Remark,
)
from console.panes.base import Pane
from console.panes.fleet import FleetPane
from console.screens.keys import help_rows, hint_rows
from console.services import ConsoleServices
from console.widgets.bars import KeyHints, Piece, TabLine
from console.widgets.notices import NoticeLine
from console.widgets.statusline import StatusLine
from core.exceptions import InfrastructureException
from core.models import DatabaseState, FleetView, PollerRole

TABS = (("1", "fleet", "Fleet"), ("2", "host", "Host"), ("4", "events", "Events"), ("5", "database", "Database"))
UNLOCK_S = 600.0
FOLLOW_S = 0.25
MIN_INTERVAL_S, MAX_INTERVAL_S = 1.0, 3600.0


def make_pane(name: str) -> Pane:
    """Return a new pane; its module is loaded when it is first wanted."""
    if name == "host":
        from console.panes.host import HostPane

        return HostPane(id=name)
    if name == "events":
        from console.panes.events import EventsPane

        return EventsPane(id=name)
    from console.panes.database import DatabasePane

    return DatabasePane(id=name)


class MainScreen(Screen[None]):
    """Hands views to the pane shown and requests to the actions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"pane('{name}')", title, show=False, id=f"tab.{name}") for key, name, title in TABS),
        Binding("w", "unlock", "write mode", id="main.unlock"),
        Binding("h", "review", "host keys", show=False, id="main.review"),
        Binding("L", "secrets", "logins that ask", show=False, id="main.secrets"),
        Binding("r", "poll_all", "poll all now", show=False, id="main.poll"),
        Binding("p", "pause", "pause", id="main.pause"),
        Binding("y", "copy", "copy", show=False, id="main.copy"),
        Binding("u", "clock", "UTC or local time", show=False, id="main.clock"),
        Binding("escape", "back", "back", show=False, id="main.back"),
        Binding("q", "leave", "quit", show=False, id="main.leave"),
        Binding("question_mark", "help", "help", key_display="?", show=False, id="main.help"),
    ]

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__()
        self.services = services
        self.operator = Operator(services)
        self._active = "fleet"
        self._utc = True
        self._follow: Timer | None = None
        self._interval: dict[str | None, float] = {}

    def compose(self) -> ComposeResult:
        yield StatusLine(id="status")
        yield TabLine(TABS, id="tabs")
        with Container(id="body"):
            yield FleetPane(id="fleet")
        yield NoticeLine(id="notices")
        yield KeyHints(id="hints")

    def on_mount(self) -> None:
        self.query_one(TabLine).note = self._tab_note
        self.bindings_updated_signal.subscribe(self, lambda _screen: self._update_hints())
        self.set_interval(1.0, self._tick)
        self.pane.focus_main()
        self._update_hints()

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

    def _tick(self) -> None:
        now = self._now()
        self.pane.tick(now)
        self._update_bars()

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

    async def on_host_wanted(self, message: HostWanted) -> None:
        order = self.query_one(FleetPane).order
        await self.action_pane("host")
        from console.panes.host import HostPane

        self.query_one(HostPane).show(message.host, order)

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

    # Requests.
    def on_plan_wanted(self, message: PlanWanted) -> None:
        self.run_worker(self._plan(message), exit_on_error=True, group="plan", exclusive=True)

    def on_maintenance_wanted(self, message: MaintenanceWanted) -> None:
        from console.screens.maintenance import MaintenanceDialog, ending

        if (request := ending(message.hosts, self.services.view)) is not None:
            self.on_plan_wanted(PlanWanted(request))
            return
        self.app.push_screen(
            MaintenanceDialog(message.hosts), lambda wanted: self.on_plan_wanted(PlanWanted(wanted)) if wanted else None
        )

    async def _plan(self, message: PlanWanted) -> None:
        from console.screens.drawer import Drawer

        try:
            operation = await self.operator.plan(message.request)
        except InfrastructureException as error:
            self.told(error)
            return
        await self.app.push_screen(Drawer(operation, self.operator, self.action_unlock))

    def told(self, error: InfrastructureException) -> None:
        """Show an error as a toast."""
        self.notify(clean(error.message), title="Not done", severity="error", timeout=8, markup=False)

    def on_remark(self, message: Remark) -> None:
        self.notify(clean(message.text), severity=message.severity, timeout=3, markup=False)

    def on_copy_wanted(self, message: CopyWanted) -> None:
        self.app.copy_to_clipboard(message.text)
        self.notify(f"copied {clean(message.what)}", timeout=2, markup=False)

    def action_copy(self) -> None:
        text, what = self.pane.copy_text()
        if text:
            self.on_copy_wanted(CopyWanted(text, what))

    def action_poll_all(self) -> None:
        self.on_poll_wanted(PollWanted(None))

    def on_poll_wanted(self, message: PollWanted) -> None:
        self.services.poll_now(message.host)
        self.notify(f"polling {clean(message.host) if message.host else 'all hosts'} now", timeout=2, markup=False)

    def on_interval_wanted(self, message: IntervalWanted) -> None:
        own = next((each.host.interval_s for each in self.services.view.hosts if each.host.name == message.host), None)
        now = self._interval.get(message.host, own or self.services.interval_s)
        wanted = min(MAX_INTERVAL_S, max(MIN_INTERVAL_S, round(now * message.factor, 1)))
        self._interval[message.host] = wanted
        self.services.set_interval(message.host, wanted)
        self.notify(f"{clean(message.host or 'all hosts')}: every {wanted:g} s", timeout=2, markup=False)

    def action_pause(self) -> None:
        try:
            paused = self.services.pause()
        except InfrastructureException as error:
            self.told(error)
            return
        self.notify("polling is paused; p goes on" if paused else "polling goes on", timeout=3, markup=False)
        self._tick()

    def action_clock(self) -> None:
        self._utc = not self._utc
        self.pane.set_clock(self._utc)
        self._tick()

    def action_unlock(self) -> None:
        """Ask for ten minutes of write mode, or go back to read-only."""
        if self.services.read_only:
            from console.screens.dialogs import UnlockDialog

            self.app.push_screen(UnlockDialog(self.services, UNLOCK_S), lambda _done: self._tick())
        else:
            self.services.lock()
            self.notify("read-only again", timeout=3, markup=False)
            self._tick()

    def action_review(self) -> None:
        from console.screens.hostkeys import HostKeyScreen

        self.app.push_screen(HostKeyScreen(self.services))

    def action_secrets(self) -> None:
        from console.screens.secrets import SecretScreen

        self.app.push_screen(SecretScreen(self.services))

    def action_help(self) -> None:
        from console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(help_rows(self)))
