"""A command for hosts: typed, or one of those saved in commands.toml; what is chosen becomes a plan."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.formatting import clean
from console.screens.base import Cover
from console.widgets.line import Line
from console.widgets.linelist import LineList
from core.models import PlanRequest, SavedCommand


class SavedList(LineList):
    """One line a saved command."""

    HEADER = False

    def fingerprint(self, row: Hashable) -> Hashable:
        return 0

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, SavedCommand)
        look = self.palette
        line = Line().gap().cell(clean(row.name), min(24, width // 3), look.strong).gap()
        text = ("sudo -n " if row.sudo else "") + shlex.join(row.argv)
        return line.cell(clean(text), width - line.width, look.info)


class RunDialog(Cover[PlanRequest | None]):
    """Answers with the request to run a command; escape asks for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("ctrl+t", "sudo", "by sudo -n or not", priority=True),
        Binding("down", "app.focus_next", "saved commands", show=False),
    ]

    def __init__(self, hosts: tuple[str, ...], saved: Sequence[SavedCommand], fault: str = "") -> None:
        super().__init__()
        self._hosts, self._saved, self._fault = hosts, tuple(saved), fault
        self._sudo = False

    def compose(self) -> ComposeResult:
        who = self._hosts[0] if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        with Vertical(classes="dialog wide", id="menu"):
            yield Static(f"Run a command on {clean(who)}", classes="dialog-title", markup=False)
            with Horizontal(classes="ask-row"):
                yield Static("$ ", id="run-sign", markup=False)
                yield Input(placeholder="a command, as you would type it there", id="run-typed", compact=True)
            yield SavedList(id="menu-list")
            yield Static(id="menu-note", markup=False)

    def on_mount(self) -> None:
        saved = self.query_one(SavedList)
        look = saved.palette
        words = self._fault or "no saved command fits: [[commands]] of commands.toml"
        saved.set_nothing((Line(), Line().gap().add(clean(words), look.bad if self._fault else look.dim)))
        saved.set_rows(self._saved)
        self.query_one(Input).focus()
        self._note()

    def _note(self) -> None:
        self.query_one("#run-sign", Static).update("# sudo -n " if self._sudo else "$ ")
        self.query_one("#menu-note", Static).update(
            "enter plans it; ↓ saved commands; ctrl+t " + ("without sudo" if self._sudo else "by sudo -n")
        )

    def action_sudo(self) -> None:
        self._sudo = not self._sudo
        self._note()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if line := event.value.strip():
            self.dismiss(self._request(command=line, sudo="yes" if self._sudo else ""))

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        row = self.query_one(SavedList).current
        if isinstance(row, SavedCommand):
            sudo = "yes" if row.sudo or self._sudo else ""
            self.dismiss(self._request(words=shlex.join(row.argv), sudo=sudo, timeout_s=max(1, round(row.timeout_s))))

    def _request(self, **arguments: object) -> PlanRequest:
        given = {key: value for key, value in arguments.items() if value}
        return PlanRequest("host.run", {"hosts": " ".join(self._hosts), **given})

    def action_close(self) -> None:
        self.dismiss(None)
