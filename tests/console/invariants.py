"""What holds of every screen, whatever it shows: widths, whole words beside glyphs, no control characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.style import Style

from console.widgets.severity import DATABASE_STATES, HOST_STATES
from tests.console.walking import Cells

GLYPHS = {glyph for glyph, *_ in (*HOST_STATES.values(), *DATABASE_STATES.values())}
WORDS = {word for _, word, *_ in (*HOST_STATES.values(), *DATABASE_STATES.values())}
_WHOLE = WORDS | {"no"}  # no alerts, no database
_BESIDE = re.compile("[" + "".join(sorted(GLYPHS)) + r"] ([a-z]+)(…|(?= |$))")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
# A figure that is nothing but zero; the age 0s is one that is known.
ZERO = re.compile(r"(?<![\w.,:/-])0(?:\.0+)?(?:%|B|[KMGT])?(?![\w.,:/-])")


def broken(cells: Cells, size: tuple[int, int]) -> Iterator[str]:
    """Say what is wrong with a screen."""
    if len(cells) != size[1]:
        yield f"{len(cells)} rows, the terminal has {size[1]}"
    for number, row in enumerate(cells, 1):
        text = "".join(piece for piece, _ in row)
        if cell_len(text) != size[0]:
            yield f"row {number} is {cell_len(text)} wide: {text!r}"
        if _CONTROL.search(text):
            yield f"row {number} has control characters: {text!r}"
        for word, cut in _BESIDE.findall(text):
            part = any(whole.startswith(word) for whole in WORDS)
            # One letter without a sign that it is cut begins a name: no column of states is so narrow.
            if part and (cut or (len(word) > 1 and word not in _WHOLE)):
                yield f"row {number} cuts a state's word: {word + cut!r} in {text!r}"


def coloured(cells: Cells) -> Iterator[str]:
    """Say where there is colour; greys are none."""
    for number, row in enumerate(cells, 1):
        for text, style in row:
            if hues := [part for part in (style.color, style.bgcolor) if part is not None and _hue(part)]:
                yield f"row {number} {text!r}: {', '.join(str(hue) for hue in hues)}"


def _hue(colour: object) -> bool:
    triplet = getattr(colour, "triplet", None)
    if triplet is None:
        return getattr(colour, "number", None) is not None
    return max(triplet) - min(triplet) > 2


def told_apart(one: Style, other: Style) -> bool:
    """Whether two styles differ by more than a shade that nobody sees."""
    attributes = [(s.bold, s.reverse, s.underline, s.dim) for s in (one, other)]
    if attributes[0] != attributes[1]:
        return True
    grounds = [s.bgcolor.triplet.red if s.bgcolor and s.bgcolor.triplet else 0 for s in (one, other)]
    return abs(grounds[0] - grounds[1]) >= 16
