"""Plots in plain characters: sparklines of one row, filled braille plots of several, bars."""

from __future__ import annotations

from collections.abc import Sequence

Values = Sequence[float | None]
_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
# Dots of one braille cell filled from below, left and right column, 0 to 4 high.
_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_CELLS = [[chr(0x2800 + left + right) if left + right else " " for right in _RIGHT] for left in _LEFT]


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


def stretched(values: Values, dots: int, capacity: int) -> list[float | None]:
    """Return ``dots`` values, newest at the right; a full history of ``capacity`` values fills the width."""
    per_dot = min(1.0, capacity / dots) if dots else 1.0
    length = len(values)
    out: list[float | None] = []
    for dot in range(dots):
        index = length - 1 - int((dots - 1 - dot) * per_dot)
        out.append(values[index] if 0 <= index < length else None)
    return out


def braille(values: Values, width: int, height: int, top: float, capacity: int = 120) -> list[str]:
    """Return a filled plot of ``height`` rows, top row first; two values a cell, four dots a row."""
    levels: list[int] = []
    full = height * 4
    for value in stretched(values, width * 2, capacity):
        # Any known value shows one dot, so that zero and unknown differ.
        levels.append(0 if value is None else max(1, min(full, round(max(0.0, value) / top * full))))
    rows: list[str] = []
    for row in range(height):
        base = (height - 1 - row) * 4
        rows.append(
            "".join(
                _CELLS[min(4, max(0, levels[cell] - base))][min(4, max(0, levels[cell + 1] - base))]
                for cell in range(0, width * 2, 2)
            )
        )
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
