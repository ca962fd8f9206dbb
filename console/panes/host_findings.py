"""What the slow collectors found on a host, as sections of its sheet: status in words, age, absent told from zero."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.formatting import DASH, age, clean, count, short_bytes
from console.panes.finding_tables import TABLES, anything
from console.widgets.line import Line, wrap
from core.models import SectionStatus

if TYPE_CHECKING:
    from console.panes.host_sheet import Sheet
    from console.widgets.palette import Palette
    from core.models import Finding, HostFinding, HostView, PollingFigures, PollingView

TITLES = {
    "processes": "TOP PROCESSES",
    "services": "SERVICES",
    "containers": "CONTAINERS",
    "drives": "DRIVES",
    "zfs": "ZFS",
    "updates": "UPDATES",
    "sessions": "SESSIONS",
    "ports": "LISTENING",
}
_LEVELS = {"info": 0, "warning": 1, "error": 2}
_WORDS = {
    SectionStatus.ABSENT: "absent",
    SectionStatus.FORBIDDEN: "forbidden",
    SectionStatus.TIMEOUT: "timeout",
    SectionStatus.BROKEN: "cannot be read",
}


def mark(finding: Finding) -> tuple[str, str, int]:
    """Return glyph, word and level of a finding: ``● ok``, ``▲ forbidden``, ``✗ error``."""
    if finding.status is SectionStatus.ABSENT:
        return "○", "absent", 0
    if finding.status is not SectionStatus.OK:
        return "▲", _WORDS[finding.status], 1
    level = _LEVELS[finding.severity]
    return "●▲✗"[level], ("ok", "warning", "error")[level], level


def troubles(view: HostView, sheet: Sheet) -> list[Line]:
    """Return a line for each finding that wants a person, worst first; they stand below the host's state."""
    bad = [one for one in view.findings.values() if one.finding.status is SectionStatus.OK]
    bad = sorted((one for one in bad if _LEVELS[one.finding.severity]), key=lambda one: -_LEVELS[one.finding.severity])
    lines = []
    for one in bad:
        glyph, word, level = mark(one.finding)
        text = f"{glyph} {clean(one.kind)}: {clean(one.finding.detail) or word}"
        lines.append(Line().cell(text, sheet.width, sheet.look.level(level)))
    return lines


def finding_lines(view: HostView, sheet: Sheet, kinds: Iterable[str]) -> list[Line]:
    """Return the sections of these kinds, those that the host lacks left out."""
    lines: list[Line] = []
    for kind in kinds:
        found = view.findings.get(kind)
        if found is not None and found.finding.status is not SectionStatus.ABSENT:
            lines += [*_section(found, sheet), Line()]
    return lines


def other_kinds(view: HostView) -> list[str]:
    """Return the checks and what plugins found, by name."""
    return sorted(kind for kind in view.findings if kind not in TITLES)


def missing(view: HostView, sheet: Sheet, why: str) -> list[Line]:
    """Return a line for each kind that the host lacks, and one for those that are not known, with the reason."""
    look, lines = sheet.look, list[Line]()
    for kind, found in view.findings.items():
        if found.finding.status is SectionStatus.ABSENT:
            line = Line().cell(f"○ {clean(kind)}", 16, look.dim)
            lines.append(line.add(f"absent: {clean(found.finding.detail)}".removesuffix(": "), look.dim))
    unasked = [kind for kind in TITLES if kind not in view.findings]
    if unasked:
        text = f"○ unknown: {', '.join(unasked)} ({why})"
        lines += [Line().add(part, look.dim) for part in wrap(text, sheet.width)]
    return lines


def _section(found: HostFinding, sheet: Sheet) -> list[Line]:
    finding, look = found.finding, sheet.look
    glyph, word, level = mark(finding)
    seconds = (sheet.now - found.ts).total_seconds()
    line = Line().add(TITLES.get(found.kind) or clean(found.kind).upper(), look.head).gap(2)
    line.add(f"{glyph} {word}", look.level(level) if level else look.ok).gap(2)
    line.add(f"{age(seconds)} old", look.dim).gap()
    line.add("─" * max(0, sheet.width - line.width), look.faint)
    lines = [line]
    told = finding.value is not None and (level > 0 or found.kind.startswith("check:"))  # above, or by the table
    if finding.detail and not told:
        style = look.level(level) if level else look.dim
        lines += [Line().add(part, style) for part in wrap(clean(finding.detail), sheet.width, 4)]
    if finding.value is not None:
        lines += TABLES.get(found.kind.partition(":")[0], anything)(finding.value, sheet)
    elif finding.status is SectionStatus.OK:
        lines.append(Line().add("no figures are kept of it", look.dim))
    return lines


def polling(view: HostView, figures: PollingView, sheet: Sheet) -> list[Line]:
    """Return what polling this host, and all of them, costs."""
    own = figures.hosts.get(view.host.name)
    lines = [] if own is None else _costs("this host", own, sheet)
    if figures.hosts:
        lines += _costs(f"all {len(figures.hosts)} hosts", figures.total, sheet, figures.waiting)
    return lines or [Line().add("not known: another console polls, or polling has just begun", sheet.look.dim)]


def _costs(name: str, figures: PollingFigures, sheet: Sheet, waiting: int | None = None) -> list[Line]:
    look: Palette = sheet.look
    failures = ", ".join(f"{kind} {times}" for kind, times in sorted(figures.failures.items())) or "none"
    words = [
        f"lag {_time(figures.lag_s)} (most {_time(figures.lag_max_s)})",
        f"{count(figures.frames)} frames",
        f"{short_bytes(figures.bytes)} received",
        f"{count(figures.connects)} logins, {_time(figures.connect_s)} each",
        f"{count(figures.commands)} commands, {_time(figures.command_s)} each, {figures.timeouts} timed out",
        *([f"{waiting} wait for their turn"] if waiting else []),
        *([f"{figures.broken} unreadable"] if figures.broken else []),
        f"failures: {failures}",
    ]
    room = max(20, sheet.width - 14)
    lines = []
    for place, part in enumerate(wrap(" · ".join(words), room)):
        head = name if place == 0 else ""
        lines.append(Line().cell(head, 14, look.dim).add(part, look.text))
    return lines


def _time(seconds: float | None) -> str:
    if seconds is None:
        return DASH
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
