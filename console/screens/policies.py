"""Which policy is to have which age, and which window is to be rolled up anew; the answers become plans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Input, Static

from console.formatting import span
from console.screens.base import Cover
from console.screens.spans import SpanDialog, span_bindings
from core.models import PlanRequest

if TYPE_CHECKING:
    from core.models import DatabaseView

# Policy, what it says, a table whose figures show it, and which of them.
POLICIES = (
    ("compress_after", "compress chunks after", "host_samples", "compress_after_s"),
    ("raw_retention", "keep raw samples for", "host_samples", "drop_after_s"),
    ("rollup_minute_retention", "keep rollups of a minute for", "host_samples_1m", "drop_after_s"),
    ("rollup_hour_retention", "keep rollups of an hour for", "host_samples_1h", "drop_after_s"),
)
SPANS: tuple[tuple[str, timedelta | None], ...] = (
    ("the last 3 hours", timedelta(hours=3)),
    ("the last day", timedelta(days=1)),
    ("the last 3 days, as its job does", timedelta(days=3)),
    ("the last 14 days", timedelta(days=14)),
    ("all that raw data is there for", timedelta(days=36_500)),
)
_ASK = "choose one first"


class PolicyDialog(Cover[PlanRequest | None]):
    """Two questions: which, and how long; escape asks for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "no"),
        *(Binding(str(place + 1), f"choose({place})", text) for place, (_, text, _, _) in enumerate(POLICIES)),
        Binding("up", "app.focus_previous", "previous", show=False),
        Binding("down", "app.focus_next", "next", show=False),
    ]

    def __init__(self, database: DatabaseView) -> None:
        super().__init__()
        self._now = {table.name: table for table in database.hypertables}
        self._chosen: int | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Change a policy", classes="dialog-title", markup=False)
            yield Static("Which, and to what? Nothing is changed before the plan.", classes="dialog-text", markup=False)
            for place, (_, text, _, _) in enumerate(POLICIES):
                label = f"{place + 1}  {text:<30} {self._is(place):<12}"
                yield Button(label, id=f"policy-{place}", compact=True)
            yield Static(_ASK, id="policy-ask", classes="dialog-text", markup=False)
            yield Input(id="policy-value", compact=True, placeholder="14 days, 36h; settings: as the settings say")
            yield Static("esc changes nothing", classes="dialog-note", markup=False)

    def _is(self, place: int) -> str:
        _, _, table, figure = POLICIES[place]
        found = self._now.get(table)
        seconds = getattr(found, figure) if found is not None else None
        return "not known" if seconds is None else span(seconds)

    def on_mount(self) -> None:
        self.query_one(Input).disabled = True
        self.query_one("#policy-0", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_choose(int((event.button.id or "policy-0").removeprefix("policy-")))

    def action_choose(self, place: int) -> None:
        self._chosen = place
        self.query_one("#policy-ask", Static).update(f"{POLICIES[place][1]} (now {self._is(place)}):")
        box = self.query_one(Input)
        box.disabled = False
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._chosen is not None and (value := event.value.strip()):
            self.dismiss(PlanRequest("policy.set", {"policy": POLICIES[self._chosen][0], "value": value}))

    def action_cancel(self) -> None:
        self.dismiss(None)


class RefreshDialog(SpanDialog):
    """Asks how far back a rollup is to be rolled up anew."""

    SPANS = SPANS
    WIDTH = 44
    BINDINGS: ClassVar[list[BindingType]] = span_bindings(SPANS)

    def __init__(self, rollup: str) -> None:
        super().__init__(f"Roll up {rollup} anew", "How far back? Never over raw data that is gone.")
        self._rollup = rollup

    def request(self, span: timedelta | None) -> PlanRequest:
        start = (datetime.now(UTC) - (span or timedelta())).replace(microsecond=0)
        return PlanRequest("rollup.refresh", {"rollup": self._rollup, "start": start.isoformat()})
