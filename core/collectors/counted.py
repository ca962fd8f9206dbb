"""The counters of a host's disks and interfaces as one row of numbers, where frames are read by position."""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub
from typing import Any

from core.collectors import io, net
from core.collectors.layout import ITEMS, Layout
from core.collectors.rates import Devices
from core.models import DiskFigures, InterfaceFigures
from core.models.making import twin

_Disk, _Interface = twin(DiskFigures), twin(InterfaceFigures)
Rates = tuple[tuple[DiskFigures, ...] | None, tuple[InterfaceFigures, ...] | None, int]
"""The figures of both kinds, None where a section is missing, and where the ints that follow begin."""


class Counted:
    """Rates of all items at once as long as frame follows frame in one layout; else item by item, as ``Devices`` do."""

    def __init__(self, disks: Devices[Any, Any, DiskFigures], interfaces: Devices[Any, Any, InterfaceFigures]) -> None:
        self._disks, self._interfaces = disks, interfaces
        self._names: tuple[tuple[str, ...] | None, tuple[str, ...] | None] = (None, None)
        self._row: list[int] = []

    def hand_over(self) -> None:
        """Let the careful parsers go on from here."""
        if not self._row:
            return
        disks, interfaces = self._names
        self._disks.put(disks or (), self._row, 0, io.WIDTH)
        self._interfaces.put(interfaces or (), self._row, io.WIDTH * len(disks or ()), net.WIDTH)
        self._row = []

    def take(self, layout: Layout, ints: list[int], seconds: float | None) -> Rates:
        """Return the rates since the last frame, ``seconds`` ago; all None where that is not known."""
        disks, interfaces = layout.disks or (), layout.interfaces or ()
        middle = ITEMS + io.WIDTH * len(disks)
        end = middle + net.WIDTH * len(interfaces)
        row, before = ints[ITEMS:end], self._row
        if before and self._names == (layout.disks, layout.interfaces):
            grown = list(map(sub, row, before))
            if min(grown) >= 0:
                self._row = row
                return (
                    None if layout.disks is None else _disk_rates(disks, grown, seconds),
                    None if layout.interfaces is None else _interface_rates(interfaces, grown, middle - ITEMS, seconds),
                    end,
                )
        self.hand_over()
        found_disks = self._disks.take(disks, ints, ITEMS, io.WIDTH, seconds)
        found_interfaces = self._interfaces.take(interfaces, ints, middle, net.WIDTH, seconds)
        self._names, self._row = (layout.disks, layout.interfaces), row
        return (
            None if layout.disks is None else found_disks,
            None if layout.interfaces is None else found_interfaces,
            end,
        )


def _disk_rates(names: Sequence[str], grown: Sequence[int], seconds: float | None) -> tuple[DiskFigures, ...]:
    if seconds is None:
        return tuple([DiskFigures(name) for name in names])
    made, at = [], 0
    for name in names:
        reads, read_sectors, writes, written_sectors, busy_ms = grown[at : at + 5]
        at += 5
        busy = busy_ms / (seconds * 10.0)
        one = _Disk(
            name,
            read_sectors * io.SECTOR / seconds,
            written_sectors * io.SECTOR / seconds,
            reads / seconds,
            writes / seconds,
            busy if busy <= 100.0 else 100.0,
        )
        one.__class__ = DiskFigures
        made.append(one)
    return tuple(made)


def _interface_rates(
    names: Sequence[str], grown: Sequence[int], at: int, seconds: float | None
) -> tuple[InterfaceFigures, ...]:
    if seconds is None:
        return tuple([InterfaceFigures(name) for name in names])
    made = []
    for name in names:
        rx, rx_packets, rx_errors, rx_drops, tx, tx_packets, tx_errors, tx_drops = grown[at : at + 8]
        at += 8
        one = _Interface(
            name,
            rx / seconds,
            tx / seconds,
            rx_packets / seconds,
            tx_packets / seconds,
            (rx_errors + tx_errors) / seconds,
            (rx_drops + tx_drops) / seconds,
        )
        one.__class__ = InterfaceFigures
        made.append(one)
    return tuple(made)
