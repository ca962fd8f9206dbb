"""A host as lines: header, plots, tables; shared by the Host pane and the preview of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.style import Style

from console.formatting import DASH, age, clean, long_bytes, moment, number, percent, rate, short_bytes, span
from console.panes.hostfilter import disk_pct, net_bps
from console.panes.remedies import remedy
from console.widgets.line import Line, wrap
from console.widgets.plots import area, bar, top_of
from console.widgets.severity import BUSY, CPU, DISK, HOST_STATES, MEMORY, age_level, level
from core.models import HostState, SectionStatus

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from console.widgets.plots import Values
    from core.models import HostView

_SECTION_WORDS = {
    SectionStatus.OK: "ok",
    SectionStatus.ABSENT: "absent: this host has no such thing",
    SectionStatus.FORBIDDEN: "forbidden: the login may not read it",
    SectionStatus.TIMEOUT: "timeout: it did not answer in time",
    SectionStatus.BROKEN: "broken: it was sent and cannot be read",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What drawing a host needs besides the host."""

    width: int
    now: datetime
    interval_s: float
    utc: bool
    look: Palette


def heading(title: str, sheet: Sheet, note: str = "") -> Line:
    """Return a section's heading with a rule to the right edge."""
    line = Line().add(title, sheet.look.head).gap()
    if note:
        line.add(note, sheet.look.dim).gap()
    return line.add("─" * max(0, sheet.width - line.width), sheet.look.faint)


def header(view: HostView, sheet: Sheet) -> list[Line]:
    """Return state and reason, the way out, and what is known of the host itself."""
    look, sample = sheet.look, view.sample
    glyph, word = HOST_STATES[view.state]
    line = Line().add(clean(view.host.name), look.strong).gap(2).add(f"{glyph} {word}", look.state(view.state))
    if view.since is not None:
        line.add(f" for {span((sheet.now - view.since).total_seconds())}", look.dim)
    lines = [line]
    if view.reason or view.detail:
        text = clean(view.detail) or view.reason.value
        style = look.bad if view.state is HostState.OFFLINE else look.warn
        if view.state in (HostState.ONLINE, HostState.MAINTENANCE, HostState.UNKNOWN):
            style = look.dim
        label = f"{view.reason.value}: " if view.reason and not text.startswith(view.reason.value) else ""
        lines += [Line().add(part, style) for part in wrap(label + text, sheet.width)]
        if (way := remedy(view)) and way.lower() not in text.lower():
            lines += [Line().add(part, look.dim) for part in wrap("→ " + way, sheet.width)]
    if view.failures and view.next_try is not None:
        wait = (view.next_try - sheet.now).total_seconds()
        text = f"{view.failures} attempts failed, next in {age(wait)}; r tries now"
        lines += [Line().add(part, look.dim) for part in wrap(text, sheet.width)]
    seconds = None if sample is None else (sheet.now - sample.ts).total_seconds()
    awaited = view.state is not HostState.MAINTENANCE
    stale = age_level(seconds, view.host.interval_s or sheet.interval_s) if awaited else 0
    port = f":{view.host.port}" if view.host.port else ""
    user = f"{view.host.user}@" if view.host.user else ""
    facts: list[tuple[str, str, Style]] = [
        ("address", clean(f"{user}{view.host.target}{port}"), look.text),
        ("data", f"{age(seconds)} old" if seconds is not None else "none yet", look.level(stale)),
        ("uptime", span(sample.uptime_s) if sample else DASH, look.text),
        ("boot", clean(sample.boot_id or DASH)[:8] if sample else DASH, look.text),
        ("cpus", str(sample.system.cpus) if sample and sample.system.cpus is not None else DASH, look.text),
        ("memory", long_bytes(sample.system.mem_total) if sample else DASH, look.text),
        ("host clock", moment(sample.host_clock, sheet.utc) if sample else DASH, look.text),
        ("groups", clean(", ".join(view.host.groups)) or DASH, look.text),
        *((("kind", "simulated", look.text),) if view.host.simulated else ()),
        ("tags", clean(", ".join(view.host.tags)) or DASH, look.text),
    ]
    return lines + _facts(facts, sheet)


def _facts(facts: Sequence[tuple[str, str, Style]], sheet: Sheet) -> list[Line]:
    """Return the facts side by side, as many a line as fit whole."""
    lines, line = [], Line()
    for name, value, style in facts:
        need = len(name) + 1 + len(value) + 3
        if line.width and line.width + need - 3 > sheet.width:
            lines.append(line)
            line = Line()
        line.add(name + " ", sheet.look.dim).add(value, style).gap(3)
    return [*lines, line]


def _plot(
    title: str,
    values: Values,
    top: float,
    now: str,
    severity: int,
    size: tuple[int, int],
    look: Palette,
    unit: Callable[[float | None], str],
) -> list[Line]:
    width, height = size
    room = width - 6
    head = Line().cell(title, max(0, width - len(now) - 1), look.head).gap().add(now, look.level(severity))
    lines = [head]
    for row, text in enumerate(area(values, room, height, top)):
        label = unit(top) if row == 0 else "0" if row == height - 1 else ""
        line = Line().cell(label, 5, look.faint, True).gap()
        lines.append(line.add(text, look.level(severity) if severity else look.plot))
    return lines


def plots(view: HostView, sheet: Sheet, height: int, columns: int) -> list[Line]:
    """Return the plots of the history in that many columns."""
    past, sample = view.history, view.sample
    system = sample.system if sample else None
    width = (sheet.width - (columns - 1) * 2) // columns
    size = (width, height)
    received, sent = net_bps(view)
    cpu, mem = (system.cpu_pct, system.mem_pct) if system else (None, None)
    full = disk_pct(view)
    busy = max((d.busy_pct for d in (sample.disks or ()) if d.busy_pct is not None), default=None) if sample else None
    load = system.load1 if system else None
    net_top = top_of(past.net, 1024.0)
    load_top = top_of(past.load, float(system.cpus or 1) if system else 1.0)
    loads = " ".join(number(x) for x in (system.load1, system.load5, system.load15)) if system else DASH
    look = sheet.look
    blocks = [
        _plot(f"CPU  {_covered(view)}".rstrip(), past.cpu, 100.0, percent(cpu), level(cpu, CPU), size, look, percent),
        _plot("MEMORY", past.mem, 100.0, percent(mem), level(mem, MEMORY), size, look, percent),
        _plot("NET", past.net, net_top, f"rx {rate(received)}  tx {rate(sent)}", 0, size, look, short_bytes),
        _plot("LOAD", past.load, load_top, loads if load is not None else DASH, 0, size, look, number),
        _plot("FULLEST DISK", past.disk, 100.0, percent(full), level(full, DISK), size, look, percent),
        _plot("BUSIEST DISK", past.io, 100.0, percent(busy), level(busy, BUSY), size, look, percent),
    ]
    lines: list[Line] = []
    for start in range(0, len(blocks), columns):
        for parts in zip(*blocks[start : start + columns], strict=True):
            line = Line()
            for column, part in enumerate(parts):
                line.to(column * (width + 2)).extend(part)
            lines.append(line)
        if height >= 4 and start + columns < len(blocks):
            lines.append(Line())
    return lines


def _covered(view: HostView) -> str:
    """Return the span of time that the plots cover, in words."""
    times = view.history.times
    return f"last {span((times[-1] - times[0]).total_seconds())}" if len(times) > 1 else ""


def _unknown(view: HostView, sheet: Sheet, section: str) -> Line:
    """Say why there are no figures: what may not be read, what is not there and what failed are not the same."""
    status = view.sample.sections.get(section, SectionStatus.OK) if view.sample else SectionStatus.OK
    if status is SectionStatus.OK:
        return Line().add("not known", sheet.look.dim)
    return Line().add(_SECTION_WORDS[status], sheet.look.dim if status is SectionStatus.ABSENT else sheet.look.warn)


def filesystems(view: HostView, sheet: Sheet) -> list[Line]:
    """Return the filesystems, fullest first, each with a bar."""
    sample, look = view.sample, sheet.look
    if sample is None or sample.filesystems is None:
        return [_unknown(view, sheet, "df")]
    rows = sorted(sample.filesystems, key=lambda each: -(each.used_pct if each.used_pct is not None else -1.0))
    nodes, wide = sheet.width >= 56, sheet.width >= 90
    others = 19 + (8 if nodes else 0)
    name = max(10, min(28, sheet.width - others - 8))
    gauge = max(4, min(24, sheet.width - others - name - 1))
    head = Line().cell("MOUNT", name, look.head).gap().cell("USED", gauge + 5, look.head)
    head.cell("SIZE", 7, look.head, True).cell("FREE", 7, look.head, True)
    if nodes:
        head.cell("INODES", 8, look.head, True)
    if wide:
        head.gap(2).cell("TYPE", 8, look.head).add("DEVICE", look.head)
    lines = [head]
    for each in rows:
        used = each.used_pct
        filled, empty = bar(None if used is None else used / 100, gauge)
        severity = level(used, DISK)
        line = Line().cell(clean(each.mount), name, look.text).gap()
        line.add(filled, look.level(severity) if severity else look.plot).add(empty, look.faint)
        line.cell(percent(used), 5, look.level(severity), True)
        line.cell(short_bytes(each.size), 7, look.text, True).cell(short_bytes(each.available), 7, look.text, True)
        if nodes:
            part = 100.0 * each.inodes_used / each.inodes if each.inodes and each.inodes_used is not None else None
            line.cell(percent(part), 8, look.level(level(part, DISK)), True)
        if wide:
            line.gap(2).cell(clean(each.fstype or DASH), 8, look.dim).add(clean(each.device), look.dim)
        lines.append(line)
    return lines


def disks(view: HostView, sheet: Sheet) -> list[Line]:
    """Return the block devices with their rates."""
    sample, look = view.sample, sheet.look
    if sample is None or sample.disks is None:
        return [_unknown(view, sheet, "diskstats")]
    name = max(10, min(28, sheet.width - 44))
    lines = [
        _columns(
            ("DEVICE", name, False),
            ("READ/s", 9, True),
            ("WRITE/s", 9, True),
            ("R/s", 8, True),
            ("W/s", 8, True),
            ("BUSY", 6, True),
            style=look.head,
        )
    ]
    for each in sample.disks:
        line = Line().cell(clean(each.device), name, look.text)
        for text in (short_bytes(each.read_bps), short_bytes(each.write_bps)):
            line.cell(text, 9, look.text, True)
        for figure in (each.read_iops, each.write_iops):
            line.cell(number(figure, 1), 8, look.text, True)
        lines.append(line.cell(percent(each.busy_pct), 6, look.level(level(each.busy_pct, BUSY)), True))
    return lines


def interfaces(view: HostView, sheet: Sheet) -> list[Line]:
    """Return the network interfaces with their rates."""
    sample, look = view.sample, sheet.look
    if sample is None or sample.interfaces is None:
        return [_unknown(view, sheet, "netdev")]
    name = max(10, min(28, sheet.width - 50))
    lines = [
        _columns(
            ("INTERFACE", name, False),
            ("RX/s", 9, True),
            ("TX/s", 9, True),
            ("RX PKT", 8, True),
            ("TX PKT", 8, True),
            ("ERR/s", 8, True),
            ("DROP/s", 8, True),
            style=look.head,
        )
    ]
    for each in sample.interfaces:
        line = Line().cell(clean(each.interface), name, look.text)
        for text in (short_bytes(each.rx_bps), short_bytes(each.tx_bps)):
            line.cell(text, 9, look.text, True)
        for figure in (each.rx_pps, each.tx_pps):
            line.cell(number(figure, 1), 8, look.text, True)
        for figure in (each.errors_ps, each.drops_ps):
            line.cell(number(figure, 1), 8, look.level(1 if figure else 0), True)
        lines.append(line)
    return lines


def _columns(*titles: tuple[str, int, bool], style: Style) -> Line:
    line = Line()
    for title, width, right in titles:
        line.cell(title, width, style, right)
    return line


def sections(view: HostView, sheet: Sheet) -> list[Line]:
    """Return what became of each section of the last frame, in words."""
    look = sheet.look
    if view.sample is None or not view.sample.sections:
        return [Line().add("no frame yet", look.dim)]
    fine = [clean(name) for name, status in view.sample.sections.items() if status is SectionStatus.OK]
    lines = [Line().add("● ok ", look.ok).add(part, look.dim) for part in wrap(", ".join(fine), sheet.width - 5)]
    for name, status in view.sample.sections.items():
        if status is not SectionStatus.OK:
            style = look.dim if status is SectionStatus.ABSENT else look.warn
            glyph = "○" if status is SectionStatus.ABSENT else "▲"
            lines.append(Line().cell(f"{glyph} {clean(name)}", 16, style).add(_SECTION_WORDS[status], style))
    return lines
