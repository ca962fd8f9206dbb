"""df -P -k, df -P -i (POSIX df) and /proc/mounts: the filesystems that hold somebody's data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.collectors.text import clean, unescape, unreadable
from core.models import FilesystemFigures

_NUMBERS = r"(?P<size>\d{1,19}|-)\s+(?P<used>-?\d{1,19}|-)\s+(?P<free>-?\d{1,19}|-)\s+(?:\d{1,4}%|-)\s+(?P<mount>/.*)"
_ROW = re.compile(r"(?P<device>\S.*?)\s+" + _NUMBERS)
_ROW_TYPE = re.compile(r"(?P<device>\S.*?)\s+(?P<type>\S+)\s+" + _NUMBERS)
_HEAD_TYPE = re.compile(r"Filesystem\s+Type\s")
_ALMOST = re.compile(r"[%-]\s+/|%\s|^@[0-9a-f]")
_UNIT = re.compile(r"\b(?P<unit>1024|512|1K|1k)-blocks\b")
_PSEUDO = frozenset(
    """autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devfs devpts devtmpfs efivarfs fusectl fuse.gvfsd-fuse
    fuse.lxcfs fuse.portal fuse.snapfuse hugetlbfs iso9660 mqueue nsfs nullfs overlay proc pstore ramfs rootfs
    rpc_pipefs securityfs selinuxfs squashfs sysfs tmpfs tracefs udf""".split()  # noqa: SIM905 - a table to read
)


@dataclass(frozen=True, slots=True)
class DfRow:
    """One line of df; numbers in bytes, or in inodes for df -i; None where df says ``-``."""

    device: str
    fstype: str | None
    size: int | None
    used: int | None
    available: int | None
    mount: str


def parse_df(text: bytes, section: str = "df") -> list[DfRow]:
    """Read df's table (-P, -k, -T and -i are understood); raise DataCollectionError where it is none.

    A name too long for its column may stand on a line of its own, as df without -P writes it; what follows a line
    end within the name of a mount (busybox prints it as it is) is joined to that name, with ``?`` for the line end.
    """
    lines = text.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].startswith("Filesystem"):
        raise unreadable(section, text)
    unit = _UNIT.search(lines[0])
    if unit is None and section != "dfi":
        raise unreadable(section, text)
    scale = 1 if section == "dfi" else 512 if unit is not None and unit["unit"] == "512" else 1024
    typed = _HEAD_TYPE.match(lines[0]) is not None
    pattern = _ROW_TYPE if typed else _ROW
    rows: list[DfRow] = []
    held = ""
    for line in lines[1:]:
        if held and not line.startswith(" "):
            _join(rows, held, section)
            held = ""
        found = pattern.fullmatch(f"{held} {line}" if held else line)
        if found is None:
            if held or not line.strip():
                raise unreadable(section, line.encode())
            held = line
            continue
        held = ""
        size, used, free = (None if w == "-" else int(w) * scale for w in found.group("size", "used", "free"))
        fstype = clean(found["type"]) if typed else None
        rows.append(DfRow(clean(found["device"]), fstype, size, used, free, clean(found["mount"])))
    if held:
        _join(rows, held, section)
    return rows


def _join(rows: list[DfRow], tail: str, section: str) -> None:
    """Add the rest of a mount's name to the last row; raise DataCollectionError for what looks like a row itself."""
    if not rows or _ALMOST.search(tail):
        raise unreadable(section, tail.encode())
    rows[-1] = replace(rows[-1], mount=clean(f"{rows[-1].mount}?{tail}"))


def parse_mounts(text: bytes) -> dict[str, str]:
    """Return the filesystem type by mount point; where several are stacked the topmost counts."""
    types: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        fields = line.split(" ")
        if len(fields) < 4 or not fields[1].startswith("/") or not fields[2]:
            raise unreadable("mounts", line.encode())
        types[clean(unescape(fields[1]))] = clean(fields[2])
    return types


def filesystems(
    rows: list[DfRow], inodes: list[DfRow] | None = None, types: Mapping[str, str] | None = None
) -> tuple[FilesystemFigures, ...]:
    """Join df, df -i and mounts; leave out pseudo filesystems and second mounts of the same device."""
    inode_rows = {row.mount: row for row in inodes or ()}
    found: dict[tuple[str, int | None, int | None] | str, FilesystemFigures] = {}
    for row in rows:
        fstype = row.fstype or (types or {}).get(row.mount)
        if not _counts(row, fstype):
            continue
        inode = inode_rows.get(row.mount)
        figures = FilesystemFigures(
            mount=row.mount,
            device=row.device,
            fstype=fstype,
            size=row.size,
            used=row.used,
            available=row.available,
            inodes=(inode.size or None) if inode else None,  # btrfs and vfat say 0: they have no fixed number
            inodes_used=inode.used if inode and inode.size else None,
        )
        key = (row.device, row.size, row.used) if row.device.startswith("/dev/") else row.mount
        earlier = found.get(key)
        if earlier is None or len(row.mount) < len(earlier.mount):
            found[key] = figures
    return tuple(found.values())


def _counts(row: DfRow, fstype: str | None) -> bool:
    """Whether a filesystem keeps data of its own and has a size."""
    if not row.size:
        return False
    if row.mount == "/":
        return True
    if fstype is not None:
        return fstype not in _PSEUDO
    if row.device.startswith("/dev/"):
        return not row.device.startswith("/dev/loop")
    return ":" in row.device or row.device.startswith("//")
