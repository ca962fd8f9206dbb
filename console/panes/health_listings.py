"""What the Storage pane lists of the health of drives, md arrays and ZFS pools of all hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.formatting import DASH, count, long_bytes, percent, short_bytes
from console.panes.listing import Answer, Listing, Row, answer_of, finding_of, vocabulary
from console.panes.listing_columns import (
    age_column,
    facts,
    figure,
    host_column,
    share,
    size,
    state_column,
    text,
    unique,
)
from console.panes.query import Figure
from core.models import DriveFigures, SectionStatus, ZfsFigures

if TYPE_CHECKING:
    from console.widgets.line import Line
    from console.widgets.palette import Palette
    from core.models import HostView, PoolFigures

_HOUR_S = 3600.0
_ZFS_S = 300.0
_NEEDS = "needs root"  # how a drive begins that the login may not open
_FULL = (80, 90)  # percent of a pool


def _told(view: HostView, arrays: bool) -> list[DriveFigures]:
    found = view.findings.get("drives")
    value = found.finding.value if found else None
    rows = value if isinstance(value, tuple) else ()
    return [one for one in rows if isinstance(one, DriveFigures) and (one.kind == "md") is arrays]


def _drive_state(one: DriveFigures) -> tuple[int, str]:
    if one.asleep:
        return 0, "asleep"
    if one.failing:
        return 2, "FAILING"
    if len(one.problems) == 1 and one.problems[0].startswith(_NEEDS):
        return 1, "forbidden"
    if one.problems:
        return 1, "warns" if one.kind != "unknown" else "unread"
    return 0, "passed" if one.passed else "unknown"


def _drives(view: HostView) -> Iterable[Row[DriveFigures]]:
    rows = _told(view, arrays=False)
    names = unique([one.device for one in rows], [one.serial or str(place) for place, one in enumerate(rows)])
    for name, one in zip(names, rows, strict=True):
        bad, word = _drive_state(one)
        weight = float((one.pending or 0) + (one.reallocated or 0) + (one.media_errors or 0))
        yield Row(view.host.name, name, one, view.findings["drives"].ts, bad, weight, word)


DRIVES: Listing[DriveFigures] = Listing(
    name="drives",
    one="drive",
    many="drives",
    lacks="smartctl (install smartmontools 7 or newer)",
    way='sudo = ["drives"] for the host in hosts.toml, and smartctl with NOPASSWD in its sudoers',
    every_s=_HOUR_S,
    source=finding_of("drives"),
    ask=answer_of("drives"),
    rows=_drives,
    columns=(
        state_column(11),
        host_column(),
        text("drive", "DRIVE", 12, lambda one: one.device, grow=1),
        figure("temp", "TEMP", 5, lambda one: one.temperature_c, lambda value: f"{value}C"),
        figure("pending", "PEND", 5, lambda one: one.pending, level=lambda one: 1 if one.pending else 0),
        figure("reallocated", "REALL", 6, lambda one: one.reallocated, level=lambda one: 1 if one.reallocated else 0),
        share("wear", "WEAR", lambda one: one.wear_pct),
        figure("hours", "HOURS", 7, lambda one: one.power_on_h, worth=90),
        size("size", "SIZE", lambda one: one.size, worth=84),
        text("model", "MODEL", 14, lambda one: one.model, worth=100, grow=3, dim=True),
        text("serial", "SERIAL", 12, lambda one: one.serial, worth=140, grow=1, dim=True),
        age_column(_HOUR_S),
    ),
    words=vocabulary(
        {
            "temp": Figure(lambda row, now: row.value.temperature_c),
            "pending": Figure(lambda row, now: row.value.pending),
            "reallocated": Figure(lambda row, now: row.value.reallocated),
            "wear": Figure(lambda row, now: row.value.wear_pct, "percent"),
            "hours": Figure(lambda row, now: row.value.power_on_h),
            "size": Figure(lambda row, now: row.value.size, "bytes"),
        },
        {
            "drive": lambda row: (row.value.device,),
            "model": lambda row: (row.value.model,),
            "serial": lambda row: (row.value.serial,),
            "kind": lambda row: (row.value.kind,),
        },
        lambda row: (row.value.device, row.value.model, row.value.serial, *row.value.problems),
    ),
)


def drive_detail(row: Row[DriveFigures], width: int, look: Palette) -> list[Line]:
    """Return what is wrong with a drive first, then what it is."""
    one = row.value
    counts = (("reallocated", one.reallocated), ("pending", one.pending), ("uncorrectable", one.uncorrectable),
              ("CRC errors", one.crc_errors), ("media errors", one.media_errors))  # fmt: skip
    return facts(
        (
            *(("problem" if not number else "", problem) for number, problem in enumerate(one.problems)),
            ("model", " ".join(word for word in (one.model, one.serial) if word)),
            ("size", "" if one.size is None else long_bytes(one.size)),
            ("counts", ", ".join(f"{word} {count(amount)}" for word, amount in counts if amount is not None)),
            ("wear", "" if one.wear_pct is None else f"{one.wear_pct}% used, spare {percent(one.spare_pct)}"),
            ("on for", "" if one.power_on_h is None else f"{count(one.power_on_h)} hours"),
        ),
        width,
        look,
    )


def _array_answer(view: HostView) -> Answer:
    """mdstat wants no root and no tool: where drives are shut or not there, there is no array either."""
    told = answer_of("drives")(view)
    none = told.status in (SectionStatus.FORBIDDEN, SectionStatus.ABSENT)
    return Answer(SectionStatus.OK) if none else told


def _arrays(view: HostView) -> Iterable[Row[DriveFigures]]:
    for one in _told(view, arrays=True):
        bad = 2 if one.failing else 1 if one.problems else 0
        word = "degraded" if one.failing else "syncing" if one.sync_pct is not None else "ok"
        word = "unknown" if one.passed is None and not one.problems else word
        yield Row(view.host.name, one.device, one, view.findings["drives"].ts, bad, float(one.failed or 0), word)


def _members(one: DriveFigures) -> str:
    return DASH if one.members is None else f"{DASH if one.working is None else one.working}/{one.members}"


ARRAYS: Listing[DriveFigures] = Listing(
    name="arrays",
    one="md array",
    many="md arrays",
    lacks="md",
    way="let the login read /proc/mdstat",
    every_s=_HOUR_S,
    source=finding_of("drives"),
    ask=_array_answer,
    rows=_arrays,
    columns=(
        state_column(11),
        host_column(),
        text("array", "ARRAY", 12, lambda one: one.device, grow=1),
        text("level", "LEVEL", 7, lambda one: one.level),
        text("members", "UP", 6, _members),
        share("sync", "SYNC", lambda one: one.sync_pct),
        size("size", "SIZE", lambda one: one.size),
        text("doing", "DOING", 12, lambda one: one.state, grow=3, dim=True),
        age_column(_HOUR_S),
    ),
    words=vocabulary(
        {
            "sync": Figure(lambda row, now: row.value.sync_pct, "percent"),
            "size": Figure(lambda row, now: row.value.size, "bytes"),
        },
        {"array": lambda row: (row.value.device,), "raid": lambda row: (row.value.level or "",)},
        lambda row: (row.value.device, row.value.level or "", row.value.state or "", *row.value.problems),
    ),
)


def _pool_state(pool: PoolFigures) -> tuple[int, str]:
    if pool.health not in ("ONLINE", None):
        return 2, str(pool.health)
    if pool.errors and not pool.errors.startswith("No known data errors"):
        return 2, "data errors"
    counted = any((v.read_errors or 0) + (v.write_errors or 0) + (v.checksum_errors or 0) for v in pool.vdevs)
    full = (pool.capacity_pct or 0) >= _FULL[0]
    if counted or full:
        return (2 if (pool.capacity_pct or 0) >= _FULL[1] else 1), "errors" if counted else "full"
    return 0, pool.health or "unknown"


def _pools(view: HostView) -> Iterable[Row[tuple[PoolFigures, ZfsFigures]]]:
    found = view.findings.get("zfs")
    value = found.finding.value if found else None
    if found is None or not isinstance(value, ZfsFigures):
        return
    for pool in value.pools:
        bad, word = _pool_state(pool)
        yield Row(view.host.name, pool.name, (pool, value), found.ts, bad, float(pool.capacity_pct or 0), word)


POOLS: Listing[tuple[PoolFigures, ZfsFigures]] = Listing(
    name="zfs",
    one="pool",
    many="pools",
    lacks="ZFS",
    way="allow zpool and zfs by sudo -n for the login",
    every_s=_ZFS_S,
    source=finding_of("zfs"),
    ask=answer_of("zfs"),
    rows=_pools,
    columns=(
        state_column(13),
        host_column(),
        text("pool", "POOL", 12, lambda one: one[0].name, grow=1),
        share("used", "USED", lambda one: one[0].capacity_pct),
        share("frag", "FRAG", lambda one: one[0].fragmentation_pct),
        size("size", "SIZE", lambda one: one[0].size),
        size("free", "FREE", lambda one: one[0].free),
        text("scan", "SCAN", 10, lambda one: one[0].scan, worth=78, grow=4, dim=True),
        age_column(_ZFS_S),
    ),
    words=vocabulary(
        {
            "used": Figure(lambda row, now: row.value[0].capacity_pct, "percent"),
            "frag": Figure(lambda row, now: row.value[0].fragmentation_pct, "percent"),
            "size": Figure(lambda row, now: row.value[0].size, "bytes"),
            "free": Figure(lambda row, now: row.value[0].free, "bytes"),
        },
        {"pool": lambda row: (row.value[0].name,), "health": lambda row: (row.value[0].health or "",)},
        lambda row: (row.value[0].name, row.value[0].scan, row.value[0].status),
    ),
)


def pool_detail(row: Row[tuple[PoolFigures, ZfsFigures]], width: int, look: Palette) -> list[Line]:
    """Return zpool's own words, the devices with errors, and the largest datasets."""
    pool, value = row.value
    bad = [each for each in pool.vdevs if any((each.read_errors, each.write_errors, each.checksum_errors)) or each.note]
    own = [each for each in value.datasets or () if each.name.split("/")[0] == pool.name]
    largest = sorted(own, key=lambda each: -(each.used or 0))[:5]
    return facts(
        (
            ("status", pool.status),
            ("action", pool.action),
            ("errors", pool.errors),
            *(("device", f"{each.name} {each.state}, errors {count(each.read_errors)} read, {count(each.write_errors)} "
               f"write, {count(each.checksum_errors)} checksum {each.note}") for each in bad[:4]),
            ("scan", pool.scan),
            ("datasets", ", ".join(f"{each.name} {short_bytes(each.used)}" for each in largest)),
        ),
        width,
        look,
    )  # fmt: skip
