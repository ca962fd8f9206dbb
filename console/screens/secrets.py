"""Logins that ask: each question is shown in the host's own words and answered once, into memory."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.formatting import clean
from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from core.exceptions import InfrastructureException
from core.models import SecretRequest

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from console.widgets.palette import Palette
    from core.models import FleetView

_KINDS = {"passphrase": "passphrase", "password": "password", "answer": "question"}


class SecretList(LineList):
    """One line a question."""

    HEADER = True

    def fingerprint(self, row: Hashable) -> Hashable:
        return 0

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        return Line().gap().cell("ASKED FOR", 12, head).cell("BY", 34, head).cell("HOSTS", 7, head).add("WORDS", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, SecretRequest)
        look = self.palette
        line = Line().gap().cell(_KINDS.get(row.kind, row.kind), 11, look.strong).gap()
        line.cell(clean(row.place), 33, look.text).gap().cell(str(len(row.hosts)), 6, look.dim).gap()
        text = ("✗ refused before: " if row.refused else "") + clean(row.text)
        return line.cell(text, width - line.width, look.bad if row.refused else look.text)


class SecretScreen(Cover[None]):
    """The questions, the one under the cursor in full, and the field for its answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close"),
        Binding("a", "answer", "answer"),
        Binding("A", "answer_all", "answer all alike"),
        Binding("x", "dismiss_request", "take off the list"),
        Binding("s", "keep", "save in the keyring"),
    ]

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__()
        self._services = services
        self._asked: tuple[SecretRequest, ...] = ()
        self._keep = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="keys"):
            yield Static("Logins that ask", classes="dialog-title", markup=False)
            yield SecretList(id="key-list")
            yield LinesView(id="key-detail")
            with Horizontal(id="key-confirm"):
                yield Static(id="key-ask", markup=False)
                yield Input(id="key-typed", compact=True, password=True)
            yield Static("a answer  A answer all alike  x take off the list  esc close", id="key-note", markup=False)

    def on_mount(self) -> None:
        self.query_one("#key-confirm").display = False
        self.update_view(self._services.view)
        self.query_one(SecretList).focus()

    def update_view(self, view: FleetView) -> None:
        """Take a newer view."""
        self.query_one(SecretList).set_rows(view.secrets)
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self._draw()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        self.action_answer()

    @property
    def current(self) -> SecretRequest | None:
        """The question under the cursor."""
        row = self.query_one(SecretList).current
        return row if isinstance(row, SecretRequest) else None

    def _draw(self) -> None:
        detail = self.query_one("#key-detail", LinesView)
        keep = self._keep if self._services.can_keep_secrets else None
        detail.set_lines(request_lines(self.current, detail.size.width - 1, detail.palette, keep=keep))

    # Answers.
    def action_answer(self) -> None:
        if self.current is not None:
            self._ask((self.current,))

    def action_answer_all(self) -> None:
        """The same password for the same user at every place that asks for one; never a code that is good once."""
        request = self.current
        if request is None:
            return
        if not request.lasting or request.kind == "passphrase":
            self._say("This answer is good for one place alone.")
            return
        user = request.place.partition("@")[0]
        alike = [
            each
            for each in self._services.view.secrets
            if each.lasting and each.kind != "passphrase" and each.place.partition("@")[0] == user
        ]
        self._ask(tuple(alike))

    def _ask(self, requests: tuple[SecretRequest, ...]) -> None:
        self._asked = requests
        first = requests[0]
        what = clean(first.place) if len(requests) == 1 else f"{len(requests)} places as {clean(first.place)[:40]}"
        self.query_one("#key-ask", Static).update(f"{what}: {clean(first.text)}")
        self.query_one("#key-confirm").display = True
        typed = self.query_one(Input)
        typed.password = not first.echo
        typed.value = ""
        typed.focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        secret, requests = SecretStr(event.value), self._asked
        self._end_asking()
        if not secret.get_secret_value():
            self._say("Nothing was typed.")
            return
        for request in requests:
            try:
                keep = self._keep and request.lasting
                await self._services.answer_secret(request, secret, keep=keep)
            except InfrastructureException as error:
                self._say(clean(error.message))
                break
        else:
            hosts = {host for request in requests for host in request.hosts}
            self._say(f"Taken; connecting {len(hosts)} host{'s' if len(hosts) != 1 else ''} anew.")
        self.update_view(self._services.view)

    def action_keep(self) -> None:
        """Whether what is typed from now on also goes into the keyring."""
        if not self._services.can_keep_secrets:
            self._say("Kept in memory only. JUMPWATCH_SSH_KEYRING=true and the package keyring allow more.")
            return
        self._keep = not self._keep
        self._say("Passwords go into the keyring from now on." if self._keep else "Kept in memory only.")
        self._draw()

    def action_dismiss_request(self) -> None:
        if self.current is None:
            return
        try:
            self._services.dismiss_secret(self.current)
        except InfrastructureException as error:
            self._say(clean(error.message))
            return
        self._say("Taken off the list; it is asked again when the host is polled again.")
        self.update_view(self._services.view)

    def _end_asking(self) -> None:
        self._asked = ()
        self.query_one(Input).value = ""
        self.query_one("#key-confirm").display = False
        self.query_one(SecretList).focus()

    def _say(self, text: str) -> None:
        self.query_one("#key-note", Static).update(text)

    def action_close(self) -> None:
        if self._asked:
            self._end_asking()
        else:
            self.dismiss()


def request_lines(request: SecretRequest | None, width: int, look: Palette, *, keep: bool | None) -> list[Line]:
    """Return one question in full; ``keep`` says whether the answer goes into the keyring, None: there is none."""
    if request is None:
        return [Line(), Line().add("No login asks for anything.", look.dim)]
    rows = [("asks", clean(request.text), look.text)]
    if request.instruction:
        rows.append(("says", clean(request.instruction), look.text))
    rows.append(("of", clean(request.place), look.text))
    rows.append(("hosts", clean(", ".join(request.hosts[:20])) + (" …" if len(request.hosts) > 20 else ""), look.dim))
    if request.turn > 1:
        again = "Asked in the same words a second time in one login: a code, or another password."
        rows.append(("note", again, look.text))
    if request.refused:
        rows.append(("note", "The last answer was refused.", look.bad))
    lines = [Line()]
    for name, value, style in rows:
        for number, part in enumerate(wrap(value, width - 6)):
            lines.append(Line().cell(name if not number else "", 6, look.dim).add(part, style))
    if not request.lasting:
        text = "Good once: it is forgotten as soon as it is used."
    elif keep:
        text = "Kept in memory until the console ends, and in the keyring."
    else:
        text = "Kept in memory until the console ends; written nowhere."
    return [*lines, Line(), *(Line().add(part, look.dim) for part in wrap(text, width))]
