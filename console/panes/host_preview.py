"""The preview beside the fleet: the host under the cursor in as many lines as there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.panes.host_findings import troubles
from console.panes.host_sheet import filesystems, header, heading, plots
from console.widgets.line import Line

if TYPE_CHECKING:
    from console.panes.host_sheet import Sheet
    from console.widgets.palette import Palette
    from core.models import HostView

_MOST_FILESYSTEMS, _MOST_TROUBLES = 8, 4


class Preview:
    """Header, plots and filesystems of a host, cut to the room; what does not age is kept while the host's view is."""

    def __init__(self) -> None:
        self._of: HostView | None = None
        self._for: tuple[int, int, Palette] | None = None
        self._kept: list[Line] = []

    def lines(self, view: HostView | None, sheet: Sheet, room: int) -> list[Line]:
        """Return the lines of that host, at most so many."""
        if view is None:
            return [Line().add("no host under the cursor", sheet.look.dim)]
        head = [*header(view, sheet), *troubles(view, sheet)[:_MOST_TROUBLES]]
        left = room - len(head)
        if view is not self._of or (sheet.width, left, sheet.look) != self._for:
            self._of, self._for = view, (sheet.width, left, sheet.look)
            self._kept = self._below(view, sheet, left)
        return [*head, *self._kept][:room]

    def _below(self, view: HostView, sheet: Sheet, room: int) -> list[Line]:
        disks = filesystems(view, sheet)[:_MOST_FILESYSTEMS]
        rows = max(1, min(6, (room - len(disks) - 3) // 6 - 1))
        lines = [Line()]
        if view.history.times or view.sample is not None:
            lines += [*plots(view, sheet, rows, 1), Line()]
        return [*lines, heading("FILESYSTEMS", sheet), *disks]
