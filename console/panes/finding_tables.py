"""The value of a finding as lines, one function a kind; all text is the host's own and cleaned."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.style import Style

from console.formatting import DASH, age, clean, count, number, percent, short_bytes
from console.widgets.line import Line, wrap

if TYPE_CHECKING:
    from console.panes.host_sheet import Sheet
    from core.models import (
        CheckFigures,
        ContainerFigures,
        DriveFigures,
        PortFigures,
        ProcessFigures,
        ServiceFigures,
        SessionFigures,
        UpdateFigures,
        ZfsFigures,
    )

Cell = tuple[str, Style | None]
_COLUMN = re.compile(r"([A-Z]+)([<>])(\d+)")
_PROCESSES, _ROWS = 8, 24
_NARROW = 72
_LEAST = 8  # cells of the column that takes what is left
_CHECK_LEVELS = {"ok": 0, "warning": 1, "critical": 2, "unknown": 1}
_BAD_STATES = {"restarting": 2, "dead": 2, "exited": 0, "paused": 1, "created": 0, "removing": 1}


def _table(columns: str, rows: Sequence[Sequence[Cell]], sheet: Sheet, most: int = _ROWS) -> list[Line]:
    """Return head and rows. ``columns`` are ``TITLE<8`` (left) or ``TITLE>8`` (right); width 0 takes what is left.

    A column that does not fit whole is left out.
    """
    kept: list[tuple[int, int, bool]] = []
    left, heads = sheet.width - _LEAST, list[Cell]()
    for place, (title, side, width) in enumerate(_COLUMN.findall(columns)):
        heads.append((title, sheet.look.head))
        if int(width) + 1 <= left or not kept:
            kept.append((place, int(width), side == ">"))
            left -= int(width) + 1
    lines: list[Line] = []
    for cells in (heads, *rows[:most]):
        line = Line()
        for place, width, right in kept:
            text, style = cells[place]
            line.cell(text, width or left + _LEAST, style, right).gap()
        lines.append(line)
    if len(rows) > most:
        lines.append(Line().add(f"and {len(rows) - most} more", sheet.look.dim))
    return lines


def _none(text: str, sheet: Sheet) -> list[Line]:
    return [Line().add(text, sheet.look.dim)]


def _words(words: Sequence[str], sheet: Sheet, most: int, style: Style | None = None) -> list[Line]:
    return [Line().add(part, style or sheet.look.text) for part in wrap("  ".join(words), sheet.width, most)]


def processes(value: tuple[ProcessFigures, ...], sheet: Sheet) -> list[Line]:
    """The busiest processes; CPU in percent of one CPU."""
    look = sheet.look
    rows = sorted(value, key=lambda one: (-(one.cpu_pct or 0.0), -(one.rss or 0)))
    columns = "PID>7 USER<10 CPU>6 MEM>6 NAME<0 S<1 THR>4"
    cells = [
        (
            (str(one.pid), look.dim),
            (clean(one.user or DASH), look.text),
            (percent(one.cpu_pct), look.text),
            (short_bytes(one.rss), look.text),
            (clean(one.name), look.strong),
            (clean(one.state or DASH), look.bad if one.state in ("D", "Z") else look.dim),
            (count(one.threads), look.dim),
        )
        for one in rows
    ]
    return _table(columns, cells[:_PROCESSES], sheet)


def services(value: tuple[ServiceFigures, ...], sheet: Sheet) -> list[Line]:
    """Failed units and chosen ones."""
    look = sheet.look
    if not value:
        return _none("no unit has failed", sheet)
    columns = "UNIT<28 STATE<10 WHY<11 DESCRIPTION<0 RESTARTS>8 MEM>6"
    cells = []
    for one in value:
        style = look.bad if one.failed else look.text if one.active == "active" else look.warn
        glyph = "✗ " if one.failed else "● " if one.active == "active" else "▲ "
        cells.append(
            (
                (glyph + clean(one.unit), style),
                (clean(one.active or DASH), style),
                (clean(one.result if one.failed and one.result else one.sub or DASH), look.text),
                (clean(one.description), look.dim),
                (count(one.restarts), look.text),
                (short_bytes(one.memory), look.text),
            )
        )
    return _table(columns, cells, sheet)


def containers(value: tuple[ContainerFigures, ...], sheet: Sheet) -> list[Line]:
    """Containers, running ones first; CPU in percent of one CPU."""
    look = sheet.look
    if not value:
        return _none("no container", sheet)
    columns = "NAME<20 STATE<12 CPU>6 MEM>6 STATUS<0 IMAGE<24 PIDS>5"
    cells = []
    for one in value:
        bad = 2 if one.health == "unhealthy" else _BAD_STATES.get(one.state, 0) or (1 if one.exit_code else 0)
        glyph = "✗" if bad == 2 else "▲" if bad else "●" if one.state == "running" else "○"
        style = look.level(bad) if bad else look.text if one.state == "running" else look.dim
        cells.append(
            (
                (clean(one.name), look.strong if one.state == "running" else style),
                (f"{glyph} {clean(one.state)}", style),
                (percent(one.cpu_pct), look.text),
                (short_bytes(one.mem), look.text),
                (clean(one.status), style),
                (clean(one.image), look.dim),
                (count(one.pids), look.dim),
            )
        )
    return _table(columns, cells, sheet)


def drives(value: tuple[DriveFigures, ...], sheet: Sheet) -> list[Line]:
    """Drives and arrays with their verdicts; what is wrong stands below each."""
    look = sheet.look
    if not value:
        return []
    columns = "DRIVE<16 VERDICT<10 TEMP>5 HOURS>7 REALL>6 PEND>5 MODEL<0 WEAR>5 SIZE>6"
    cells: list[Sequence[Cell]] = []
    for one in value:
        word, style = "○ unknown", look.dim
        if one.asleep:
            word = "○ asleep"
        elif one.failing:
            word, style = "✗ FAILING", look.bad
        elif one.passed:
            word, style = ("▲ passed", look.warn) if one.problems else ("● passed", look.ok)
        cells.append(
            (
                (clean(one.device), look.strong),
                (word, style),
                (DASH if one.temperature_c is None else f"{one.temperature_c}C", look.text),
                (count(one.power_on_h), look.text),
                (count(one.reallocated), look.level(1 if one.reallocated else 0)),
                (count(one.pending), look.level(1 if one.pending else 0)),
                (clean(one.model or f"{one.level or ''} {one.state or ''}".strip() or DASH), look.dim),
                (percent(one.wear_pct), look.text),
                (short_bytes(one.size), look.text),
            )
        )
    lines = _table(columns, cells, sheet)
    for one in value[:_ROWS]:
        if one.problems:
            text = f"{clean(one.device)}: {clean(', '.join(one.problems))}"
            lines += [Line().add(part, look.bad if one.failing else look.warn) for part in wrap(text, sheet.width, 3)]
    return lines


def zfs(value: ZfsFigures, sheet: Sheet) -> list[Line]:
    """Pools, what is wrong with them, and the devices that have errors."""
    look = sheet.look
    if not value.pools:
        return _none("no pool", sheet)
    columns = "POOL<16 HEALTH<10 USED>5 FRAG>5 SIZE>6 FREE>6 SCAN<0"
    cells = []
    for pool in value.pools:
        fine = pool.health == "ONLINE"
        cells.append(
            (
                (clean(pool.name), look.strong),
                (f"{'●' if fine else '✗'} {clean(pool.health or DASH)}", look.ok if fine else look.bad),
                (percent(pool.capacity_pct), look.text),
                (percent(pool.fragmentation_pct), look.text),
                (short_bytes(pool.size), look.text),
                (short_bytes(pool.free), look.text),
                (clean(pool.scan or DASH), look.dim),
            )
        )
    lines = _table(columns, cells, sheet)
    for pool in value.pools:
        for text in (pool.status, pool.action):
            lines += [Line().add(part, look.warn) for part in wrap(clean(text), sheet.width, 4) if text]
        for each in pool.vdevs:
            errors = (each.read_errors, each.write_errors, each.checksum_errors)
            if any(errors) or each.note:
                counts = "/".join(count(error) for error in errors)
                text = (
                    f"{clean(each.name)} {clean(each.state)}, errors (read/write/checksum) {counts} {clean(each.note)}"
                )
                lines += [Line().add(part, look.bad) for part in wrap(text, sheet.width, 2)]
    return lines


def updates(value: UpdateFigures, sheet: Sheet) -> list[Line]:
    """Counts, kernel and the first of the packages."""
    look = sheet.look
    security = "security unknown" if value.security is None else f"{value.security} for security"
    reboot = {None: "reboot: not known", True: "REBOOT due", False: "no reboot due"}[value.reboot_needed]
    line = Line().add(f"{value.pending} pending, ", look.strong).add(security, look.level(1 if value.security else 0))
    lines = [line]
    if sheet.width < _NARROW:
        lines.append(line := Line())
    else:
        line.gap(3)
    line.add(reboot, look.level(1 if value.reboot_needed else 0))
    line.add(f"   {clean(value.manager)[:8]} lists {age(value.lists_age_s)} old", look.dim)
    if value.running_kernel:
        newer = value.newest_kernel if value.newest_kernel not in (None, value.running_kernel) else ""
        text = f"kernel {clean(value.running_kernel)}" + (f", installed {clean(newer or '')}" if newer else "")
        lines += [Line().add(part, look.dim) for part in wrap(text, sheet.width, 2)]
    return lines + (_words([clean(name) for name in value.packages], sheet, 3, look.dim) if value.packages else [])


def sessions(value: tuple[SessionFigures, ...], sheet: Sheet) -> list[Line]:
    """Who is logged in; times are the host's own words."""
    look = sheet.look
    if not value:
        return _none("nobody is logged in", sheet)
    columns = "USER<14 LINE<8 SINCE<18 FROM<0"
    cells = [
        (
            (clean(one.user), look.strong),
            (clean(one.line), look.text),
            (clean(one.since), look.dim),
            (clean(one.origin or DASH), look.text),
        )
        for one in value
    ]
    return _table(columns, cells, sheet, 12)


def ports(value: tuple[PortFigures, ...], sheet: Sheet) -> list[Line]:
    """What listens; those of the host itself alone come last."""
    if not value:
        return _none("nothing listens", sheet)
    rows = sorted(value, key=lambda one: (one.local, one.protocol, one.port))
    seen: dict[str, None] = {}
    for one in rows:
        place = f"[{one.address}]" if ":" in one.address else one.address
        anywhere = one.address in ("*", "0.0.0.0", "::")  # noqa: S104 - shown, not bound
        name = f" {clean(one.process)}" if one.process else ""
        seen[f"{one.protocol} {'*' if anywhere else clean(place)}:{one.port}{name}"] = None
    return _words(list(seen), sheet, 8)


def check(value: CheckFigures, sheet: Sheet) -> list[Line]:
    """A plugin's first line, its long text and its performance data."""
    look = sheet.look
    style = look.level(_CHECK_LEVELS.get(value.state, 1))
    lines = [Line().add(part, style) for part in wrap(clean(value.text), sheet.width, 3)]
    lines += [Line().cell(clean(text), sheet.width, look.dim) for text in value.long_text[:6]]
    data = [f"{clean(one.label)}={number(one.value)}{clean(one.unit)}" for one in value.perfdata]
    return lines + (_words(data, sheet, 3, look.dim) if data else [])


def anything(value: Any, sheet: Sheet) -> list[Line]:
    """A value that only its own plugin knows: each part a line."""
    parts = value if isinstance(value, list | tuple) else [value]
    lines = [Line().cell(clean(_plain(part)), sheet.width, sheet.look.text) for part in parts[:12]]
    return [*lines, Line().add(f"and {len(parts) - 12} more", sheet.look.dim)] if len(parts) > 12 else lines


def _plain(part: Any) -> str:
    if isinstance(part, dict):
        return "  ".join(f"{key} {DASH if value is None else value}" for key, value in part.items())
    return str(part)


TABLES: dict[str, Callable[[Any, Sheet], list[Line]]] = {
    "processes": processes,
    "services": services,
    "containers": containers,
    "drives": drives,
    "zfs": zfs,
    "updates": updates,
    "check": check,
    "sessions": sessions,
    "ports": ports,
}
