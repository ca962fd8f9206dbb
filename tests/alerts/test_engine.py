"""The engine's corners: keys, hostile names, other rules, hosts that leave, levels and what costs a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core.alerts.defaults import DEFAULTS
from core.alerts.rules import Rule, RuleSet
from core.alerts.watched import WatchedTime
from core.alerts.words import figure_words, span_words
from core.models import AlertState, ServiceFigures
from core.models.alerts import alert_key, worst_first
from tests.alerts.world import START, World


def full(world: World, pct: float = 93.0, minutes: float = 3) -> None:
    world.set("web-01", disks={"/": pct, "/var": 50.0})
    world.run(minutes * 60)


def test_spans_and_figures_in_words() -> None:
    assert span_words(100_800) == "1 d 4 h" and span_words(300) == "5 min" and span_words(0.4) == "0 s"
    assert span_words(90) == "1 min 30 s" and span_words(float("inf")) == "never"
    assert figure_words(92.4, "%") == "92%" and figure_words(3.44, "s") == "3.4 s" and figure_words(3, "") == "3"


def test_watched_time_counts_only_what_was_watched() -> None:
    time, wall = WatchedTime(), START
    assert not time.tick(0.0, wall)
    assert not time.tick(10.0, wall + timedelta(seconds=10)) and time.now == 10
    assert time.tick(500.0, wall + timedelta(seconds=500)) and time.now == 10  # stopped
    assert time.tick(501.0, wall + timedelta(seconds=9000)) and time.now == 10  # slept
    assert time.tick(502.0, wall) and time.now == 10  # set back
    assert not time.tick(503.0, wall + timedelta(seconds=1)) and time.now == 11
    assert time.tick(504.0, wall + timedelta(seconds=2), paused=True) and time.now == 11


def test_keys_are_one_line_of_bounded_length_and_still_differ() -> None:
    key = alert_key("disk-full", "web", "/a\nb\x00\udc80é")
    assert "\n" not in key and "\x00" not in key and key.encode()
    long, other = alert_key("r", "h", "/" + "x" * 4000), alert_key("r", "h", "/" + "x" * 4000 + "y")
    assert len(long) < 320 and long != other


def test_what_hosts_call_their_things_is_never_a_format() -> None:
    world = World()
    unit = ServiceFigures("{item.__class__}{0}\x1b[31m.service", "loaded", "failed", result="{note}")
    for _ in range(5):
        world.find("web-01", "services", (unit,))
        world.run(30)
    (alert,) = world.open.values()
    assert alert.text == "{item.__class__}{0}\x1b[31m.service failed ({note})"  # the screen takes the escapes out


def test_levels_rise_and_fall_and_the_slack_holds_both() -> None:
    world = World()
    full(world, 93.0)
    full(world, 98.0)
    assert world.open["disk-full", "/"].severity == "error" and world.told("worse") == ["disk-full /"]
    full(world, 88.5)  # under the bound, within the slack
    assert world.open["disk-full", "/"].resolved is None
    full(world, 87.0)
    assert ("disk-full", "/") not in world.open
    over = next(alert for alert in world.engine.alerts if alert.resolved)
    assert over.state is AlertState.RESOLVED and [c.change for c in over.changes] == ["raised", "worse", "resolved"]


def test_an_unmounted_filesystem_has_no_trouble_any_more() -> None:
    world = World()
    full(world)
    world.set("web-01", disks={"/var": 50.0})
    world.run(180)
    assert not world.open and world.told("resolved") == ["disk-full /"]


def test_unknown_is_neither_trouble_nor_health() -> None:
    world = World()
    world.find("web-01", "services", (ServiceFigures("a.service", active="failed"),))
    world.run(60)
    world.find("web-01", "services", (ServiceFigures("a.service", active="failed"),))
    world.run(60)
    assert world.open
    world.find("web-01", "services", None)  # systemctl does not answer
    world.run(600)
    assert world.open and not world.told("resolved")


def test_a_host_that_leaves_the_inventory_takes_its_alerts_along() -> None:
    world = World("web-01", "web-02")
    full(world)
    del world.boxes["web-01"]
    world.run(10)
    assert not world.open
    (change,) = [step.change for step in world.steps if step.change.change == "resolved"]
    assert "no longer in the inventory" in change.note


def test_other_rules_end_what_stands_by_those_that_are_gone() -> None:
    world = World()
    full(world)
    world.engine.set_rules(RuleSet([*DEFAULTS, Rule("disk-full", "disk.pct", warning=90, on=False)]))
    world.run(10)
    assert not world.open
    world.engine.set_rules(RuleSet(DEFAULTS))
    full(world)
    assert world.open


def test_a_restart_resolves_what_is_over_meanwhile_and_what_has_no_rule() -> None:
    world = World()
    full(world)
    stored = world.engine.alerts
    world.set("web-01", disks={"/": 40.0, "/var": 50.0})
    world.restart((*stored, replace(stored[0], key="x\ty\t", rule="no-such-rule")))
    world.run(180)
    assert not world.open
    assert world.told("raised") == ["disk-full /"]


def test_the_worst_stands_first_and_what_is_over_last() -> None:
    world = World()
    full(world)
    (one,) = world.engine.alerts
    now = world.clock.now()
    others = [
        replace(one, key="b", severity="error"),
        replace(one, key="c", acked=now, severity="error"),
        replace(one, key="d", silenced_until=now),
        replace(one, key="e", hidden="maintenance"),
        replace(one, key="f", resolved=now),
    ]
    ordered = sorted([*reversed(others), one], key=worst_first)
    assert [alert.key for alert in ordered] == ["b", one.key, "c", "d", "e", "f"]


def test_only_hosts_that_changed_are_looked_at() -> None:
    world = World(*(f"host-{number}" for number in range(50)))
    world.run(30)
    read: list[str] = []
    engine = world.engine
    inner = engine._read
    engine._read = lambda watch, view: (read.append(watch.name), inner(watch, view))[1]  # type: ignore[method-assign]
    engine.look(world.view())
    assert read == []
    world.set("host-7", disks={"/": 41.0})
    engine.look(world.view())
    assert read == ["host-7"]


def test_an_acknowledgement_is_lost_with_the_alert_and_a_silence_is_not() -> None:
    world = World()
    full(world)
    key, now = alert_key("disk-full", "web-01", "/"), world.clock.now()
    assert world.engine.book.acknowledge([key, "no such"], "anna", "known", now) == [key]
    assert world.engine.book.silence([key], now + timedelta(hours=9), "anna", "", now) == [key]
    full(world, 40.0)
    full(world)
    again = world.open["disk-full", "/"]
    assert again.state is AlertState.SILENCED and again.acked is None
    assert world.engine.book.unsilence([key], "bert", world.clock.now()) == [key]
    assert world.open["disk-full", "/"].loud
