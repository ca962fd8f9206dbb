"""Frames of one shape: of one length, with the same bytes everywhere but in figures. Then even the cutting is learned.

Most frames of a host differ from those before in nothing but digits: a figure stands at the same bytes until it gets
a digit more. A shape is made from a frame that its layout took, and takes what that layout would take, word for word,
without cutting the frame into words: that costs half of what reading one does. What must be the same is kept as a
hash alone (Python's, of 64 bits under a key of this process): of a fleet's thousands of shapes the memory counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from struct import Struct

from core.collectors.layout import AVERAGE_CELLS, SEQ, Layout, Reading, getter

_LONGEST = 1 << 14  # bytes of a frame whose shape is worth keeping
_KEPT = 4  # with and without filesystems, and each with a figure that goes between 9 and 10, and back
_PRICE = 40  # one in so many frames may be learned from: that costs what fifteen save
_CREDIT = 3 * _PRICE
_OUTLINE = bytes.maketrans(b"123456789", b"0" * 9)
_WORD = re.compile(rb"\S+")
_DIGIT = re.compile(rb"\d")


class Shape:
    """Where figures stand in the bytes of such a frame, and the digits that are none (names, marks)."""

    __slots__ = ("_cut", "_end", "_figures", "_still", "_still_at", "layout")

    def __init__(self, layout: Layout, frame: bytes) -> None:
        """Raise ValueError where a figure must stand still, too (a size of nothing): such frames are read in words."""
        self.layout = layout
        words = [found.span() for found in _WORD.finditer(frame)]
        figures = [words[place] for place in layout.figures_at.places]
        floats = [words[place] for place in layout.floats_at.places]
        if layout.pressure:
            floats[-3:] = [(start + AVERAGE_CELLS, end) for start, end in floats[-3:]]
        fixed = set(layout.fixed_at.places)
        moving = [span for place, span in enumerate(words) if place not in fixed]
        between = pairwise([0, *(edge for span in moving for edge in span), len(frame)])
        still = [span for span in list(between)[::2] if _DIGIT.search(frame, *span)]
        spans = [*figures, *floats, words[-1], *still]
        order = {span: number for number, span in enumerate(sorted(spans))}
        self._cut = Struct(_format(sorted(spans), len(frame)))
        self._figures = getter([order[span] for span in (*figures, *floats)])
        self._end = order[words[-1]], order[words[SEQ]]
        self._still_at = getter([order[span] for span in still])
        self._still = hash(self._still_at(self._cut.unpack(frame)))

    def read(self, frame: bytes) -> Reading | None:
        """Return the figures of a frame of this outline; None where a digit that is no figure is another one."""
        if len(frame) != self._cut.size:
            return None
        cut = self._cut.unpack(frame)
        end, seq = self._end
        if cut[end] != cut[seq] or hash(self._still_at(cut)) != self._still:
            return None
        return self.layout.reading(b",".join(self._figures(cut)), len(self.layout.figures_at.places))


class Shapes:
    """The shapes of one host's frames, by their outline; one is learned when it is seen again, and shapes pay off."""

    __slots__ = ("_by_outline", "_credit", "_last", "_unknown")

    def __init__(self) -> None:
        self._by_outline: dict[int, Shape] = {}
        self._last = self._unknown = 0  # outlines: the last one, and the last that had no shape
        self._credit = _CREDIT

    def read(self, frame: bytes) -> tuple[Layout, Reading] | None:
        """Return layout and figures of a frame of a known shape."""
        if len(frame) > _LONGEST:
            return None
        self._last = outline = hash(frame.translate(_OUTLINE))
        shape = self._by_outline.get(outline)
        if self._credit < _CREDIT:
            self._credit += 1
        if shape is None or (reading := shape.read(frame)) is None:
            return None
        return shape.layout, reading

    def learn(self, frame: bytes, layout: Layout) -> None:
        """Take note of the frame just asked for, which its layout took."""
        if len(frame) > _LONGEST:
            return
        again, self._unknown = self._last == self._unknown, self._last
        if not again or self._credit < _PRICE:
            return
        self._credit -= _PRICE
        with suppress(ValueError):
            shape = Shape(layout, frame)
            while len(self._by_outline) >= _KEPT:
                del self._by_outline[next(iter(self._by_outline))]
            self._by_outline[self._last] = shape


def _format(spans: Sequence[tuple[int, int]], length: int) -> str:
    """Return the struct format that cuts these spans, in order, out of so many bytes."""
    parts = []
    for (_, before), (start, end) in pairwise([(0, 0), *spans]):
        if start < before:
            raise ValueError("figures that overlap")
        parts.append(f"{start - before}x{end - start}s")
    return "".join(parts) + f"{length - spans[-1][1]}x"
