"""Plots in plain characters: sparklines of one row, filled plots of several, bars."""

from __future__ import annotations

from collections.abc import Sequence

Values = Sequence[float | None]
_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_AREA = " " + _BLOCKS


def tail(values: Values, width: int) -> list[float | None]:
    """Return the last ``width`` values, filled up with None on the left."""
    kept = list(values[-width:]) if width > 0 else []
    return [None] * (width - len(kept)) + kept


def top_of(values: Values, floor: float = 1.0) -> float:
    """Return a round top of a scale (1, 2 or 5 times a power of ten) that holds all values and the floor."""
    most = max((value for value in values if value is not None), default=0.0)
    step = 1.0
    while step < max(most, floor):
        for factor in (1.0, 2.0, 5.0):
            if step * factor >= max(most, floor):
                return step * factor
        step *= 10
    return step


def spark(values: Values, width: int, top: float = 100.0) -> str:
    """Return a sparkline of the last values in one row; a gap is a blank."""
    if top <= 0:
        top = 1.0
    return "".join(
        " " if value is None else _BLOCKS[min(7, max(0, int(value / top * 8)))] for value in tail(values, width)
    )


def gathered(values: Values, cells: int, capacity: int) -> list[float | None]:
    """Return the highest value of each cell's share of the history, newest at the right.

    A full history of ``capacity`` values fills the width; a peak is never lost between two cells.
    """
    share = capacity / cells if cells else 1.0
    length = len(values)
    out: list[float | None] = []
    for cell in range(cells):
        end = length - int((cells - 1 - cell) * share)
        start = min(end - 1, length - int((cells - cell) * share))
        known = [value for value in values[max(0, start) : max(0, end)] if value is not None]
        out.append(max(known, default=None))
    return out


def area(values: Values, width: int, height: int, top: float, capacity: int = 120) -> list[str]:
    """Return a filled plot of ``height`` rows, top row first, with eight levels a row.

    Blocks rather than braille: every terminal font has them. A known zero shows one level, unknown none.
    """
    full = height * 8
    levels = [
        0 if value is None else max(1, min(full, round(max(0.0, value) / top * full)))
        for value in gathered(values, width, capacity)
    ]
    rows: list[str] = []
    for row in range(height):
        base = (height - 1 - row) * 8
        rows.append("".join(_AREA[min(8, max(0, level - base))] for level in levels))
    return rows


def bar(part: float | None, width: int) -> tuple[str, str]:
    """Return the filled and the empty end of a bar; ``part`` is 0 to 1, None gives an empty one."""
    if part is None:
        return "", "·" * width
    cells = max(0.0, min(1.0, part)) * width
    whole = int(cells)
    filled = "█" * whole
    if whole < width and (eighth := _EIGHTHS[int((cells - whole) * 8)]) != " ":
        filled += eighth
    return filled, "·" * (width - len(filled))
