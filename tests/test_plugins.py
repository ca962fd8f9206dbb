"""Collectors and checks of the user's own: what is broken is named with its line and stops nothing."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from console.composition.inspecting import Choice, Extras, load_extras
from core import plugins as plugins_module
from core.collectors.catalog import COLLECTORS
from core.config import MonitoringSettings, load_settings
from core.exceptions import ConfigurationError, DataCollectionError
from core.inventory import host_from
from core.inventory.checks import load_checks
from core.models import Host, SectionStatus
from core.plugins import load_plugins
from core.polling.apart import apart
from core.ports import CommandResult

README = Path(__file__).resolve().parents[1] / "README.md"
GOOD = """
from core.collectors.catalog import Collector
from core.models import Finding, SectionStatus


def parse(result):
    users = int(result.stdout)
    return Finding("logins", SectionStatus.OK, (users,), f"{users} logins", "warning" if users > 9 else "info")


COLLECTOR = Collector("logins", ("sh", "-c", "who | wc -l"), parse, interval_s=60.0)
"""


def folder(tmp_path: Path, **files: str) -> Path:
    made = tmp_path / "collectors"
    made.mkdir(mode=0o700)
    for name, text in files.items():
        (made / f"{name}.py").write_text(text)
        (made / f"{name}.py").chmod(0o600)
    return made


def result(stdout: str) -> CommandResult:
    return CommandResult(0, stdout, "")


def test_a_file_brings_a_collector_that_reads(tmp_path: Path) -> None:
    found = load_plugins(folder(tmp_path, logins=GOOD, _helper="raise SystemExit", notes="COLLECTORS = ()"))
    assert found.faults == [f"{tmp_path}/collectors/notes.py: it sets neither COLLECTOR nor COLLECTORS"]
    finding = found.collectors["logins"].read(result("12\n"))
    assert (finding.kind, finding.value, finding.severity) == ("logins", (12,), "warning")
    assert getattr(found.collectors["logins"], "foreign", False)


def test_no_folder_is_no_fault(tmp_path: Path) -> None:
    found = load_plugins(tmp_path / "collectors")
    assert not found.collectors and not found.faults


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ndef f(:\n", "line 2: SyntaxError"),
        ("\n\nimport nothing_of_that_name\n", "line 3: ModuleNotFoundError"),
        ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", "sys.exit"),
        ("\0", "null bytes"),
        ("COLLECTOR = 5", "must be a core.collectors.catalog.Collector, and is int"),
        (GOOD.replace('"logins", (', '"services", ('), "there is a collector services already"),
        (GOOD.replace('"logins", (', '"../x", ('), "must be of small letters"),
        (GOOD.replace("60.0", "0.01"), "interval_s of logins must be from 5"),
        (GOOD.replace("60.0", "float('nan')"), "interval_s of logins must be from 5"),
        (GOOD.replace('("sh", "-c", "who | wc -l")', '"who"'), "argv of logins must be a tuple"),
        (GOOD.replace("parse, interval_s", "7, interval_s"), "parse of logins must be a function"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_the_others_run(tmp_path: Path, text: str, words: str) -> None:
    found = load_plugins(folder(tmp_path, bad=text, good=GOOD.replace('"logins"', '"fine"')))
    assert list(found.collectors) == ["fine"]
    assert len(found.faults) == 1 and found.faults[0].startswith(str(tmp_path / "collectors" / "bad.py"))
    assert words in found.faults[0] and "\n" not in found.faults[0]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_is_never_run(tmp_path: Path, mode: int) -> None:
    mark = tmp_path / "ran"
    made = folder(tmp_path, evil=f"open({str(mark)!r}, 'w')")
    (made / "evil.py").chmod(mode)
    assert load_plugins(made).faults == [f"{made}/evil.py: others may write to it: chmod go-w"]
    (made / "evil.py").chmod(0o600)
    made.chmod(0o777)
    assert load_plugins(made).faults == [f"{made}: others may write to it: chmod go-w; its collectors are not loaded"]
    assert not mark.exists()
    if os.geteuid() == 0:
        made.chmod(0o700)
        os.chown(made / "evil.py", 12345, -1)
        os.chown(made, 12345, -1)
        assert "belongs to another user" in load_plugins(made).faults[0]
        os.chown(made, 0, -1)
        assert "belongs to another user" in load_plugins(made).faults[0] and not mark.exists()


def test_a_pipe_is_no_file_to_wait_for(tmp_path: Path) -> None:
    made = folder(tmp_path)
    os.mkfifo(made / "pipe.py", 0o600)
    assert "no regular file" in load_plugins(made).faults[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return int('x')", "line 3, ValueError"),
        ("return None", "must return a Finding"),
        ("return Finding('a', 'ok')", "must return a Finding"),
        ("return Finding('a', SectionStatus.OK, None, '', 'loud')", "severity must be"),
        ("raise KeyError('a\\nb')", "KeyError"),
    ],
)
def test_a_parser_that_fails_is_unreadable_and_no_more(tmp_path: Path, body: str, words: str) -> None:
    text = "from core.collectors.catalog import Collector; from core.models import Finding, SectionStatus\n"
    text += f"def parse(r):\n    {body}\n"
    text += "COLLECTOR = Collector('own', ('true',), parse, interval_s=60.0)\n"
    finding = load_plugins(folder(tmp_path, own=text)).collectors["own"].read(result(""))
    assert finding.status is SectionStatus.BROKEN and finding.kind == "own" and finding.value is None
    assert all(word in finding.detail for word in words.split(", ")) and "own.py" in finding.detail


def test_entry_points_bring_collectors_and_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("mine", "core.collectors.catalog:SERVICES", plugins_module.GROUP),
        EntryPoint("lost", "nothing_of_that_name:X", plugins_module.GROUP),
        EntryPoint("odd", "core.plugins:GROUP", plugins_module.GROUP),
    ]
    monkeypatch.setattr(plugins_module, "entry_points", lambda group: points)
    found = load_plugins(Path("/nonexistent"))
    assert not found.collectors and len(found.faults) == 3
    assert "there is a collector services already" in found.faults[0] and "ModuleNotFoundError" in found.faults[1]


def test_the_readmes_example_works(tmp_path: Path) -> None:
    example = re.search(r"```python\n(# .*collectors/.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert example is not None
    found = load_plugins(folder(tmp_path, example=example[1]))
    assert not found.faults
    (one,) = found.collectors.values()
    assert one.read(result("3")).severity == "info" and one.read(result("500")).severity == "warning"
    assert one.read(result("garbage")).status is SectionStatus.BROKEN


async def test_work_apart_gives_what_it_gives_and_is_left_alone_when_it_hangs() -> None:
    assert await apart(lambda: 5, 20.0) == 5
    with pytest.raises(DataCollectionError):
        await apart(_fail, 20.0)
    with pytest.raises(TimeoutError):
        await apart(lambda: time.sleep(0.3), 0.01)


def _fail() -> Any:
    raise DataCollectionError("x")


CHECKS = """
[[checks]]
name = "disk"
argv = ["/usr/lib/nagios/plugins/check_disk", "-w", "20%"]
groups = ["web"]
interval_s = 60

[[checks]]
name = "raid"
argv = ["check_raid"]
sudo = true
hosts = ["nas"]

[[checks]]
name = "load"
argv = ["check_load"]
"""


def settings_of(tmp_path: Path, **env: str) -> Any:
    return load_settings(env={"HOME": str(tmp_path), "JUMPWATCH_CONFIG_DIR": str(tmp_path), **env})


def test_checks_run_where_host_group_or_tag_says(tmp_path: Path) -> None:
    (tmp_path / "checks.toml").write_text(CHECKS)
    said: list[str] = []
    extras = load_extras(settings_of(tmp_path))
    choice = Choice(extras, MonitoringSettings(collectors=("off",)), said.append)
    names = {h.name: [one.name for one in choice(h)] for h in (Host("a", groups=("web",)), Host("nas"), Host("c"))}
    assert names == {"a": ["check:disk", "check:load"], "nas": ["check:raid", "check:load"], "c": ["check:load"]}
    disk, raid = choice(Host("a", groups=("web",)))[0], choice(Host("nas"))[0]
    assert disk.interval_s == 60 and disk.command() == ("/usr/lib/nagios/plugins/check_disk", "-w", "20%")
    assert raid.command()[:2] == ("sudo", "-n") and not said
    finding = disk.read(CommandResult(2, "DISK CRITICAL | /=91%;80;90", ""))
    assert (finding.kind, finding.severity) == ("check:disk", "error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[checks]]\nname = 'a'\n", "check 1: it needs argv"),
        ("[[checks]]\nname = 'a'\nargv = 'ls'\n", "argv must be a list of texts"),
        ("[[checks]]\nname = 'a'\nargv = ['x']\nintervall = 5\n", "'intervall' is not known"),
        ("[[checks]]\nname = 'a'\nargv = ['x']\ninterval_s = true\n", "interval_s must be a number"),
        ("[[checks]]\nname = 'a'\nargv = ['x']\n" * 2, "two checks called a"),
        ("[hosts]\n", "'hosts' is not known"),
        ("checks = 5", "must be [[checks]] tables"),
        ("[[checks]\n", "line 1"),
    ],
)
def test_a_wrong_checks_file_says_what_and_stops_nothing(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "checks.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        load_checks(path)
    extras = load_extras(settings_of(tmp_path))
    assert len(extras.faults) == 1 and words in extras.faults[0] and not extras.checks


def test_a_check_with_a_foreign_name_is_left_out_alone(tmp_path: Path) -> None:
    (tmp_path / "checks.toml").write_text("[[checks]]\nname='a b'\nargv=['x']\n[[checks]]\nname='ok'\nargv=['x']\n")
    extras = load_extras(settings_of(tmp_path))
    assert [one.name for one, _ in extras.checks] == ["ok"] and "'a b'" in extras.faults[0]


def test_what_runs_is_what_host_or_settings_say(tmp_path: Path) -> None:
    said: list[str] = []
    own = replace(COLLECTORS["ports"], name="own")
    choice = Choice(Extras({"own": own}), MonitoringSettings(), said.append)
    assert [one.name for one in choice(Host("a"))] == [*COLLECTORS, "own"]
    host = host_from({"name": "a", "collectors": ["services", "nope"], "sudo": ["all", "lost"], "services": ["nginx"]})
    (services,) = choice(host)
    assert "nginx.service" in services.command() and services.interval_s == COLLECTORS["services"].interval_s
    choice(host)  # said once
    assert len(said) == 2 and "nope" in said[0] and "lost" in said[1]
    assert choice(host_from({"name": "a", "collectors": []})) == ()
    some = MonitoringSettings(collectors="drives,zfs", collector_intervals="drives=2h,what=60")
    choice = Choice(Extras(), some, said.append)
    assert [(one.name, one.interval_s) for one in choice(Host("a"))] == [("drives", 7200), ("zfs", 300)]
    assert "what" in said[-1] and len(choice) == len(COLLECTORS)


@pytest.mark.parametrize("text", ["drives", "drives=1s", "drives=x", "=60", "drives=40 days", "a b=60"])
def test_a_wrong_interval_names_its_variable(text: str) -> None:
    with pytest.raises(ConfigurationError, match="JUMPWATCH_MONITORING_COLLECTOR_INTERVALS"):
        MonitoringSettings(collector_intervals=[text])
