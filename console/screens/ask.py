"""Questions before a plan: which unit, which file; what is typed becomes a request, and nothing is done yet."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from console.formatting import clean
from console.messages import UnitWanted
from console.screens.base import Cover
from core.models import PlanRequest


class AskUnit(Cover[Message | None]):
    """Asks for a unit's name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close")]

    def __init__(self, hosts: tuple[str, ...], verb: str) -> None:
        super().__init__()
        self._hosts, self._verb = hosts, verb

    def compose(self) -> ComposeResult:
        who = self._hosts[0] if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        with Vertical(classes="dialog"):
            yield Static(f"{self._verb.capitalize()} a unit on {clean(who)}", classes="dialog-title", markup=False)
            yield Static("Its name, such as nginx.service. The plan comes first.", classes="dialog-text")
            yield Input(placeholder="unit", id="ask-unit", compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if unit := event.value.strip():
            self.dismiss(UnitWanted(self._hosts, unit, self._verb))  # type: ignore[arg-type]

    def action_close(self) -> None:
        self.dismiss(None)


class AskCopy(Cover[PlanRequest | None]):
    """Asks for the direction and the two paths of a copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("ctrl+t", "turn", "other direction", priority=True),
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "field before", show=False),
    ]

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host, self._send = host, True

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(id="copy-title", classes="dialog-title", markup=False)
            yield Static("", id="copy-note", classes="dialog-text", markup=False)
            with Horizontal(classes="ask-row"):
                yield Static("here  ", markup=False)
                yield Input(placeholder="path on this machine", id="copy-local", compact=True)
            with Horizontal(classes="ask-row"):
                yield Static("there ", markup=False)
                yield Input(placeholder="path on the host, a file or a folder", id="copy-remote", compact=True)

    def on_mount(self) -> None:
        self._show()
        self.query_one("#copy-local", Input).focus()

    def _show(self) -> None:
        way = "to" if self._send else "from"
        self.query_one("#copy-title", Static).update(f"Copy a file {way} {clean(self._host)}")
        self.query_one("#copy-note", Static).update(
            "ctrl+t turns the direction. A file that is there is replaced only where its name is typed."
        )

    def action_turn(self) -> None:
        self._send = not self._send
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        local, remote = (self.query_one(f"#copy-{end}", Input).value.strip() for end in ("local", "remote"))
        if not local:
            self.query_one("#copy-local", Input).focus()
        elif not remote:
            self.query_one("#copy-remote", Input).focus()
        else:
            action = "file.send" if self._send else "file.fetch"
            self.dismiss(PlanRequest(action, {"hosts": self._host, "local": local, "remote": remote}))

    def action_close(self) -> None:
        self.dismiss(None)
