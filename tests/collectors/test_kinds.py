"""Every capture of every kind is read as its JSON says; a new distribution is a new pair of files."""

from __future__ import annotations

import pytest

from core.collectors.catalog import COLLECTORS, Collector, check, services_of
from core.collectors.output import sections
from core.exceptions import DataCollectionError, ValidationError
from core.models import Finding, SectionStatus
from core.ports import CommandResult
from tests.collectors.captures import NAMES, load, read_picture


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_read_as_a_person_read_it(name: str) -> None:
    capture = load(name)
    assert "read" in capture.told, f"python -m tests.collectors.captures {name} shows what is read"
    assert capture.told["origin"] in ("real", "written")
    assert read_picture(capture) == capture.told["read"]


def test_every_kind_has_captures() -> None:
    assert {name.partition("/")[0] for name in NAMES} >= set(COLLECTORS) | {"checks"}


@pytest.mark.parametrize("collector", COLLECTORS.values(), ids=list(COLLECTORS))
@pytest.mark.parametrize(
    ("result", "status"),
    [
        (CommandResult(127, "", "sh: not found\n"), SectionStatus.ABSENT),
        (CommandResult(126, "", "Permission denied\n"), SectionStatus.FORBIDDEN),
        (CommandResult(1, "", "sudo: a password is required\n"), SectionStatus.FORBIDDEN),
        (
            CommandResult(1, "", "Sorry, user kim is not allowed to execute '/bin/x' as root on h.\n"),
            SectionStatus.FORBIDDEN,
        ),
        (CommandResult(1, "", "kim is not in the sudoers file.\n"), SectionStatus.FORBIDDEN),
        (CommandResult(127, "", "sh: 1: sudo: not found\n"), SectionStatus.FORBIDDEN),
        (CommandResult(1, "", "sudo: a terminal is required to read the password\n"), SectionStatus.FORBIDDEN),
        (CommandResult(0, "", ""), SectionStatus.BROKEN),
        (CommandResult(None, "@jw", ""), SectionStatus.BROKEN),
        (CommandResult(0, "@jw x\n@jw end\n", "", truncated=True), SectionStatus.BROKEN),
        (CommandResult(0, "This account is currently not available.\n", ""), SectionStatus.BROKEN),
        (CommandResult(2, "", "/bin/sh: Cannot fork\n"), SectionStatus.BROKEN),
    ],
)
def test_what_is_no_answer(collector: Collector, result: CommandResult, status: SectionStatus) -> None:
    finding = collector.read(result)
    assert (finding.kind, finding.status, finding.value) == (collector.name, status, None)
    assert finding.detail.isprintable() and finding.detail


def test_sudo_may_talk_and_still_run() -> None:
    told = "@jw ss\nNetid State Recv-Q Send-Q Local Address:Port Peer Address:Port\n@jw end\n"
    said = "sudo: unable to resolve host web-1: Name or service not known\n"
    assert COLLECTORS["ports"].read(CommandResult(0, told, said)).status is SectionStatus.OK


def test_no_end_mark_means_half_an_answer() -> None:
    with pytest.raises(DataCollectionError):
        sections("ports", CommandResult(0, "@jw ss\nNetid State\n", ""))
    with pytest.raises(DataCollectionError):
        sections("ports", CommandResult(0, "@jw ss\n@jw end\nand more\n", ""))


def test_sudo_stands_before_the_one_tool_and_not_before_a_shell() -> None:
    drives, ports = COLLECTORS["drives"], COLLECTORS["ports"]
    assert drives.command() == drives.argv
    assert drives.command(root=True) == (*drives.argv, "jumpwatch", "sudo -n")
    assert "$1 smartctl -j" in drives.argv[2] and "$1 ss" in ports.argv[2]
    assert COLLECTORS["sessions"].command(root=True) == COLLECTORS["sessions"].argv
    plugin = check("smart", ["/opt/check smart", "-d", "/dev/sda"], wants_root=True)
    assert plugin.command(root=True) == ("sudo", "-n", "/opt/check smart", "-d", "/dev/sda")


def test_chosen_units_are_words_of_their_own() -> None:
    assert services_of(["nginx", "a@b.timer"]).argv[3:] == ("jumpwatch", "", "nginx.service", "a@b.timer")


@pytest.mark.parametrize("unit", ["", "-x", "a b", "a;b", "$(id)", "a\nb", "../x/y", "ü" * 2, "x" * 300])
def test_a_foreign_unit_is_refused(unit: str) -> None:
    with pytest.raises(ValidationError):
        services_of([unit])


@pytest.mark.parametrize(
    ("name", "argv"), [("", ["x"]), ("a b", ["x"]), ("x" * 65, ["x"]), ("x", []), ("x", [""]), ("x", ["a\nb"])]
)
def test_a_foreign_check_is_refused(name: str, argv: list[str]) -> None:
    with pytest.raises(ValidationError):
        check(name, argv)


def test_defaults_are_the_ones_of_the_design() -> None:
    assert {name: collector.interval_s for name, collector in COLLECTORS.items()} == {
        "processes": 30, "services": 60, "containers": 30, "drives": 3600, "zfs": 300, "updates": 21600,
        "sessions": 300, "ports": 300, "proxies": 300,
    }  # fmt: skip


def test_an_unreadable_drive_harms_no_other() -> None:
    capture = load("drives/server-with-all")
    finding = capture.read(capture.text.replace(b'"power_on_time"', b'"power_on_time', 1))
    assert isinstance(finding, Finding) and isinstance(finding.value, tuple)
    first, second, *_ = finding.value
    assert (first.device, first.passed, first.power_on_h) == ("/dev/sda", None, None)
    assert "cannot be read" in first.problems[0]
    assert second.reallocated == 1975
