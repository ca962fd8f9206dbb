"""What lists ask of the main screen: hosts side by side, the map of the fleet, a table or the screen in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.actions.export import as_csv, as_json, format_of, write_new
from console.formatting import clean
from console.messages import HostWanted
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.messages import CompareWanted, HeatWanted
    from console.panes.base import Pane
    from console.services import ConsoleServices
    from console.widgets.columns import TableData


class TableRequests(Screen[None]):
    """The part of the main screen that lists and tables need."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "export", show=False, tooltip="write table or screen to a file", id="main.export"),
    ]
    services: ConsoleServices

    @property
    def pane(self) -> Pane:
        """The pane shown."""
        raise NotImplementedError

    def told(self, error: InfrastructureException) -> None:
        """Show an error as a toast."""
        raise NotImplementedError

    def on_compare_wanted(self, message: CompareWanted) -> None:
        from console.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(message.hosts, self.services), self._to_host)

    def on_heat_wanted(self, message: HeatWanted) -> None:
        from console.screens.heat import HeatScreen

        self.app.push_screen(HeatScreen(message.host, self.services), self._to_host)

    def _to_host(self, host: str | None) -> None:
        if host is not None:
            self.post_message(HostWanted(host))

    def action_export(self) -> None:
        """Ask for a file, then write the pane's table or the screen."""
        from console.screens.export import ExportDialog

        table = self.pane.table_data()

        def chosen(path: str | None) -> None:
            if path is not None:
                self.call_after_refresh(self._write, path, table)

        self.app.push_screen(ExportDialog(table, self.pane.id or "screen"), chosen)

    async def _write(self, path: str, table: TableData | None) -> None:
        try:
            ending = format_of(path)
            if ending == "svg" or table is None:
                text = self.app.export_screenshot(title="Jumpwatch")
            else:
                text = await asyncio.to_thread(as_csv if ending == "csv" else as_json, table)
            await asyncio.to_thread(write_new, Path(path), text)
        except InfrastructureException as error:
            self.told(error)
            return
        self.notify(f"wrote {clean(path)}", timeout=4, markup=False)
