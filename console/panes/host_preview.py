"""The preview beside the fleet: the host under the cursor in as many lines as there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.panes.host_findings import troubles
from console.panes.host_sheet import filesystems, header, heading, plots
from console.widgets.line import Line

if TYPE_CHECKING:
    from console.panes.host_sheet import Sheet
    from core.models import HostView

_MOST_FILESYSTEMS, _MOST_TROUBLES = 8, 4


def preview_lines(view: HostView | None, sheet: Sheet, room: int) -> list[Line]:
    """Return header, plots and filesystems, cut to the room."""
    if view is None:
        return [Line().add("no host under the cursor", sheet.look.dim)]
    head = [*header(view, sheet), *troubles(view, sheet)[:_MOST_TROUBLES]]
    disks = filesystems(view, sheet)[:_MOST_FILESYSTEMS]
    rows = max(1, min(6, (room - len(head) - len(disks) - 3) // 6 - 1))
    lines = [*head, Line()]
    if view.history.times or view.sample is not None:
        lines += [*plots(view, sheet, rows, 1), Line()]
    return [*lines, heading("FILESYSTEMS", sheet), *disks][:room]
