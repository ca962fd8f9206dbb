"""What the panes ask of the main screen: plans, polls, pauses, write mode, copies; and the dialogs these open."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import WorkType

from console.actions.operate import Operator
from console.formatting import clean
from console.messages import CopyWanted, IntervalWanted, MaintenanceWanted, PlanWanted, PollWanted, Remark
from console.panes.base import Pane
from console.services import ConsoleServices
from core.exceptions import InfrastructureException

UNLOCK_S = 600.0
MIN_INTERVAL_S, MAX_INTERVAL_S = 1.0, 3600.0


class Requests(Screen[None]):
    """The half of the main screen that takes requests; it knows the pane shown and the clock by name alone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "unlock", "write mode", id="main.unlock"),
        Binding("h", "review", "host keys", show=False, id="main.review"),
        Binding("L", "secrets", "logins that ask", show=False, id="main.secrets"),
        Binding("r", "poll_all", "poll all now", show=False, id="main.poll"),
        Binding("p", "pause", "pause", id="main.pause"),
        Binding("y", "copy", "copy", show=False, id="main.copy"),
    ]

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__()
        self.services = services
        self.operator = Operator(services)
        self._interval: dict[str | None, float] = {}

    @property
    def pane(self) -> Pane:
        """The pane shown."""
        raise NotImplementedError

    def _tick(self) -> None:
        raise NotImplementedError

    def on_plan_wanted(self, message: PlanWanted) -> None:
        async def plan() -> None:  # not the coroutine itself: of two keys in haste the first would never be awaited
            await self._plan(message)

        work: WorkType[None] = plan
        self.run_worker(work, exit_on_error=True, group="plan", exclusive=True)

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
