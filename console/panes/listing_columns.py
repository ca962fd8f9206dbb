"""The columns that the lists over the fleet share, and short ways to make the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from console.formatting import DASH, age, clean, count, percent, short_bytes
from console.widgets.columns import Column
from console.widgets.line import Line, wrap
from console.widgets.severity import HOST_STATES, age_level
from core.models import HostState

if TYPE_CHECKING:
    from console.panes.listing import Row
    from console.widgets.columns import Cell, Look
    from console.widgets.palette import Palette

V = TypeVar("V")
GLYPHS = ("●", "▲", "✗")
_AWAY = (HostState.OFFLINE, HostState.UNKNOWN, HostState.MAINTENANCE)
_RANK = 1e6  # weights are below it


def state_column(cells: int = 12) -> Column[Row[Any]]:
    """Return glyph and word of a row, worst first."""

    def show(row: Row[Any], look: Look) -> Cell:
        style = look.palette.level(row.level) if row.level else look.palette.ok
        return f"{GLYPHS[row.level]} {clean(row.state)}", style

    return Column(
        "state", "STATE", cells, lambda row: row.state, show, rank=lambda row: row.level * _RANK + min(row.weight, 9e5)
    )


def host_column() -> Column[Row[Any]]:
    """Return the host's name, with its state where it is away."""

    def show(row: Row[Any], look: Look) -> Cell:
        state = look.states.get(row.host, HostState.ONLINE)
        if state in _AWAY:
            return f"{HOST_STATES[state][0]} {clean(row.host)}", look.palette.state(state)
        return clean(row.host), look.palette.strong

    return Column("host", "HOST", 13, lambda row: row.host, show, grow=2)


def age_column(every_s: float) -> Column[Row[Any]]:
    """Return how old the data is; past three of its own intervals it is marked."""

    def show(row: Row[Any], look: Look) -> Cell:
        seconds = (look.now - row.ts).total_seconds()
        old = age_level(seconds, every_s)
        return age(seconds) + ("!" if old else ""), look.palette.level(old) if old else look.palette.dim

    return Column("age", "AGE", 5, lambda row: row.ts, show, worth=-1, right=True, rising=True)


def text(
    name: str,
    title: str,
    cells: int,
    read: Callable[[V], str | None],
    *,
    worth: int = 0,
    grow: int = 0,
    dim: bool = False,
) -> Column[Row[V]]:
    """Return a column of foreign text."""

    def show(row: Row[V], look: Look) -> Cell:
        found = read(row.value)
        return clean(found) if found else DASH, look.palette.dim if dim or not found else look.palette.text

    return Column(name, title, cells, lambda row: read(row.value), show, worth=worth, grow=grow)


def figure(
    name: str, title: str, cells: int, read: Callable[[V], float | int | None], form: Callable[[Any], str] = count,
    *, worth: int = 0, level: Callable[[V], int] = lambda value: 0,
) -> Column[Row[V]]:  # fmt: skip
    """Return a column of figures, highest first; an unknown one is a dash."""

    def show(row: Row[V], look: Look) -> Cell:
        found = read(row.value)
        if found is None:
            return DASH, look.palette.faint
        return form(found), look.palette.level(level(row.value))

    return Column(name, title, cells, lambda row: read(row.value), show, worth=worth, right=True)


def share(
    name: str, title: str, read: Callable[[V], float | int | None], *, worth: int = 0,
    level: Callable[[V], int] = lambda value: 0,
) -> Column[Row[V]]:  # fmt: skip
    """Return a column of percents."""
    return figure(name, title, 5, read, percent, worth=worth, level=level)


def size(name: str, title: str, read: Callable[[V], float | int | None], *, worth: int = 0) -> Column[Row[V]]:
    """Return a column of bytes."""
    return figure(name, title, 6, read, short_bytes, worth=worth)


def facts(pairs: Iterable[tuple[str, str]], width: int, look: Palette) -> list[Line]:
    """Return label and text of each pair, long ones wrapped; pairs without a text are left out."""
    lines: list[Line] = []
    for label, said in pairs:
        for number, part in enumerate(wrap(clean(said), max(10, width - 11), 4) if said else ()):
            lines.append(Line().cell("" if number else label, 10, look.dim).gap().add(part, look.text))
    return lines


def unique(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the names, each that stands there twice with what tells it apart."""
    twice = {name for name in names if names.count(name) > 1}
    return [f"{name} ({other})" if name in twice else name for name, other in zip(names, others, strict=True)]
