"""Findings on the sheet: status in words, age, absent told from zero, hostile text tamed, no line too wide."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.style import Style

from console.panes.finding_tables import TABLES
from console.panes.fleet_table import FleetTable
from console.panes.host_findings import finding_lines, missing, other_kinds, polling, troubles
from console.panes.host_sheet import Sheet
from console.panes.hostfilter import FIGURES, HOSTS, failed_units
from console.panes.query import parse
from console.widgets.line import Line
from console.widgets.palette import Palette
from core.models import (
    CheckFigures,
    ContainerFigures,
    DriveFigures,
    Finding,
    Host,
    HostFinding,
    HostState,
    HostView,
    Level,
    Perfdatum,
    PollingFigures,
    PollingView,
    PoolFigures,
    PortFigures,
    ProcessFigures,
    SectionStatus,
    ServiceFigures,
    SessionFigures,
    UpdateFigures,
    VdevFigures,
    ZfsFigures,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NASTY = "\x1b[31mred\x1b]0;t\x07 [bold]x[/] \u202e 好" * 9
PLAIN = Palette(*(Style.null() for _ in fields(Palette)))
FULL: dict[str, Any] = {
    "processes": tuple(ProcessFigures(n, NASTY, NASTY, "D", 99.5, 1 << 33, 7) for n in range(20)),
    "services": tuple(ServiceFigures(NASTY, "loaded", "failed", "dead", NASTY, NASTY, 3, 1 << 20) for _ in range(40)),
    "containers": (
        ContainerFigures("1f", NASTY, NASTY, "docker", "running", NASTY, "unhealthy", None, 250.0, 1 << 30, pids=4),
        ContainerFigures("2f", "job", "job:1", "podman", "exited", "Exited (1)", exit_code=1),
    ),
    "drives": (
        DriveFigures("/dev/sda", "ata", NASTY, passed=False, reallocated=9, pending=1, problems=(NASTY, "hot")),
        DriveFigures("/dev/sdb", "ata", asleep=True),
        DriveFigures("md0", "md", passed=True, level="raid1", state="clean"),
    ),
    "zfs": ZfsFigures(
        (
            PoolFigures(
                NASTY, "DEGRADED", 1, 1, 0, 5, 91, NASTY, NASTY, NASTY, "", (VdevFigures(NASTY, "FAULTED", 1, 3),)
            ),
        )
    ),
    "updates": UpdateFigures("apt", 12, None, tuple(NASTY for _ in range(50)), None, NASTY, NASTY, 3600.0),
    "sessions": (SessionFigures(NASTY, "pts/0", NASTY, None),),
    "ports": (PortFigures("tcp", "::", 22, process=NASTY), PortFigures("udp", "127.0.0.1", 53)),
    "check": CheckFigures("disk", "critical", NASTY, (NASTY,) * 9, (Perfdatum(NASTY, None, "%"), Perfdatum("x", 5.0))),
    "own": [{"free": None, "pool": NASTY}, {"pool": "b", "free": 0}],
}
EMPTY: dict[str, Any] = {**dict.fromkeys(TABLES, ()), "zfs": ZfsFigures(()), "updates": UpdateFigures("apk", 0, 0)}
EMPTY["check"] = CheckFigures("disk", "ok", "fine")


def sheet(width: int = 80) -> Sheet:
    return Sheet(width, NOW, 10.0, True, PLAIN)


def text(lines: list[Line]) -> str:
    return "\n".join("".join(segment.text for segment in line.segments).rstrip() for line in lines)


def view(*findings: Finding, ago_s: float = 7.0) -> HostView:
    found = {f.kind: HostFinding("web", NOW - timedelta(seconds=ago_s), f) for f in findings}
    return HostView(Host("web"), HostState.ONLINE, findings=found)


def ok(kind: str, value: Any, severity: Level = "info", detail: str = "") -> Finding:
    return Finding(kind, SectionStatus.OK, value, detail, severity)


@pytest.mark.parametrize("width", [40, 60, 80, 130, 200])
@pytest.mark.parametrize("kind", FULL)
def test_no_line_is_wider_than_the_sheet_and_nothing_of_the_host_is_obeyed(kind: str, width: int) -> None:
    it = view(ok(kind, FULL[kind], "error", NASTY))
    lines = [*troubles(it, sheet(width)), *finding_lines(it, sheet(width), [kind])]
    assert len(lines) < 60 and all(line.width <= width for line in lines), [line.width for line in lines]
    shown = text(lines)
    assert shown.replace("\n", "").isprintable() and "\x1b" not in shown and "\u202e" not in shown
    assert "✗ error  7s old" in shown


@pytest.mark.parametrize("kind", TABLES)
def test_nothing_found_is_said_in_words_and_is_not_the_unknown(kind: str) -> None:
    lines = text(finding_lines(view(ok(kind, EMPTY[kind])), sheet(), [kind]))
    assert "● ok" in lines
    words = {
        "services": "no unit has failed", "containers": "no container", "zfs": "no pool", "updates": "0 pending",
        "sessions": "nobody is logged in", "ports": "nothing listens", "check": "fine",
    }  # fmt: skip
    assert words.get(kind, "") in lines
    assert "–" not in lines or kind == "updates"


def test_absent_forbidden_hung_and_unreadable_are_told_apart() -> None:
    it = view(
        Finding("zfs", SectionStatus.ABSENT, None, "ZFS is not there"),
        Finding("drives", SectionStatus.FORBIDDEN, None, "allow sudo -n smartctl", "warning"),
        Finding("containers", SectionStatus.TIMEOUT, None, "no answer within 20 s", "warning"),
        Finding("ports", SectionStatus.BROKEN, None, "ports cannot be read: x"),
    )
    shown = text(finding_lines(it, sheet(), TABLES))
    assert "DRIVES  ▲ forbidden  7s old" in shown and "allow sudo -n smartctl" in shown
    assert "CONTAINERS  ▲ timeout" in shown and "LISTENING  ▲ cannot be read" in shown
    assert "ZFS" not in shown and troubles(it, sheet()) == []
    left = text(missing(it, sheet(), "not asked yet"))
    assert "○ zfs           absent: ZFS is not there" in left
    assert "○ unknown: processes, services, updates, sessions (not asked yet)" in left


def test_troubles_stand_worst_first() -> None:
    it = view(
        ok("updates", None, "warning", "3 updates"), ok("services", None, "error", "1 failed: x"), ok("ports", None)
    )
    assert text(troubles(it, sheet())) == "✗ services: 1 failed: x\n▲ updates: 3 updates"


def test_checks_and_plugins_come_by_name_and_a_plugins_value_is_shown_as_it_is() -> None:
    it = view(ok("own", FULL["own"]), ok("check:disk", FULL["check"]), ok("ports", ()))
    assert other_kinds(it) == ["check:disk", "own"]
    shown = text(finding_lines(it, sheet(), ["own"]))
    assert "free –" in shown and "pool b  free 0" in shown


def test_a_value_lost_on_its_way_is_not_taken_for_nothing() -> None:
    assert "no figures are kept of it" in text(finding_lines(view(ok("drives", None)), sheet(), ["drives"]))


def test_the_fleet_counts_failed_units_and_updates_and_filters_by_them() -> None:
    dead = ok("services", (ServiceFigures("a", active="failed"), ServiceFigures("b", active="active")), "error")
    it = view(dead, ok("updates", UpdateFigures("apt", 4, 1), "warning"))
    assert failed_units(it) == 1 and FIGURES["updates"](it) == 4
    assert parse("failed>0 updates>3", HOSTS).keeps(it, NOW) and not parse("failed>1", HOSTS).keeps(it, NOW)
    nothing = view(Finding("services", SectionStatus.ABSENT), Finding("updates", SectionStatus.FORBIDDEN))
    assert failed_units(nothing) is None and not parse("failed<5", HOSTS).keeps(nothing, NOW)
    table = FleetTable()
    table.hosts, table.now = {"a": it, "b": nothing, "c": view()}, NOW
    table._palette = PLAIN
    for width, there in ((95, False), (100, True), (160, True)):
        assert table._widths(width)[0] >= 12
        assert ("FAIL" in _row(table.draw_header, width)) is there
        if there:
            rows = [_row(lambda w, n=name: table.draw_row(n, w), width) for name in "abc"]  # type: ignore[misc]
            assert "    1    4" in rows[0] and "  n/a deny" in rows[1] and "    –    –" in rows[2]


def _row(draw: Any, width: int) -> str:
    line: Line = draw(width)
    assert line.width <= width
    return text([line])


def test_polling_itself_tells_figures_and_unknowns() -> None:
    it = view()
    assert "not known" in text(polling(it, PollingView(), sheet()))
    own = PollingFigures(10, 2048, 0, None, None, 1, 0.25, 4, 1.5, 1, {"timeout": 2, "port": 1})
    shown = text(polling(it, PollingView(own, {"web": own}, 3), sheet(200)))
    assert shown.startswith("this host     lag – (most –) · 10 frames · 2.0K received · 1 logins, 250 ms each")
    assert "4 commands, 1.5 s each, 1 timed out" in shown and "failures: port 1, timeout 2" in shown
    assert "all 1 hosts" in shown and "3 wait for their turn" in shown
