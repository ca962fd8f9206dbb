"""What the Storage pane lists: filesystems, disks, drives, md arrays and ZFS pools of all hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.formatting import DASH, count, long_bytes, percent, rate, short_bytes
from console.panes.listing import Answer, Listing, Row, vocabulary
from console.panes.listing_columns import age_column, facts, figure, host_column, share, size, state_column, text
from console.panes.query import Figure
from console.widgets.line import Line
from console.widgets.plots import bar
from console.widgets.severity import BUSY, DISK, level
from core.models import SectionStatus

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import DiskFigures, FilesystemFigures, HostView

_SAMPLE_S = 10.0


def _inodes_pct(one: FilesystemFigures) -> float | None:
    return 100.0 * one.inodes_used / one.inodes if one.inodes and one.inodes_used is not None else None


def _section(view: HostView, name: str, known: object) -> Answer:
    """How the frame's own section came out; a frame that does not tell is no answer yet."""
    sample = view.sample
    if sample is None:
        return Answer(None)
    if known is not None:
        return Answer(SectionStatus.OK)
    status = sample.sections.get(name)
    refused = "the login may not read it" if status is SectionStatus.FORBIDDEN else ""
    return Answer(None if status is SectionStatus.OK else status, refused)


def _filesystems(view: HostView) -> Iterable[Row[FilesystemFigures]]:
    sample = view.sample
    if sample is None:
        return
    for one in sample.filesystems or ():
        bad = max(level(one.used_pct, DISK), level(_inodes_pct(one), DISK))
        word = ("ok", "high", "full")[bad]
        yield Row(view.host.name, one.mount, one, sample.ts, bad, one.used_pct or 0.0, word)


FILESYSTEMS: Listing[FilesystemFigures] = Listing(
    name="filesystems",
    one="filesystem",
    many="filesystems",
    lacks="a filesystem of its own",
    way="let the login run df",
    every_s=_SAMPLE_S,
    source=lambda view: view.sample and (view.sample.filesystems or view.sample),
    ask=lambda view: _section(view, "disk", view.sample.filesystems if view.sample else None),
    rows=_filesystems,
    columns=(
        state_column(7),
        host_column(),
        text("mount", "MOUNT", 16, lambda one: one.mount, grow=3),
        share("used", "USED", lambda one: one.used_pct, level=lambda one: level(one.used_pct, DISK)),
        text("bar", "", 12, lambda one: "".join(bar((one.used_pct or 0.0) / 100, 12)), worth=105),
        size("size", "SIZE", lambda one: one.size),
        size("free", "FREE", lambda one: one.available),
        share("inodes", "INODE", _inodes_pct, level=lambda one: level(_inodes_pct(one), DISK)),
        text("type", "TYPE", 6, lambda one: one.fstype, worth=90, dim=True),
        text("device", "DEVICE", 14, lambda one: one.device, worth=130, grow=2, dim=True),
        age_column(_SAMPLE_S),
    ),
    words=vocabulary(
        {
            "used": Figure(lambda row, now: row.value.used_pct, "percent"),
            "disk": Figure(lambda row, now: row.value.used_pct, "percent"),
            "inodes": Figure(lambda row, now: _inodes_pct(row.value), "percent"),
            "size": Figure(lambda row, now: row.value.size, "bytes"),
            "free": Figure(lambda row, now: row.value.available, "bytes"),
        },
        {
            "mount": lambda row: (row.value.mount,),
            "type": lambda row: (row.value.fstype or "",),
            "device": lambda row: (row.value.device,),
        },
        lambda row: (row.value.mount, row.value.device, row.value.fstype or ""),
    ),
)


def filesystem_detail(row: Row[FilesystemFigures], width: int, look: Palette) -> list[Line]:
    """Return sizes in full, and inodes."""
    one = row.value
    full, rest = bar(None if one.used_pct is None else one.used_pct / 100, max(8, min(40, width - 20)))
    gauge = Line().cell("used", 10, look.dim).gap().add(full, look.level(row.level) if row.level else look.ok)
    gauge.add(rest, look.faint).add(f" {percent(one.used_pct)}", look.strong)
    inodes = DASH if one.inodes is None else f"{count(one.inodes_used)} of {count(one.inodes)}"
    used = f"{long_bytes(one.used)} used, {long_bytes(one.available)} free of {long_bytes(one.size)}"
    pairs = (("bytes", used), ("inodes", f"{inodes} ({percent(_inodes_pct(one))})"), ("device", one.device),
             ("type", one.fstype or ""))  # fmt: skip
    return [gauge, *facts(pairs, width, look)]


def _times(value: float | None) -> str:
    return DASH if value is None else f"{value:.0f}"


def _disks(view: HostView) -> Iterable[Row[DiskFigures]]:
    sample = view.sample
    if sample is None:
        return
    for one in sample.disks or ():
        bad = level(one.busy_pct, BUSY)
        word = "unknown" if one.busy_pct is None else ("ok", "busy", "busy")[bad]
        yield Row(view.host.name, one.device, one, sample.ts, bad, one.busy_pct or 0.0, word)


DISKS: Listing[DiskFigures] = Listing(
    name="disks",
    one="disk",
    many="disks",
    lacks="a disk of its own",
    way="let the login read /proc/diskstats",
    every_s=_SAMPLE_S,
    source=lambda view: view.sample and (view.sample.disks or view.sample),
    ask=lambda view: _section(view, "io", view.sample.disks if view.sample else None),
    rows=_disks,
    columns=(
        state_column(9),
        host_column(),
        text("disk", "DISK", 12, lambda one: one.device, grow=2),
        share("busy", "BUSY", lambda one: one.busy_pct, level=lambda one: level(one.busy_pct, BUSY)),
        size("read", "READ", lambda one: one.read_bps),
        size("write", "WRITE", lambda one: one.write_bps),
        figure("reads", "READS/S", 8, lambda one: one.read_iops, _times),
        figure("writes", "WRITES/S", 8, lambda one: one.write_iops, _times),
        age_column(_SAMPLE_S),
    ),
    words=vocabulary(
        {
            "busy": Figure(lambda row, now: row.value.busy_pct, "percent"),
            "read": Figure(lambda row, now: row.value.read_bps, "bytes"),
            "write": Figure(lambda row, now: row.value.write_bps, "bytes"),
        },
        {"device": lambda row: (row.value.device,)},
        lambda row: (row.value.device,),
    ),
)


def disk_detail(row: Row[DiskFigures], width: int, look: Palette) -> list[Line]:
    """Return the rates with their units."""
    one = row.value
    return facts(
        (
            ("busy", f"{percent(one.busy_pct)} of the time"),
            ("reads", f"{rate(one.read_bps)}, {DASH if one.read_iops is None else f'{one.read_iops:.0f}'} a second"),
            (
                "writes",
                f"{rate(one.write_bps)}, {DASH if one.write_iops is None else f'{one.write_iops:.0f}'} a second",
            ),
            ("each", _each(one)),
        ),
        width,
        look,
    )


def _each(one: DiskFigures) -> str:
    told = [
        f"{short_bytes(amount / times)} a {word}"
        for word, amount, times in (("read", one.read_bps, one.read_iops), ("write", one.write_bps, one.write_iops))
        if amount is not None and times
    ]
    return ", ".join(told)
