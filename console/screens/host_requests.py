"""What panes ask to be done on hosts: each request becomes a plan in the drawer, a log, a shell or a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from console.formatting import clean
from console.messages import (
    PlanWanted,
    Remark,
)
from console.screens.requests import Requests
from console.work import work
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.messages import (
        ContainerWanted,
        CopyFileWanted,
        HostActionsWanted,
        LogsWanted,
        RebootWanted,
        RunWanted,
        ShellWanted,
        UnitWanted,
    )


class HostRequests(Requests):
    """The part of the main screen that acts on hosts."""

    def _wish(self, action: str, hosts: tuple[str, ...], **arguments: object) -> None:
        from core.models import PlanRequest

        if hosts:
            self.on_plan_wanted(PlanWanted(PlanRequest(action, {"hosts": " ".join(hosts), **arguments})))

    def on_unit_wanted(self, message: UnitWanted) -> None:
        if message.unit:
            self._wish(f"unit.{message.verb}", message.hosts, unit=message.unit)
            return
        from console.screens.ask import AskUnit

        self.app.push_screen(AskUnit(message.hosts, message.verb), self._again)

    def on_container_wanted(self, message: ContainerWanted) -> None:
        self._wish(f"container.{message.verb}", (message.host,), container=message.container, engine=message.engine)

    def on_reboot_wanted(self, message: RebootWanted) -> None:
        self._wish("host.reboot", message.hosts)

    def on_run_wanted(self, message: RunWanted) -> None:
        if message.hosts:
            self.run_worker(work(self._ask_command, message.hosts), exit_on_error=True, group="ask", exclusive=True)

    async def _ask_command(self, hosts: tuple[str, ...]) -> None:
        from console.screens.runner import RunDialog

        fault = ""
        try:
            saved = await self.services.saved_commands(hosts)
        except InfrastructureException as error:
            saved, fault = (), error.message
        await self.app.push_screen(
            RunDialog(hosts, saved, fault), lambda wanted: self.on_plan_wanted(PlanWanted(wanted)) if wanted else None
        )

    def on_logs_wanted(self, message: LogsWanted) -> None:
        from console.screens.logs import LogScreen
        from core.models import LogSource

        source = LogSource(message.host, message.unit, message.container, message.engine)
        self.app.push_screen(LogScreen(self.services, source))

    def on_shell_wanted(self, message: ShellWanted) -> None:
        self.app.run_worker(work(self._shell, message.host), exit_on_error=True, group="shell", exclusive=True)

    async def _shell(self, host: str) -> None:
        from console.screens.shell import hand_over

        try:
            argv = self.services.ssh_argv(host)
            code = await hand_over(self.app, argv, host)
        except InfrastructureException as error:
            self.told(error)
            return
        if code == 0:
            self.notify(f"back from {clean(host)}", timeout=3, markup=False)
        else:
            text = f"ssh to {clean(host)} ended with {code}"
            self.notify(text, severity="warning", timeout=8, markup=False)

    def on_copy_file_wanted(self, message: CopyFileWanted) -> None:
        from console.screens.ask import AskCopy

        self.app.push_screen(
            AskCopy(message.host), lambda wanted: self.on_plan_wanted(PlanWanted(wanted)) if wanted else None
        )

    def on_host_actions_wanted(self, message: HostActionsWanted) -> None:
        from console.screens.host_menu import HostMenu

        if message.hosts:
            self.app.push_screen(HostMenu(message.hosts, self.services.view, message.item), self._again)
        else:
            self.on_remark(Remark("no host is chosen"))

    def _again(self, wanted: Message | None) -> None:
        """Take what was chosen in a menu as if a pane had asked for it."""
        if wanted is not None:
            self.post_message(wanted)
