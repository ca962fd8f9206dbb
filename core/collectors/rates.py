"""Rates from counters: a counter that went back (wrap, reset, reboot) gives no rate, never a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import sub
from typing import Any, Generic, TypeVar

from core.collectors.text import name_of

Row = TypeVar("Row", bound=tuple[bytes, ...])
Counters = TypeVar("Counters", bound=Sequence[int])
Figures = TypeVar("Figures")
MIN_INTERVAL_S = 0.05  # uptime has steps of 0.01 s: a shorter interval would be mostly rounding


def deltas(before: Sequence[int], now: Sequence[int]) -> list[int] | None:
    """Return the growth of each counter, or None where any of them went back: then none can be trusted."""
    grown = list(map(sub, now, before))
    return grown if min(grown, default=0) >= 0 else None


def interval(before: float | None, now: float | None) -> float | None:
    """Seconds of the host's uptime between two frames; None where it cannot be known or is too short."""
    if before is None or now is None:
        return None
    seconds = now - before
    return seconds if seconds >= MIN_INTERVAL_S else None


class Devices(Generic[Row, Counters, Figures]):
    """The counters of one kind of device from frame to frame; only the devices that are shown are converted.

    A row's first field is the device's name; ``choose`` says which names are shown, and in which order.
    """

    def __init__(
        self,
        rows: Callable[[bytes], list[Row]],
        counters: Callable[[Row], Counters],
        choose: Callable[[Sequence[str]], tuple[str, ...]],
        figures: Callable[[str, Counters | None, Counters, float | None], Figures],
    ) -> None:
        self._rows, self._counters, self._choose, self._figures = rows, counters, choose, figures
        self._names: list[bytes] = []
        self._chosen: list[tuple[str, int]] = []
        self._before: dict[str, Counters] = {}

    def forget(self) -> None:
        """The next reading has nothing to compare with."""
        self._before = {}

    def read(self, text: bytes, seconds: float | None) -> tuple[Figures, ...]:
        """Return the rates since the last reading, that many seconds ago; raise DataCollectionError on garbage."""
        before, self._before = self._before, {}
        rows = self._rows(text)
        names = [row[0] for row in rows]
        if names != self._names:
            places = {name_of(name): index for index, name in enumerate(names)}
            self._chosen = [(name, places[name]) for name in self._choose(list(places))]
            self._names = names
        now = self._before
        for name, index in self._chosen:
            now[name] = self._counters(rows[index])
        figures = self._figures
        return tuple([figures(name, before.get(name), counters, seconds) for name, counters in now.items()])

    def take(
        self, names: Sequence[str], ints: Sequence[int], at: int, width: int, seconds: float | None
    ) -> tuple[Figures, ...]:
        """Return the same for counters that are numbers already: ``width`` of them for each name, from ``at`` on."""
        before, now, figures = self._before, {}, self._figures
        made = []
        for name in names:
            counters: Any = ints[at : at + width]
            now[name] = counters
            made.append(figures(name, before.get(name), counters, seconds))
            at += width
        self._before = now
        return tuple(made)

    def put(self, names: Sequence[str], ints: Sequence[int], at: int, width: int) -> None:
        """Take counters that are numbers already as those of the last reading."""
        before: dict[str, Any] = {}
        for name in names:
            before[name] = ints[at : at + width]
            at += width
        self._before = before

    @property
    def chosen(self) -> Sequence[tuple[str, int]]:
        """The devices shown, each with the number of its line."""
        return self._chosen
