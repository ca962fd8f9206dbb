"""The last looks at a host's containers and units, kept small: made into an ItemHistory only where somebody looks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from core.models import ContainerUse, ItemHistory, ItemSample, UnitUse
from core.models.items import CONTAINER, UNIT

POINTS = 60  # half an hour of containers, an hour of units
_WIDTH = 3  # time, CPU, memory
_UNKNOWN = float("nan")
Key = tuple[str, str]  # kind and name


class RecentItems(Mapping[Key, ItemHistory]):
    """What each container and unit of one host used; never changes, a later look makes another one."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[Key, array[float]] | None = None) -> None:
        self._rows = rows or {}

    def after(self, at: datetime, kind: str, sample: ItemSample | None) -> RecentItems:
        """Return them with a look more at those of one kind: who told nothing has a gap, who has but gaps is let go."""
        told: dict[str, tuple[float, float]] = {}
        if sample is not None:
            every: tuple[ContainerUse | UnitUse, ...] = (*sample.containers, *sample.units)
            told = {one.name: (_figure(one.cpu_pct), _figure(one.mem_used)) for one in every}
        rows = {key: row for key, row in self._rows.items() if key[0] != kind}
        for name in dict.fromkeys([*(name for each, name in self._rows if each == kind), *told]):
            figures = told.get(name, (_UNKNOWN, _UNKNOWN))
            row = self._rows.get((kind, name), array("d"))[-(POINTS - 1) * _WIDTH :]
            row.extend((at.timestamp(), *figures))
            # Most know their newest figures, and the others need not be looked at.
            if any(figure == figure for figure in (*figures, *row[1::_WIDTH], *row[2::_WIDTH])):
                rows[kind, name] = row
        return RecentItems(rows)

    def __getitem__(self, key: Key) -> ItemHistory:
        row = self._rows[key]
        times = tuple([datetime.fromtimestamp(at, UTC) for at in row[::_WIDTH]])
        return ItemHistory(times, _known(row[1::_WIDTH]), _known(row[2::_WIDTH]))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows


def _figure(figure: float | None) -> float:
    return _UNKNOWN if figure is None else figure


def _known(figures: Iterable[float]) -> tuple[float | None, ...]:
    return tuple([figure if figure == figure else None for figure in figures])


KINDS = {"containers": CONTAINER, "services": UNIT}  # the kind of items that a finding tells of
