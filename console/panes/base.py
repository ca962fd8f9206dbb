"""What every pane is: it takes views, ticks once a second, filters where it can, and has text to copy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.widget import Widget

from console.messages import LogsWanted, MaintenanceWanted, RunWanted, ShellWanted
from core.models import FleetView

if TYPE_CHECKING:
    from console.widgets.columns import TableData


class Pane(Widget):
    """Base of the panes; reads FleetViews and nothing else."""

    TITLE = ""
    PAST = True  # what it shows is of the moment replayed; False: it shows now, whatever the time line says

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = FleetView(at=datetime.now(UTC))
        self.now = self.view.at
        self.interval_s = 10.0
        self.utc = True

    def update_view(self, view: FleetView) -> None:
        """Take a newer view and draw what differs."""
        self.view = view

    def tick(self, now: datetime) -> None:
        """Let the ages grow; called once a second and before each view."""
        self.now = now

    def set_clock(self, utc: bool) -> None:
        """Show moments in UTC or in local time from now on."""
        self.utc = utc

    def focus_main(self) -> None:
        """Give the keyboard to the pane's first list."""

    def close_inner(self) -> bool:
        """Close what is open within the pane (a filter); say whether there was something."""
        return False

    def copy_text(self) -> tuple[str, str]:
        """Return what `y` copies, and its name."""
        return "", ""

    # What actions work on: the same on every pane, so that a key means the same everywhere.
    @property
    def marked_hosts(self) -> tuple[str, ...]:
        """The hosts marked by hand, or those of the marked rows, by name."""
        return ()

    @property
    def chosen_hosts(self) -> tuple[str, ...]:
        """The hosts an action is meant for: the marked ones, else the one under the cursor."""
        item = self.selected_item
        return self.marked_hosts or ((item[0],) if item else ())

    @property
    def selected_item(self) -> tuple[str, str] | None:
        """Host and item (unit, container, mount ...) under the cursor; the item is empty where the row is a host."""
        return None

    @property
    def chosen_items(self) -> tuple[tuple[str, str], ...]:
        """Host and item of every marked row, else of the one under the cursor."""
        item = self.selected_item
        return (item,) if item else ()

    # What the keys ask for; the panes say which keys.
    def action_run(self) -> None:
        if hosts := self.chosen_hosts:
            self.post_message(RunWanted(hosts))

    def action_maintenance(self) -> None:
        if hosts := self.chosen_hosts:
            self.post_message(MaintenanceWanted(hosts))

    def action_logs(self) -> None:
        if (item := self.selected_item) is not None:
            self.post_message(LogsWanted(item[0]))

    def action_shell(self) -> None:
        if (item := self.selected_item) is not None:
            self.post_message(ShellWanted(item[0]))

    def table_data(self) -> TableData | None:
        """Return the table that `e` exports, as it stands; None where there is none."""
        return None

    def crumbs(self) -> tuple[str, ...]:
        """Return the way to what is shown, outermost first."""
        return (self.TITLE,)

    def to_remember(self) -> dict[str, str]:
        """Return what the next console is to find again: sort, filter."""
        return {}

    async def recall(self, layout: Mapping[str, str]) -> None:
        """Take what ``to_remember`` gave once; what is not known any more is passed over."""
