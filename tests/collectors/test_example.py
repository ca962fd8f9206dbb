"""The example of a user's own collector does what its text says."""

from __future__ import annotations

import runpy
import shlex
import subprocess
from pathlib import Path

import pytest

from core.collectors.catalog import COLLECTORS, Collector
from core.models import SectionStatus
from core.ports import CommandResult

FILE = Path(__file__).parent / "example" / "clock.py"
TRACKING = "A29FC87B,192.0.2.1,4,1718000000.12,{},0.00001,0.0002,-12.345,0.001,0.045,0.0123,0.0005,64.2,{}"
ABSENT, BROKEN, OK = SectionStatus.ABSENT, SectionStatus.BROKEN, SectionStatus.OK


@pytest.fixture
def clock() -> Collector:
    found = runpy.run_path(str(FILE))["COLLECTOR"]
    assert isinstance(found, Collector) and found.name not in COLLECTORS
    return found


@pytest.mark.parametrize(
    ("text", "status", "value", "severity"),
    [
        ("@jw chrony\n" + TRACKING.format("-0.000123", "Normal"), OK, (True, -0.000123), "info"),
        ("@jw chrony\n" + TRACKING.format("94608000.5", "Normal"), OK, (True, 94608000.5), "warning"),
        ("@jw chrony\n" + TRACKING.format("0.0", "Not synchronised"), OK, (False, 0.0), "warning"),
        ("@jw chrony\n" + TRACKING.format("0.x1", "Normal"), BROKEN, None, "info"),
        ("@jw chrony\n" + TRACKING.format("nan", "Normal"), BROKEN, None, "info"),
        ("@jw chrony\n506 Cannot talk to daemon", ABSENT, None, "info"),
        ("@jw timedatectl\nNTPSynchronized=no", OK, (False, None), "warning"),
        ("@jw timedatectl\n", BROKEN, None, "info"),
        ("", ABSENT, None, "info"),
    ],
)
def test_what_it_reads(clock: Collector, text: str, status: SectionStatus, value: object, severity: str) -> None:
    finding = clock.read(CommandResult(0, f"{text}\n@jw end\n".lstrip("\n"), ""))
    assert (finding.kind, finding.status, finding.severity) == ("clock", status, severity)
    shown = None if value is None else ({"synchronized": value[0], "offset_s": value[1]},)  # type: ignore[index]
    assert finding.value == shown


def test_it_runs_here(clock: Collector) -> None:
    done = subprocess.run(["sh", "-c", shlex.join(clock.command())], capture_output=True, text=True, timeout=60)
    finding = clock.read(CommandResult(done.returncode, done.stdout, done.stderr))
    assert finding.status in (OK, ABSENT, BROKEN)  # broken: timedatectl is there and systemd is not
    assert (finding.status is OK) == (finding.value is not None)
    assert finding.status is not BROKEN or "clock cannot be read: " in finding.detail
