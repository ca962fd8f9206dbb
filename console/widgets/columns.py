"""Typed columns: what each cell says, what it sorts by and what is exported; and which columns fit a width. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.style import Style

from console.formatting import DASH, clean

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import HostState

R = TypeVar("R")
Scalar = str | int | float | bool | datetime | None
Cell = tuple[str, Style | None]
SortKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What the drawing of a cell depends on besides its row."""

    palette: Palette
    now: datetime
    states: Mapping[str, HostState] = field(default_factory=dict)  # of the hosts, by name


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column. ``value`` is what it sorts by and exports, None where unknown; ``show`` is how it reads.

    ``worth`` is the width of the table from which on it is there at all; ``grow`` its share of what is left.
    ``rank`` stands for the value where a word sorts by something else. Figures sort highest first, texts from A on.
    """

    name: str
    title: str
    width: int
    value: Callable[[R], Scalar]
    show: Callable[[R, Look], Cell] | None = None
    worth: int = 0
    right: bool = False
    grow: int = 0
    rank: Callable[[R], float | None] | None = None
    rising: bool = False

    def cell(self, row: R, look: Look) -> Cell:
        """Return text and style of the row's cell."""
        if self.show is not None:
            return self.show(row, look)
        value = self.value(row)
        return (DASH, look.palette.faint) if value is None else (clean(str(value)), look.palette.text)

    def key(self, row: R, backwards: bool) -> SortKey:
        """Return what the row sorts by under ``sort(reverse=self.reversed(backwards))``; unknown ones stand last."""
        value: Any = self.rank(row) if self.rank else self.value(row)
        if self.is_figure:
            if value is None:
                return True, 0.0
            number = value.timestamp() if isinstance(value, datetime) else value
            return False, number if self.rising is not backwards else -number
        text = "" if value is None else str(value).lower()
        return (not text) is not backwards, text

    @property
    def is_figure(self) -> bool:
        """Whether it sorts by a figure; such columns stand at the right, or have a rank."""
        return self.right or self.rank is not None

    def reversed(self, backwards: bool) -> bool:
        """Whether sorted keys are to be turned around: those of texts alone, for figures are negated."""
        return backwards and not self.is_figure


Places = tuple[tuple[int, int], ...]
"""Index of each column that is shown, and its cells."""


@lru_cache(maxsize=128)
def fitted(widths: tuple[tuple[int, int, int], ...], width: int) -> Places:
    """Return which columns fit, by (width, worth, grow) of each; those of the highest worth fall away first."""
    kept = [place for place, (_cells, worth, _grow) in enumerate(widths) if worth <= width]

    def total() -> int:
        return sum(widths[place][0] + 1 for place in kept)

    while len(kept) > 1 and total() > width:
        kept.remove(max(kept[1:], key=lambda place: (widths[place][1], place)))
    left = max(0, width - total())
    shares = sum(widths[place][2] for place in kept)
    places = []
    for place in kept:
        cells, _worth, grow = widths[place]
        extra = left * grow // shares if shares else 0
        places.append((place, min(width, cells + extra)))
    return tuple(places)


def places_of(columns: Sequence[Column[Any]], width: int) -> Places:
    """Return the columns that fit, and their cells."""
    return fitted(tuple((each.width, each.worth, each.grow) for each in columns), width)


@dataclass(frozen=True, slots=True)
class TableData:
    """A table as it is exported: every column, the rows as they stand, values rather than words."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]


def table_data(name: str, columns: Sequence[Column[R]], rows: Sequence[R]) -> TableData:
    """Return the rows with all columns, whatever the width shows."""
    return TableData(
        name, tuple(each.name for each in columns), tuple(tuple(each.value(row) for each in columns) for row in rows)
    )
