"""What a container or unit used at the last looks: two curves and how high they went. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.formatting import age, percent, short_bytes
from console.widgets.line import Line
from console.widgets.plots import gathered, spark, top_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.widgets.palette import Palette
    from console.widgets.plots import Values
    from core.models import ItemHistory

_LABEL, _SAID = 11, 15  # cells of the label before the curves, of the words behind one
_NARROW = 72  # up to here each curve has a line of its own


def past_lines(past: ItemHistory | None, width: int, look: Palette) -> list[Line]:
    """Return CPU and memory of the last looks; nothing where there were not two of them yet."""
    if past is None or len(past.times) < 2:
        return []
    over = f"last {age((past.times[-1] - past.times[0]).total_seconds())}"
    curves: tuple[tuple[str, Values, Callable[[float | None], str], float], ...] = (
        ("CPU", past.cpu, percent, 100.0),
        ("MEM", past.mem, short_bytes, 1024.0),
    )
    apart = width <= _NARROW
    room = width - _LABEL if apart else (width - _LABEL - 2) // 2
    cells = max(4, min(len(past.times), room - 4 - _SAID))
    lines: list[Line] = []
    for number, (word, values, form, least) in enumerate(curves):
        if apart or not lines:
            lines.append(Line().cell("" if number else over, _LABEL - 1, look.dim).gap())
        else:
            lines[-1].to(_LABEL + room + 2)
        most = max((value for value in values if value is not None), default=None)
        lines[-1].cell(word, 3, look.dim).gap()
        lines[-1].cell(
            spark(gathered(values, cells, len(values)), cells, top_of(values, least)), cells, look.plot
        ).gap()
        lines[-1].add(f"up to {form(most)}" if most is not None else "not told", look.text)
    return lines
