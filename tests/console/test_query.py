"""The filter language: what it keeps, what it says of mistakes, what it offers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from console.panes.hostfilter import HOSTS
from console.panes.query import complete, parse
from core.models import Finding, HostFinding, HostView, SectionStatus, ServiceFigures
from tests.console.fake_fleet import make_host

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def fleet() -> list[HostView]:
    hosts = [make_host(index, f"web-{index:02}", 5, NOW) for index in range(12)]
    sample = hosts[3].sample
    assert sample is not None
    hosts[3] = replace(hosts[3], sample=replace(sample, ts=NOW - timedelta(seconds=90)))
    hosts[4] = replace(hosts[4], sample=None)
    units = Finding("services", SectionStatus.OK, (ServiceFigures("nginx.service", active="active"),))
    hosts[5] = replace(hosts[5], findings={"services": HostFinding("web-05", NOW, units)},
                       host=replace(hosts[5].host, groups=("two words",)))  # fmt: skip
    return hosts


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", 12),
        ("web", 12),
        ("!web-03", 11),
        ("web-0 !web-03", 9),
        ("-f wb1", 3),  # web-01, web-10, web-11
        ("age>60s", 1),
        ("age<60s", 10),  # the one without data is not young
        ("!age>60s", 11),
        ("unit:nginx", 1),
        ('group:"two words"', 1),
        ("group:two", 1),
        ("group=two", 0),
        ("tag:eu,nothing", 4),
        ("tag!=eu", 8),
        ("STATE:Online", 10),
        ("up>1d net>1k", 11),
        ("mem>40% mem<50", 3),
        ("disk>=0.5", 11),
    ],
)
def test_what_is_kept(text: str, kept: int) -> None:
    query = parse(text, HOSTS)
    assert not query.mistakes
    assert sum(query.keeps(view, NOW) for view in fleet()) == kept


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("web frob>3", 4, "there is no frob"),
        ("cup>3", 0, "up?"),
        ("cpu:3", 0, "cpu is a figure: cpu>80"),
        ("a cpu>8x", 6, "'8x' is no figure"),
        ("net>3d", 4, "k m g"),
        ("tag>3", 0, "tag is a text: tag:WORD"),
        ("tag: web", 4, "is missing"),
        ("!frob>3", 1, "there is no frob"),
    ],
)
def test_a_mistake_is_told_at_its_place_and_keeps_nothing(text: str, place: int, words: str) -> None:
    query = parse(text, HOSTS)
    (mistake,) = query.mistakes
    assert mistake.start == place and words in mistake.text and not mistake.open
    assert not any(query.keeps(view, NOW) for view in fleet())


@pytest.mark.parametrize("text", ["cpu>", "web cpu>=", "tag:", "!tag:", "-f", '"', "!"])
def test_what_is_typed_half_empties_no_list(text: str) -> None:
    query = parse(text, HOSTS)
    assert all(mistake.open for mistake in query.mistakes)
    assert sum(query.keeps(view, NOW) for view in fleet()) == 12


def test_only_the_age_makes_a_filter_move_with_the_clock() -> None:
    assert parse("age>5m", HOSTS).moves and not parse("cpu>5 up>3d", HOSTS).moves


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("", []),
        ("c", ["container:", "cpu>"]),
        ("web !ta", ["!tag:"]),
        ("tag:", ["tag:eu", "tag:prod"]),
        ("tag:p", ["tag:prod"]),
        ("tag:eu,p", ["tag:eu,prod"]),
        ("group:t", ['group:"two words"']),
        ("unit:", ["unit:nginx.service"]),
        ("web ", []),
    ],
)
def test_completion_offers_fields_and_the_values_in_view(text: str, offered: list[str]) -> None:
    assert complete(text, HOSTS, fleet()) == offered


def test_hostile_text_is_read_and_harms_nothing() -> None:
    for text in ("(" * 500, 'tag:"' * 200, "\x1b[31m>3", "-f " * 300, "cpu>" + "9" * 400, "!" * 100, ":>=<"):
        parse(text, HOSTS).keeps(fleet()[0], NOW)
        complete(text, HOSTS, fleet())
