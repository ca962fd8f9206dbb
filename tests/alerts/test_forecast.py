"""The robust slope: noise, wild points, rotations and clean-ups, and no answer where the data is too little."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from statistics import linear_regression

import pytest

from core.alerts.forecast import SCALES, Filling, Series, theil_sen

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
T0 = 1_900_000_000.0
MINUTES, HOURS, DAYS = SCALES


def fed(level: Callable[[float], float], span_s: float, step_s: float, start: float = T0) -> Filling:
    """A filesystem that was looked at for so long."""
    filling, at = Filling(), 0.0
    while at <= span_s:
        filling.add(start + at, level(at))
        at += step_s
    return filling


def left(filling: Filling, now: float) -> float | None:
    return None if filling.full_at is None else filling.full_at - now


def test_the_slope_of_a_line_is_its_own() -> None:
    times = [T0 + 10.0 * n for n in range(30)]
    slope = theil_sen(times, [0.2 + 0.001 * n for n in range(30)])
    assert slope is not None and slope.per_s == pytest.approx(0.0001) and slope.climbing == 1.0
    assert slope.span_s == 290.0


def test_a_quarter_of_wild_points_does_not_move_it() -> None:
    dice = random.Random(3)
    times = [T0 + 10.0 * n for n in range(40)]
    values = [0.2 + 0.001 * n + dice.uniform(-0.0003, 0.0003) for n in range(40)]
    for n in dice.sample(range(40), 10):
        values[n] = dice.choice((0.0, 1.0))
    slope = theil_sen(times, values)
    assert slope is not None and slope.per_s == pytest.approx(0.0001, rel=0.25)
    squares = linear_regression(times, values).slope
    assert abs(squares - 0.0001) > 10 * abs(slope.per_s - 0.0001)


def test_two_points_and_points_of_one_moment_have_no_slope() -> None:
    assert theil_sen([T0, T0 + 1], [0.1, 0.2]) is None
    assert theil_sen([T0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]) is None
    assert theil_sen([], []) is None


@pytest.mark.parametrize("count", range(MINUTES.least_points))
def test_too_little_data_is_no_forecast_and_not_never(count: int) -> None:
    series = Series(MINUTES)
    for n in range(count):
        series.add(T0 + MINUTES.step_s * n, 0.5 + 0.01 * n)
    assert series.full_in() is None


def test_enough_points_in_too_short_a_time_are_too_little() -> None:
    assert fed(lambda at: 0.5 + at / 1000, 30, 1.0).full_at is None


def test_what_stands_still_never_fills_and_what_falls_neither() -> None:
    for level in (lambda at: 0.7, lambda at: 0.9 - at / DAY, lambda at: 0.5 + 1e-9 * at):
        assert fed(level, HOUR, 10).full_at == inf


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_growth(seed: int) -> None:
    dice = random.Random(seed)
    assert fed(lambda _: 0.8 + dice.uniform(-0.05, 0.05), 2 * HOUR, 10).full_at in (inf, None)


@pytest.mark.parametrize("noise", [0.0, 0.0005])
def test_a_steady_climb_is_full_when_the_line_says_so(noise: float) -> None:
    dice = random.Random(1)
    filling = fed(lambda at: 0.5 + at / (4 * HOUR) + dice.uniform(-noise, noise), 30 * MINUTE, 10)
    assert left(filling, T0 + 30 * MINUTE) == pytest.approx(1.5 * HOUR, rel=0.1) or filling.full_at == inf
    later = fed(lambda at: 0.5 + at / (4 * HOUR) + dice.uniform(-noise, noise), 90 * MINUTE, 10)
    assert left(later, T0 + 90 * MINUTE) == pytest.approx(30 * MINUTE, rel=0.1)


def test_it_looks_no_further_ahead_than_the_data_allows() -> None:
    minute = fed(lambda at: 0.5 + at * 0.25 / HOUR, MINUTE, 4)  # full in two hours, seen for a minute
    assert minute.full_at == inf
    hours = fed(lambda at: 0.5 + at * 0.25 / HOUR, 80 * MINUTE, 60)
    assert left(hours, T0 + 80 * MINUTE) == pytest.approx(40 * MINUTE, rel=0.1)


def test_a_clean_up_begins_the_climb_anew() -> None:
    filling = fed(lambda at: 0.9 + at / DAY if at < 600 else 0.3 + (at - 600) / 1000, 660, 4)
    assert left(filling, T0 + 660) == pytest.approx(640, rel=0.1) or filling.full_at == inf
    filling = fed(lambda at: 0.9 + at / DAY if at < 600 else 0.3 + (at - 600) / 1000, 720, 4)
    assert left(filling, T0 + 720) == pytest.approx(580, rel=0.1)


def test_a_daily_rotation_is_level_over_the_days() -> None:
    filling = fed(lambda at: 0.70 + 0.2 * (at % DAY) / DAY, 6.9 * DAY, 600)
    assert filling.full_at == inf  # at 88% and 20% a day; but there it was each day, and came down


def test_above_where_it_has_been_the_hours_count_again() -> None:
    filling = fed(lambda at: 0.70 if at < 5 * DAY else 0.70 + (at - 5 * DAY) / DAY, 5 * DAY + 4 * HOUR, 600)
    assert left(filling, T0 + 5 * DAY + 4 * HOUR) == pytest.approx(3.2 * HOUR, rel=0.15)


def test_growth_over_days_is_told_in_days() -> None:
    filling = fed(lambda at: 0.60 + 0.04 * at / DAY, 5 * DAY, 600)
    assert left(filling, T0 + 5 * DAY) == pytest.approx(5 * DAY, rel=0.05)


def test_history_is_known_at_once_and_joins_what_is_watched() -> None:
    past = [(T0 + at, 0.60 + 0.04 * at / DAY) for at in range(0, int(5 * DAY), 4 * 3600)]
    filling = Filling()
    filling.add(T0 + 5 * DAY, 0.80)
    assert filling.full_at is None
    filling.seed(past)
    assert left(filling, T0 + 5 * DAY) == pytest.approx(5 * DAY, rel=0.1)
    filling.jumped()
    assert left(filling, T0 + 5 * DAY) == pytest.approx(5 * DAY, rel=0.1)  # days outlive a night's sleep


def test_a_jump_of_our_clock_forgets_the_minutes() -> None:
    filling = fed(lambda at: 0.5 + at / 1000, 120, 4)
    assert filling.full_at is not None and filling.full_at < inf
    filling.jumped()
    assert filling.full_at is None


def test_points_that_come_late_are_left_out() -> None:
    series = Series(MINUTES)
    assert series.add(T0, 0.5) and not series.add(T0 - 60, 0.9) and not series.add(T0 + 1, 0.6)
    assert list(series.values) == [0.5]


def test_full_is_full_now() -> None:
    filling = fed(lambda at: min(1.0, 0.9 + at / 1000), 150, 4)
    assert filling.full_at is not None and filling.full_at <= T0 + 160


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_one_step_is_no_growth(share: float) -> None:
    """A large file was copied: fuller than before, and not filling up."""
    for span_s, step_s in ((HOUR / 10, 8.0), (6 * HOUR, 60.0), (6 * DAY, 600.0)):
        filling = fed(lambda at, edge=share * span_s: 0.85 if at < edge else 0.95, span_s, step_s)
        assert filling.full_at == inf
