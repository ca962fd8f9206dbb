"""alerts.toml: what it changes, what it adds, and errors that name file, rule, key and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.alerts.defaults import DEFAULTS
from core.alerts.figures import FIGURES
from core.alerts.rules import Rule, RuleSet
from core.alerts.rules_file import load_rules
from core.exceptions import ConfigurationError
from core.models import Host, SystemFigures
from tests.alerts.world import World

README = Path(__file__).resolve().parents[2] / "README.md"


def rules_of(tmp_path: Path, text: str) -> RuleSet:
    path = tmp_path / "alerts.toml"
    path.write_text(text)
    return RuleSet(load_rules(path))


def rule(rules: RuleSet, name: str, host: Host) -> Rule | None:
    return next((each for each in rules.of(host) if each.name == name), None)


def test_no_file_is_the_defaults_and_these_are_sound(tmp_path: Path) -> None:
    assert load_rules(tmp_path / "alerts.toml") == DEFAULTS
    assert len({each.name for each in DEFAULTS}) == len(DEFAULTS)
    for each in DEFAULTS:
        assert each.figure in FIGURES and each.title and each.advice
        bounds = [bound for bound in (each.info, each.warning, each.error) if bound is not None]
        assert bounds and bounds == sorted(bounds, reverse=each.below)


def test_a_default_is_changed_everywhere_or_in_part_of_the_fleet(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        """
        [[rules]]
        name = "disk-full"
        warning = 80
        for = "2 min"
        skip = ["/media/*"]
        [[rules]]
        name = "disk-full"
        groups = ["archive"]
        error = 99
        [[rules]]
        name = "cpu-busy"
        tags = ["batch"]
        on = false
        """,
    )
    web, archive = rule(rules, "disk-full", Host("web")), rule(rules, "disk-full", Host("nas", groups=("archive",)))
    assert web is not None and (web.warning, web.error, web.for_s, web.slack) == (80, None, 120, 2)
    assert web.wants("/var") and not web.wants("/media/cd")
    assert archive is not None and (archive.warning, archive.error, archive.for_s) == (None, 99, 120)
    assert rule(rules, "cpu-busy", Host("b", tags=("batch",))) is None and rule(rules, "cpu-busy", Host("w"))


def test_a_rule_of_ones_own_raises(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text(
        """
        [[rules]]
        name = "web-idle"
        title = "a web server with nothing to do"
        figure = "cpu.pct"
        below = true
        warning = 1
        for = "10 min"
        hosts = ["web-*"]
        [[rules]]
        name = "disk-filling"
        warning = "14 days"
        """
    )
    world = World("web-01", "db-01", rules=load_rules(path))
    assert next(each for each in world.rules.of(None) if each.name == "disk-filling").warning == 14 * 86_400
    for name in world.boxes:
        world.set(name, system=SystemFigures(cpu_pct=0.2, cpus=4))
    world.run(9 * 60)
    assert not world.open
    world.run(2 * 60)
    assert set(world.open) == {("web-idle", "web-01")}
    assert world.open["web-idle", "web-01"].limit == "under 1%, for 10 min"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rules]]\nname = 'disk-full'\nwarming = 80", ["rule 1 (disk-full)", "'warming'", "do you mean warning?"]),
        ("[[rules]]\nname = 'disk-ful'\nwarning = 80", ["rule 1 (disk-ful)", "do you mean disk-full?", "figure"]),
        ("[[rules]]\nname = 'x'\nfigure = 'disk.pc'\nwarning = 8", ["no figure 'disk.pc'", "do you mean disk.pct?"]),
        ("[[rules]]\nname = 'x'\nfigure = 'disk.pct'", ["rule 1 (x)", "it needs a bound"]),
        ("[[rules]]\nname = 'disk-full'\nwarning = '80'", ["warning must be a number"]),
        ("[[rules]]\nname = 'disk-full'\nfor = 'soon'", ["for must be a time", "10 min"]),
        ("[[rules]]\nname = 'disk-filling'\nwarning = 'some days'", ["warning must be a time"]),
        ("[[rules]]\nname = 'disk-full'\nwarning = 99\nerror = 90", ["must stand in this order as the figure grows"]),
        ("[[rules]]\nname = 'disk-full'\ngroups = 'web'", ["groups must be a list of texts"]),
        ("[[rules]]\nname = 'disk-full'\non = 1", ["on must be true or false"]),
        ("[[rules]]\nname = 'disk-full'\nsamples = 0", ["samples must be a whole number"]),
        ("[[rules]]\nwarning = 80", ["rule 1", "needs a name"]),
        ("[rules]\nname = 'x'", ["[[rules]] tables"]),
        ("[[rule]]\nname = 'x'", ["'rule' is not known here"]),
        ("[[rules]\n", ["line 1"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_way_out(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rules_of(tmp_path, text)
    assert str(tmp_path / "alerts.toml") in caught.value.message
    for word in words:
        assert word in caught.value.message


def test_what_is_no_file_and_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_rules(tmp_path)
    path = tmp_path / "alerts.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_rules(path)
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigurationError, match="over 1 MiB"):
        load_rules(path)


def test_the_readme_tells_every_rule_and_figure_and_its_example_is_taken(tmp_path: Path) -> None:
    text = README.read_text("utf-8").partition("## Alerts")[2].partition("## Configuration")[0]
    told = set(re.findall(r"`([a-z][a-z._-]*)`", text))
    assert {each.name for each in DEFAULTS} <= told and set(FIGURES) <= told
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    rules = rules_of(tmp_path, example[1])
    assert rule(rules, "disk-full", Host("x", groups=("db",))).warning == 80  # type: ignore[union-attr]
    assert rule(rules, "web-idle", Host("web-1")) and not rule(rules, "web-idle", Host("db-1"))
