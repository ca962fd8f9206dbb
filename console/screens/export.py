"""Asks where a table, or the screen, is to be written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from console.actions.export import FORMATS, format_of, new_name
from console.formatting import clean
from console.screens.base import Cover
from core.exceptions import ValidationError

if TYPE_CHECKING:
    from console.widgets.columns import TableData


class ExportDialog(Cover[str]):
    """A path whose ending is the format; gives it back, or nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        *(Binding(f"f{place}", f"format('{name}')", name.upper()) for place, name in enumerate(FORMATS, 2)),
    ]

    def __init__(self, table: TableData | None, pane: str) -> None:
        super().__init__()
        self._table, self._stem = table, clean(pane if table is None else table.name)
        self._formats = FORMATS if table is not None else FORMATS[-1:]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Export", classes="dialog-title", markup=False)
            yield Static(self._what(), classes="dialog-text", markup=False)
            yield Input(self._proposed(self._formats[0]), id="export-path", compact=True, select_on_focus=False)
            yield Static("", id="export-error", classes="dialog-note", markup=False)
            with Horizontal(classes="dialog-buttons"):
                for place, name in enumerate(FORMATS, 2):
                    if name in self._formats:
                        yield Button(f"f{place} {name.upper()}", id=f"export-{name}", compact=True)
                yield Button("esc cancel", id="export-cancel", compact=True)

    def on_mount(self) -> None:
        box = self.query_one(Input)
        box.focus()
        box.cursor_position = len(box.value)

    def _what(self) -> str:
        if self._table is None:
            return "This pane has no table; the screen can be written as a picture (SVG)."
        rows = len(self._table.rows)
        return (
            f"{rows} row{'' if rows == 1 else 's'} of {self._stem} as shown, all {len(self._table.columns)} columns: "
            ".csv or .json; or the screen as .svg. Enter writes; nothing is overwritten."
        )

    def _proposed(self, ending: str) -> str:
        return new_name(self._stem, ending, Path.cwd(), datetime.now(UTC)).name

    def action_format(self, name: str) -> None:
        """Change the ending to that of the format."""
        if name in self._formats:
            box = self.query_one(Input)
            box.value = str(Path(box.value).with_suffix(f".{name}")) if Path(box.value).stem else self._proposed(name)
            box.cursor_position = len(box.value)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        name = str(event.button.id).removeprefix("export-")
        if name == "cancel":
            self.action_cancel()
        else:
            self.action_format(name)
            self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            wrong = "" if format_of(event.value) in self._formats else "this pane has no table: .svg writes the screen"
        except ValidationError as error:
            wrong = error.message
        if wrong:
            self.query_one("#export-error", Static).update(clean(wrong))
        else:
            self.dismiss(event.value)
