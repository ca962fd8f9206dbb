"""The pure parts of the console: texts, plots, filter, order, windows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from console import formatting as form
from console.panes.chunk_marks import is_late, word
from console.panes.chunk_strips import _window
from console.panes.hostfilter import HOSTS
from console.panes.hostorder import HostOrder
from console.panes.query import parse
from console.widgets.line import Line, fit, wrap
from console.widgets.plots import area, bar, gathered, spark, top_of
from console.widgets.severity import DISK, age_level, level
from core.models import HostState, HostView
from tests.console.fake_database import TABLES, make_chunks, make_database
from tests.console.fake_fleet import NAMES, make_host, troubled

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain – text ü", "plain – text ü"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x9b2Jx", "x"),
        ("a\tb\nc\rd", "a b c d"),
        ("left\u202eright\u2066\u200b!", "leftright!"),
        ("\x00\x07\x08bell\x7f", "bell"),
        ("\x1bPpayload\x1b\\x", "x"),
    ],
)
def test_clean(foreign: str, shown: str) -> None:
    assert form.clean(foreign) == shown


def test_clean_cuts() -> None:
    assert len(form.clean("x" * 10_000)) == 4000


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0B"), (999, "999B"), (1000, "1.0K"), (1536, "1.5K"), (12 << 20, "12M"), (3 << 40, "3.0T")],
)
def test_short_bytes(value: float | None, shown: str) -> None:
    assert form.short_bytes(value) == shown
    assert len(shown) <= 5


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.4, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (200_000, "2d"), (9e8, "28y")],
)
def test_age(seconds: float | None, shown: str) -> None:
    assert form.age(seconds) == shown
    assert len(shown) <= 4


def test_span() -> None:
    assert [form.span(s) for s in (None, 0, 61, 3600, 90_061)] == ["–", "0s", "1m 1s", "1h", "1d 1h"]


@pytest.mark.parametrize("text", ["abc", "host-αβγ", "日本語サーバー", "é" * 30, ""])
@pytest.mark.parametrize("width", [1, 2, 7, 20])
def test_fit_is_exact_in_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, right=True)) == width


def test_wrap_keeps_every_word() -> None:
    text = "SELECT compress_chunk('_timescaledb_internal._hyper_1_1_chunk', if_not_compressed => true)"
    lines = wrap(text, 30)
    assert all(cell_len(line) <= 30 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_line_becomes_a_strip_of_exact_width() -> None:
    line = Line().add("[bold]no markup[/]").cell("日本", 3).to(40)
    for width in (0, 5, 40, 60):
        assert line.strip(width).cell_length == width
    assert "[bold]no markup[/]" in line.strip(60).text


def test_plots_tell_zero_from_unknown() -> None:
    assert area([None, 0.0], 2, 1, 100.0, capacity=2) == [" ▁"]
    assert spark([None, 0.0, 100.0], 4) == "  ▁█"
    rows = area([100.0], 1, 3, 100.0, capacity=1)
    assert rows == ["█", "█", "█"]


def test_plots_never_lose_a_peak() -> None:
    values: list[float | None] = [1.0] * 120
    for place in range(120):
        peaked = list(values)
        peaked[place] = 99.0
        assert 99.0 in gathered(peaked, 31, 120), place


def test_scales_and_bars() -> None:
    assert [top_of([v]) for v in (0.5, 1.2, 3, 7, 4000)] == [1, 2, 5, 10, 5000]
    assert [len("".join(bar(part, 10))) for part in (None, 0.0, 0.04, 0.5, 0.999, 1.0, 7.0)] == [10] * 7


def test_levels() -> None:
    assert [level(v, DISK) for v in (None, 10, 80, 90)] == [0, 0, 1, 2]
    assert [age_level(v, 10) for v in (None, 30, 31, 61)] == [0, 0, 1, 2]


def fleet() -> list[HostView]:
    """Return the made-up fleet with its troubles."""
    return troubled([make_host(index, name, 40, NOW) for index, name in enumerate(NAMES)], NOW)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("web", {"web-01", "web-02", "web-03"}),
        ("web !02", {"web-01", "web-03"}),
        ("state:offline", {"db-02", "build-01"}),
        ("reason:key", {"build-01"}),
        ("tag:eu group:web", {"web-01"}),
        ("cpu>1000", set()),
        ("disk>=90", {"edge-nyc-01"}),
        ("!cpu>=0 state:online", {"cache-01"}),
        ("fails=3 !state:offline", {"edge-ams-01", "lab-arm64"}),
    ],
)
def test_filter(query: str, kept: set[str]) -> None:
    read = parse(query, HOSTS)
    assert {view.host.name for view in fleet() if read.keeps(view, NOW)} == kept
    assert not read.mistakes


@pytest.mark.parametrize("query", ["frob>3", "frob:x"])
def test_filter_remarks_on_what_it_does_not_know(query: str) -> None:
    read = parse(query, HOSTS)
    assert "frob" in read.mistakes[0].text and read.mistakes[0].start == 0


def test_order_puts_unknown_figures_last_and_follows_versions() -> None:
    order, hosts = HostOrder(), fleet()
    assert order.names(tuple(hosts), NOW)[0] == "build-01"
    while order.cycle() != "cpu":
        pass
    names = order.names(tuple(hosts), NOW)
    assert set(names[-3:]) == {"build-01", "cache-01", "lab-arm64"}
    moved = replace(hosts[0], state=HostState.OFFLINE, version=hosts[0].version + 1)
    order.order = "severity"
    order.filter("")
    assert "web-01" in order.names((moved, *hosts[1:]), NOW)[:3]


def test_the_strip_window_holds_the_cursor() -> None:
    chunks = make_chunks(NOW)[:10]
    shown, before, after = _window(chunks, 4, chunks[5].name)
    assert chunks[5] in shown and len(shown) == 4 and before + after == 6
    assert _window(chunks, 4, None)[0][-1] == chunks[-1]
    assert _window(chunks, 40, None) == (chunks, 0, 0)


def test_a_late_chunk_is_told_from_an_open_one() -> None:
    table = make_database(NOW, make_chunks(NOW)).hypertables[0]
    chunk = next(each for each in make_chunks(NOW) if each.hypertable == TABLES[0][0])
    old = replace(chunk, end=NOW - timedelta(days=9), compressed=False)
    assert word(old, is_late(old, table, NOW)) == "late"
    assert word(chunk, is_late(chunk, table, NOW)) == "open"


@pytest.mark.parametrize("by", ["severity", "cpu", "age", "name"])
@pytest.mark.parametrize("query", ["", "cpu>30 !web-02"])
def test_the_order_kept_is_the_order_made_anew(by: str, query: str) -> None:
    """Moving the few that changed gives what sorting all of them gives, over many views."""
    dice, kept = random.Random(5), HostOrder()
    hosts = [make_host(index, f"n-{index:03d}", index, NOW) for index in range(90)]
    for step in range(60):
        for index in dice.sample(range(len(hosts)), dice.choice([0, 1, 3, 40])):
            old = hosts[index]
            fresh = make_host(index, old.host.name, dice.randrange(500), NOW + timedelta(seconds=dice.randrange(90)))
            hosts[index] = replace(fresh, state=dice.choice(list(HostState)), version=old.version + 1)
        if step % 20 == 19:  # one goes, another comes
            index = dice.randrange(len(hosts))
            hosts[index] = make_host(index, f"new-{step}", step, NOW)
        if step == 30:
            del hosts[7]
        anew = HostOrder()
        for order in (kept, anew):
            if order.order != by or order.query.text != query:
                order.sort_by(by)
                order.filter(query)
        assert kept.names(tuple(hosts), NOW) == anew.names(tuple(hosts), NOW), step
