"""What the fleet shows before there is a host: the progress of the start, or how to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

from console.formatting import clean
from console.widgets.line import Line, wrap

if TYPE_CHECKING:
    from console.widgets.palette import Palette

_WAYS = (
    ("jumpwatch hosts add web-1 --user ops", "watch one host; any name that ssh knows will do"),
    ("jumpwatch hosts import ~/.ssh/config", "take the hosts that ssh already has"),
    ("jumpwatch demo", "look around first, with a simulated fleet"),
)


def welcome(
    startup: tuple[str, ...], notices: tuple[str, ...], starting: bool, size: Size, look: Palette
) -> list[Line]:
    """Return the lines, placed a little above the middle; notices tell what keeps the start from going on."""
    lines: list[Line] = []
    if starting:
        lines.append(Line().add("Starting", look.strong))
        lines.append(Line())
        done = startup or ("reading the inventory",)
        for number, text in enumerate(done[-8:]):
            last = number == len(done[-8:]) - 1
            lines.append(Line().add("○ " if last else "● ", look.info if last else look.ok).add(clean(text), look.text))
    else:
        lines.append(Line().add("No host is watched yet.", look.strong))
        lines.append(Line().add("Nothing is installed on a host: a login by SSH is enough.", look.dim))
        lines.append(Line())
        for command, what in _WAYS:
            lines.append(Line().gap(2).cell(command, 42, look.key).add("" if size.width < 100 else what, look.dim))
            if size.width < 100:
                lines.append(Line().gap(4).add(what, look.dim))
    for notice in notices[-3:]:
        lines.append(Line())
        lines += [Line().add(part, look.warn) for part in wrap("▲ " + clean(notice), min(90, size.width - 4), 5)]
    left = max(1, (size.width - max(line.width for line in lines)) // 2)
    above = max(0, (size.height - len(lines)) // 3)
    return [Line()] * above + [Line().gap(left).extend(line) for line in lines]
