"""The drawer: exactly what an action would do, a typed name before it does, then progress and the audit id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from console.formatting import clean
from console.screens.base import Cover
from console.screens.plan_sheet import by_read_only, plan_lines, progress_lines
from console.widgets.linesview import LinesView
from console.work import work
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.actions.operate import Operation, Operator

FULL_BELOW = 116
DRY = "dry run only: nothing is changed yet"


class Drawer(Cover[None]):
    """Cancel is the default; Apply wakes when the name is typed; escape closes always."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("w", "unlock", "leave read-only"),
        Binding("o", "answers", "what the hosts answered"),
        Binding("S", "stop", "stop it"),
        Binding("pagedown,ctrl+d", "sheet(1)", "scroll down", show=False),
        Binding("pageup,ctrl+u", "sheet(-1)", "scroll up", show=False),
        Binding("j,down", "line(1)", "scroll", show=False),
        Binding("k,up", "line(-1)", "scroll", show=False),
    ]

    def __init__(self, operation: Operation, operator: Operator, unlock: Callable[[], None]) -> None:
        super().__init__()
        self.operation, self._operator, self._unlock = operation, operator, unlock

    def compose(self) -> ComposeResult:
        with Vertical(id="drawer"):
            yield Static(id="drawer-title", classes="dialog-title", markup=False)
            yield LinesView(id="drawer-sheet")
            yield LinesView(id="drawer-progress")
            with Horizontal(id="drawer-confirm"):
                yield Static(id="drawer-ask", markup=False)
                yield Input(id="drawer-typed", compact=True)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Apply", id="apply", compact=True, variant="error", disabled=True)
                yield Static(id="drawer-note", markup=False)

    def on_mount(self) -> None:
        self.operation.watcher = self._changed
        self.query_one("#cancel", Button).focus()
        self._show_plan()

    def on_unmount(self) -> None:
        self.operation.watcher = None

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < FULL_BELOW, "full")
        self.call_after_refresh(self._draw)

    def _show_plan(self) -> None:
        plan = self.operation.plan
        self.query_one("#drawer-title", Static).update(clean(plan.title))
        self.query_one("#drawer-ask", Static).update(f"tab: type {clean(plan.confirm)}")
        self.query_one("#drawer-confirm").display = not plan.refused
        self.query_one("#apply").display = not plan.refused
        if by_read_only(plan):
            self._note("w leaves read-only")
        else:
            self._note("nothing is changed" if plan.refused else DRY)
        self.refresh_bindings()
        self.call_after_refresh(self._draw)

    def _note(self, text: str) -> None:
        self.query_one("#drawer-note", Static).update(text)

    def _draw(self) -> None:
        sheet = self.query_one("#drawer-sheet", LinesView)
        sheet.set_lines(plan_lines(self.operation.plan, sheet.size.width - 2, sheet.palette))
        below = self.query_one("#drawer-progress", LinesView)
        lines = progress_lines(self.operation, max(20, sheet.size.width - 2), below.palette)
        below.display = bool(lines)
        below.styles.height = min(8, len(lines))
        below.set_lines(lines)

    # The typed name.
    def on_input_changed(self, event: Input.Changed) -> None:
        right = event.value.strip() == self.operation.plan.confirm and not self.operation.started
        self.query_one("#apply", Button).disabled = not right
        self._note("Apply is ready" if right else DRY)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        apply = self.query_one("#apply", Button)
        if apply.disabled:
            self._note(f"type {clean(self.operation.plan.confirm)} to wake Apply")
        else:
            apply.focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "cancel":
            self.action_close()
        elif event.button.id == "apply" and not self.operation.started:
            self._apply(self.query_one(Input).value.strip())

    def _apply(self, typed: str) -> None:
        event_app, operation = self.app, self.operation
        self.query_one("#apply").display = False
        self.query_one("#drawer-confirm").display = False
        self.query_one("#cancel", Button).label = "Close"
        self.query_one("#cancel", Button).focus()

        async def carry_out() -> None:
            await self._operator.apply(operation, typed)
            if operation.watcher is None:  # nobody looks: a toast tells the end
                text = operation.error or (operation.outcome.summary if operation.outcome else "")
                fine = operation.outcome is not None and operation.outcome.ok
                event_app.notify(
                    clean(text),
                    title=clean(operation.plan.title),
                    severity="information" if fine else "error",
                    timeout=10,
                    markup=False,
                )

        # The app owns the work, so that it goes on when this screen is closed.
        event_app.run_worker(work(carry_out), group="operations", exit_on_error=True)

    def _changed(self) -> None:
        operation = self.operation
        if operation.running:
            stopping = operation.cut is None
            self._note("stopping" if stopping else "S stops it; esc closes, it goes on in the background")
        elif operation.error:
            self._note("nothing more is done")
        elif operation.outcome is not None:
            note = "esc closes" if operation.outcome.ok else "not all of it was done"
            self._note(f"{note}; o shows the answers" if operation.outcome.results else note)
            if operation.plan.request.action == "host.run" and self.is_current:
                self.action_answers()  # they are what it was run for
        self.refresh_bindings()
        self._draw()

    # Keys.
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys have something to act on: what runs, answers, a plan that read-only refuses."""
        operation = self.operation
        if action == "stop":
            return operation.running and operation.cut is not None
        if action == "answers":
            return operation.outcome is not None and bool(operation.outcome.results)
        if action == "unlock":
            return by_read_only(operation.plan)
        return super().check_action(action, parameters)

    def action_close(self) -> None:
        self.dismiss()

    def action_sheet(self, pages: int) -> None:
        self.query_one("#drawer-sheet", LinesView).action_scroll_pages(pages)

    def action_line(self, lines: int) -> None:
        self.query_one("#drawer-sheet", LinesView).action_scroll_lines(lines)

    def action_answers(self) -> None:
        """Show what each host answered, where the action was one on hosts and has ended."""
        outcome, plan = self.operation.outcome, self.operation.plan
        if outcome is not None and outcome.results:
            from console.screens.results import ResultScreen

            ended = {each.host for each in outcome.results}
            left = [target.name for target in plan.targets if target.name not in ended]
            self.app.push_screen(ResultScreen(plan.title, outcome.results, left))

    def action_stop(self) -> None:
        """Stop what runs: the server is told, and what was done by then stays."""
        if self.operation.stop():
            self._changed()

    def action_unlock(self) -> None:
        if by_read_only(self.operation.plan):
            self._unlock()

    async def on_screen_resume(self) -> None:
        """Plan again after read-only may have been left."""
        if not self.operation.plan.refused:
            return
        try:
            fresh = await self._operator.again(self.operation)
        except InfrastructureException as error:
            self._note(clean(error.message))
            return
        fresh.watcher, self.operation = self._changed, fresh
        self._show_plan()
