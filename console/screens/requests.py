"""What the panes ask of the main screen: plans, polls, pauses, write mode, copies; and the dialogs these open."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from console.actions.operate import Operator
from console.formatting import clean
from console.messages import (
    CopyWanted,
    PlanWanted,
    PollWanted,
)
from console.screens.table_requests import TableRequests
from console.widgets.keynames import key_of
from console.work import work
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.messages import (
        AlertWanted,
        DetailWanted,
        IntervalWanted,
        MaintenanceWanted,
        PolicyWanted,
        RefreshWanted,
        Remark,
    )
    from console.panes.base import Pane
    from console.services import ConsoleServices
    from core.models import PlanRequest

UNLOCK_S = 600.0
MIN_INTERVAL_S, MAX_INTERVAL_S = 1.0, 3600.0


class Requests(TableRequests):
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

    def refused(self) -> bool:
        """Say why nothing may be asked for now, and return whether that is so."""
        return False

    def on_plan_wanted(self, message: PlanWanted) -> None:
        if self.refused():
            return

        self.run_worker(work(self._plan, message), exit_on_error=True, group="plan", exclusive=True)

    def on_maintenance_wanted(self, message: MaintenanceWanted) -> None:
        from console.screens.maintenance import MaintenanceDialog, ending

        if self.refused():
            return
        if (request := ending(message.hosts, self.services.view)) is not None:
            self.on_plan_wanted(PlanWanted(request))
            return
        self.app.push_screen(
            MaintenanceDialog(message.hosts), lambda wanted: self.on_plan_wanted(PlanWanted(wanted)) if wanted else None
        )

    def on_alert_wanted(self, message: AlertWanted) -> None:
        from console.screens.alert_dialogs import AckDialog, SilenceDialog, alert_request, named

        if message.what == "unsilence":
            self.on_plan_wanted(PlanWanted(alert_request("alert.unsilence", message.keys)))
            return
        dialog = AckDialog if message.what == "ack" else SilenceDialog
        self.app.push_screen(
            dialog(message.keys, named(message.keys, self.services.view)),
            lambda wanted: self.on_plan_wanted(PlanWanted(wanted)) if wanted else None,
        )

    def on_detail_wanted(self, message: DetailWanted) -> None:
        from console.screens.detail import DetailScreen

        self.app.push_screen(DetailScreen(message.title, message.facts))

    def on_policy_wanted(self, _: PolicyWanted) -> None:
        from console.screens.policies import PolicyDialog

        self.app.push_screen(PolicyDialog(self.services.view.database), self._plan_if_any)

    def on_refresh_wanted(self, message: RefreshWanted) -> None:
        from console.screens.policies import RefreshDialog

        self.app.push_screen(RefreshDialog(message.rollup), self._plan_if_any)

    def _plan_if_any(self, wanted: PlanRequest | None) -> None:
        if wanted is not None:
            self.on_plan_wanted(PlanWanted(wanted))

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
        if self.refused():
            return
        self.services.poll_now(message.host)
        self.notify(f"polling {clean(message.host) if message.host else 'all hosts'} now", timeout=2, markup=False)

    def on_interval_wanted(self, message: IntervalWanted) -> None:
        if self.refused():
            return
        own = next((each.host.interval_s for each in self.services.view.hosts if each.host.name == message.host), None)
        now = self._interval.get(message.host, own or self.services.interval_s)
        wanted = min(MAX_INTERVAL_S, max(MIN_INTERVAL_S, round(now * message.factor, 1)))
        self._interval[message.host] = wanted
        self.services.set_interval(message.host, wanted)
        self.notify(f"{clean(message.host or 'all hosts')}: every {wanted:g} s", timeout=2, markup=False)

    def action_pause(self) -> None:
        if self.refused():
            return
        try:
            paused = self.services.pause()
        except InfrastructureException as error:
            self.told(error)
            return
        key = key_of(self.app, "main.pause", "p")
        self.notify(f"polling is paused; {key} goes on" if paused else "polling goes on", timeout=3, markup=False)
        self._tick()

    def action_unlock(self) -> None:
        """Ask for ten minutes of write mode, or go back to read-only."""
        if self.refused():
            return
        if self.services.read_only:
            from console.screens.dialogs import UnlockDialog

            self.app.push_screen(UnlockDialog(self.services, UNLOCK_S), lambda _done: self._tick())
        else:
            self.services.lock()
            self.notify("read-only again", timeout=3, markup=False)
            self._tick()

    def action_review(self) -> None:
        if self.refused():
            return
        from console.screens.hostkeys import HostKeyScreen

        self.app.push_screen(HostKeyScreen(self.services))

    def action_secrets(self) -> None:
        if self.refused():
            return
        from console.screens.secrets import SecretScreen

        self.app.push_screen(SecretScreen(self.services))
