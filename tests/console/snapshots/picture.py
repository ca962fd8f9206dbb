"""The format of a picture: a legend of styles, then each row's text and which style covers how many of its cells.

A row of the second part reads ``3-5 2a60b c``: rows 3 to 5 have two cells of style a, sixty of b, and c to the end.
"""

from __future__ import annotations

from difflib import unified_diff
from itertools import groupby

from rich.cells import cell_len
from rich.style import Style

from tests.console.walking import Cells

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _letter(index: int) -> str:
    most = len(_LETTERS)
    return _LETTERS[index] if index < most else _LETTERS[index // most - 1] + _LETTERS[index % most]


def _runs(row: list[tuple[str, Style]], legend: dict[str, str]) -> str:
    words = []
    for number, (text, style) in enumerate(row):
        letter = legend.setdefault(str(style), _letter(len(legend)))
        last = number == len(row) - 1
        words.append(letter if last else f"{cell_len(text)}{letter}")
    return " ".join(words)


def written(cells: Cells) -> str:
    """Return the picture."""
    legend: dict[str, str] = {}
    runs = [_runs(row, legend) for row in cells]
    lines = ["|" + "".join(text for text, _ in row).rstrip() for row in cells]
    lines.append("")
    for runs_of, group in groupby(enumerate(runs, 1), key=lambda each: each[1]):
        rows = [number for number, _ in group]
        lines.append(f"{rows[0]}-{rows[-1]} {runs_of}" if len(rows) > 1 else f"{rows[0]} {runs_of}")
    lines.append("")
    lines += [f"{letter} {style}" for style, letter in legend.items()]
    return "\n".join(lines) + "\n"


def _read(picture: str) -> tuple[list[str], list[list[str]]]:
    """Return the rows' texts, and the style of each cell."""
    texts, runs, legend = picture.split("\n\n")
    rows = [line[1:] for line in texts.splitlines()]
    names = dict(line.split(" ", 1) for line in legend.splitlines())
    styles: list[list[str]] = []
    for line in runs.splitlines():
        place, *words = line.split(" ")
        first, _, last = place.partition("-")
        row: list[str] = []
        for word in words:
            letter = word.lstrip("0123456789")
            row += [names[letter]] * int(word[: len(word) - len(letter)] or 1)
        styles += [row] * (int(last or first) - int(first) + 1)
    return rows, styles


def _styled(row: list[str], column: int) -> str:
    return row[min(column, len(row) - 1)] if row else ""


def difference(name: str, stored: str, now: str, most: int = 40) -> str:
    """Return what differs, for a person to read; empty where nothing does."""
    if stored == now:
        return ""
    stored = stored or "|\n\n1 a\n\na none\n"
    (old_rows, old_styles), (rows, styles) = _read(stored), _read(now)
    if old_rows != rows:
        said = list(unified_diff(old_rows, rows, f"{name} stored", f"{name} now", lineterm="", n=1))
        return "\n".join(said[:most] + [f"... {len(said) - most} lines more"] * (len(said) > most))
    said = []
    for number, (old, new) in enumerate(zip(old_styles, styles, strict=True), 1):
        width = max(len(old), len(new), cell_len(rows[number - 1]))
        column = next((at for at in range(width) if _styled(old, at) != _styled(new, at)), None)
        if column is not None:
            words = rows[number - 1][column : column + 20]
            said.append(
                f"row {number} column {column + 1} {words!r}: {_styled(old, column)} is now {_styled(new, column)}"
            )
    said = said or ["the same cells are written in another way"]
    return "\n".join([f"{name}: the styles differ", *said[:most]])
