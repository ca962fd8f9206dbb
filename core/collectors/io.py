"""/proc/diskstats (kernel Documentation/admin-guide/iostats.rst): which devices count, and their counters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.collectors.text import name_of, unreadable
from core.models import DiskFigures
from core.models.making import maker

_make = maker(DiskFigures)
WIDTH = 5  # counters of a device
SECTOR = 512  # bytes, whatever the device's own block size

_LINE = re.compile(
    rb"^ *\d+ +\d+ (\S+) (\d{1,20}) \d{1,20} (\d{1,20}) \d{1,20} (\d{1,20}) \d{1,20} (\d{1,20}) \d{1,20} -?\d{1,20}"
    rb" (\d{1,20}) \d{1,20}(?: \d{1,20})* *$",
    re.MULTILINE,
)
# Partitions of kernels before 2.6.25 have four counters only, and no busy time.
_SHORT = re.compile(rb"^ *\d+ +\d+ (\S+) \d{1,20} \d{1,20} \d{1,20} \d{1,20} *$", re.MULTILINE)
_NO_DISK = re.compile(r"(?:loop|ram|zram|fd|sr|nbd)\d+$|mmcblk\d+(?:boot\d+|rpmb)$")
_PART = re.compile(r"(.*\d)p\d+$|(.*[^\d])\d+$")

Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
Counters = tuple[int, int, int, int, int]
"""Reads, sectors read, writes, sectors written, milliseconds busy; since boot."""


def disk_rows(text: bytes) -> list[Row]:
    """Return the raw fields of every block device, in the file's order; raise DataCollectionError on a foreign line."""
    rows: list[Row] = _LINE.findall(text)
    if len(rows) != text.count(b"\n") + (not text.endswith(b"\n")):
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines or len(rows) + len(_SHORT.findall(text)) != len(lines):
            raise unreadable("diskstats", text)
    return rows


def disk_counters(row: Row) -> Counters:
    """Return the numbers of one row."""
    return int(row[1]), int(row[2]), int(row[3]), int(row[4]), int(row[5])


def parse_diskstats(text: bytes) -> dict[str, Counters]:
    """Return the counters of every block device by name; raise DataCollectionError on a foreign line."""
    return {name_of(row[0]): disk_counters(row) for row in disk_rows(text)}


def real_disks(names: Sequence[str]) -> tuple[str, ...]:
    """Return the whole disks: no loop, RAM or removable devices, no partition of a disk that is there too.

    Device-mapper names are left out where there is a disk below them, for they count the same bytes again.
    """
    known = set(names)
    disks = [name for name in names if not _NO_DISK.match(name) and not _partition(name, known)]
    whole = [name for name in disks if not name.startswith("dm-")]
    return tuple(whole or disks)


def _partition(name: str, known: set[str]) -> bool:
    found = _PART.match(name)
    return found is not None and (found[1] or found[2]) in known


def disk_figures(name: str, before: Counters | None, now: Counters, seconds: float | None) -> DiskFigures:
    """Return the rates over the interval; all None where they cannot be known."""
    if before is None or not seconds:
        return DiskFigures(name)
    a, b, c, d, e = before
    reads, read_sectors, writes, written_sectors, busy_ms = now
    reads, read_sectors, writes, written_sectors, busy_ms = (
        reads - a, read_sectors - b, writes - c, written_sectors - d, busy_ms - e,
    )  # fmt: skip
    if reads < 0 or read_sectors < 0 or writes < 0 or written_sectors < 0 or busy_ms < 0:
        return DiskFigures(name)
    busy = busy_ms / (seconds * 10.0)
    return _make(
        name,
        read_sectors * SECTOR / seconds,
        written_sectors * SECTOR / seconds,
        reads / seconds,
        writes / seconds,
        busy if busy <= 100.0 else 100.0,  # counters of one file are not read in one instant
    )
