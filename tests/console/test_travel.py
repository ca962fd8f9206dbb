"""Walking through time by keys on a made-up past: what is shown, what is refused, and what a gap looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from textual.widgets import Input

from console.panes.host import HostPane
from console.panes.host_plots import SPANS, axis, bridged, reach_of, rows_of, thinned
from console.screens.jump import JumpDialog
from console.screens.travel import STEPS, beside
from console.timewords import EXAMPLES, parse_moment
from console.widgets.linesview import LinesView
from console.widgets.scrubber import Scrubber
from core.models import HostHistory, HostPlot, HostState
from tests.console.driving import running, screen_text, table, type_text, until
from tests.console.fake_services import FakeServices

NOW = datetime(2026, 11, 25, 13, 7, 21, tzinfo=UTC)  # a Wednesday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BACK, FORWARD = "left_square_bracket", "right_square_bracket"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("13:00", datetime(2026, 11, 25, 13, 0, tzinfo=UTC)),
        ("14:30", datetime(2026, 11, 24, 14, 30, tzinfo=UTC)),
        ("14:30:05", datetime(2026, 11, 24, 14, 30, 5, tzinfo=UTC)),
        ("today 9:05", datetime(2026, 11, 25, 9, 5, tzinfo=UTC)),
        ("yesterday 03:00", datetime(2026, 11, 24, 3, 0, tzinfo=UTC)),
        ("Yesterday", NOW - DAY),
        ("mon 9:15", datetime(2026, 11, 23, 9, 15, tzinfo=UTC)),
        ("wednesday 14:00", datetime(2026, 11, 18, 14, 0, tzinfo=UTC)),
        ("11-20 14:30", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("12-24 18:00", datetime(2025, 12, 24, 18, 0, tzinfo=UTC)),
        ("-2h", NOW - 2 * HOUR),
        ("-1d12h", NOW - 36 * HOUR),
        ("90m ago", NOW - 90 * MINUTE),
        ("-1.5h", NOW - 90 * MINUTE),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20 14:30", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("2026-11-20T14:30:00+02:00", datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
        ("2026-11-20T14:30Z", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
    ],
)
def test_moments_as_people_type_them(typed: str, meant: datetime) -> None:
    assert parse_moment(typed, NOW) == meant
    assert parse_moment(f"  {typed} ", NOW).utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "type a moment"),
        ("soon", "not understood"),
        ("25:00", "no time"),
        ("02-30 10:00", "no day"),
        ("2h", "not understood"),
        ("2030-01-01", "still to come"),
        ("today 23:00", "still to come"),
        ("-99999999999d", "too long ago"),
        ("mondays 10:00", "not understood"),
    ],
)
def test_what_is_no_moment_says_why(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_moment(typed, NOW)


def test_local_time_is_taken_as_such() -> None:
    here = parse_moment("2026-11-20 14:30", NOW, utc=False).astimezone()
    assert (here.hour, here.minute) == (14, 30)
    assert all(parse_moment(each, NOW) <= NOW for each in EXAMPLES.split("   "))


def test_steps_end_on_whole_ones() -> None:
    assert beside(NOW, MINUTE, -1) == datetime(2026, 11, 25, 13, 7, tzinfo=UTC)
    assert beside(beside(NOW, MINUTE, -1), MINUTE, -1) == datetime(2026, 11, 25, 13, 6, tzinfo=UTC)
    assert beside(NOW, HOUR, 1) == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
    assert beside(NOW, DAY, -1) == NOW - DAY
    for step in STEPS:
        at = beside(NOW, step, -1)
        assert beside(beside(at, step, -1), step, 1) == at < NOW


async def test_back_in_time_and_live_again() -> None:
    async with running(size=(120, 40)) as (app, pilot, services):
        assert not app.main.query_one(Scrubber).display
        await pilot.press(BACK)
        await pilot.pause()
        at = services.replay.at
        assert at is not None and at.second == 0 and datetime.now(UTC) - at < 2 * MINUTE
        lines = screen_text(app).splitlines()
        assert f"REPLAY {at:%m-%d %H:%M:%S}" in lines[0] and "LIVE" not in lines[0]
        assert "step 1m" in lines[-3] and "✗" in lines[-3] and "●" in lines[-3] and "█" in lines[-3]
        row = next(line for line in lines if "web-01" in line)
        assert " 0s " in row, "ages are those of the moment"
        await pilot.press("less_than_sign", "ctrl+left", "left_curly_bracket")
        await pilot.pause()
        assert services.replay.at is not None and at - services.replay.at >= 3 * MINUTE
        assert services.replay.at.minute % 10 == 0
        for key in ("backslash", "end"):
            await pilot.press(key)
            await pilot.pause()
            assert services.replay.at is None
            assert "LIVE" in screen_text(app).splitlines()[0] and not app.main.query_one(Scrubber).display
            await pilot.press(BACK)
        await pilot.press(FORWARD)
        await pilot.pause()
        assert services.replay.at is None, "after the newest comes the present"
        await pilot.press("end")
        assert table(app).cursor == len(table(app).rows) - 1, "in the present End is the list's own"


async def test_a_host_is_offline_as_it_was_then() -> None:
    async with running(size=(120, 40)) as (app, pilot, services):
        assert table(app).hosts["web-01"].state is HostState.ONLINE
        await pilot.press("semicolon")
        await until(pilot, lambda: services.replay.at is not None)
        await pilot.pause()
        assert table(app).hosts["web-01"].state is HostState.OFFLINE
        assert any("offline" in line and "web-01" in line for line in screen_text(app).splitlines())
        await pilot.press("full_stop")
        await until(pilot, lambda: table(app).hosts["web-01"].state is HostState.ONLINE)
        await pilot.press("comma")
        await until(pilot, lambda: table(app).hosts["web-01"].state is HostState.OFFLINE)
        await pilot.press("comma")
        await until(pilot, lambda: table(app).hosts["web-01"].state is HostState.ONLINE)
        await pilot.press("comma")
        await until(pilot, lambda: "no mark before that time" in screen_text(app))


async def test_nothing_is_done_from_the_past() -> None:
    async with running(size=(120, 40)) as (app, pilot, services):
        services.unlock(600)
        await pilot.press(BACK)
        await pilot.pause()
        interval = services.interval_s
        for keys in (("r",), ("plus",), ("m",), ("p",), ("w",), ("5", "C"), ("R",)):
            app.clear_notifications()
            await pilot.press(*keys)
            await until(pilot, lambda: "goes back to live first" in screen_text(app))
            assert app.screen is app.main
        assert (services.polled, services.paused, services.interval_s) == ([], False, interval)
        assert "this pane shows now" in app.main.query_one(Scrubber).note, "chunks of then are not kept"
        await pilot.press("backslash", "1", "r")
        await until(pilot, lambda: bool(services.polled))


async def test_jump_to_a_typed_moment() -> None:
    async with running(size=(100, 30)) as (app, pilot, services):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, JumpDialog))
        await type_text(pilot, "whenever")
        await pilot.press("enter")
        await until(pilot, lambda: "not understood" in screen_text(app))
        app.screen.query_one(Input).value = ""
        await type_text(pilot, "-2h")
        await until(pilot, lambda: "2h ago" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: services.replay.at is not None)
        assert services.replay.at is not None
        assert timedelta() <= datetime.now(UTC) - services.replay.at - 2 * HOUR < 5 * MINUTE
        await pilot.press("t", "escape")
        await pilot.pause()
        assert app.screen is app.main and services.replay.at is not None


async def test_no_data_and_no_database_are_said() -> None:
    services = FakeServices(moving=False)
    async with running(services, size=(120, 40)) as (app, pilot, _services):
        app.main.go(datetime.now(UTC) - 3 * DAY)
        await pilot.pause()
        text = screen_text(app)
        assert "no data at that time" in text and "○ unknown" in text and "● online" not in text
        await pilot.press("backslash")
        services.no_past = "no database is connected, so there is no past to show"
        await pilot.press(BACK)
        await until(pilot, lambda: "no database is connected" in screen_text(app))
        assert services.replay.at is None and "LIVE" in screen_text(app).splitlines()[0]
        await pilot.press("2", "Z")
        await until(pilot, lambda: screen_text(app).count("no database is connected") > 1)


async def test_a_gap_is_a_gap_on_the_time_line_and_in_the_plots() -> None:
    async with running(size=(160, 50)) as (app, pilot, services):
        await pilot.press(BACK, "2")
        pane = app.main.pane
        assert isinstance(pane, HostPane)
        await until(pilot, lambda: pane._plot is not None and "PAST 1 h" in screen_text(app))
        lines = screen_text(app).splitlines()
        line = next(each for each in lines if "step 1m" in each)
        bar = line[line.index(":") + 3 :]
        assert bar.startswith(" " * 8) and "─────" in bar, "the first quarter holds nothing"
        at = next(number for number, each in enumerate(lines) if each.lstrip().startswith("CPU "))
        assert "12% to 97%, mean 40%" in lines[at]
        plot = [each[7:50] for each in lines[at + 1 : at + 8]]
        foot = plot[-1]
        assert foot.startswith("███") and foot.rstrip().endswith("██") and "     " in foot.strip()
        assert "░" in plot[0], "the peak is kept where the mean is low"
        stop = services.replay.at
        assert stop is not None
        assert f"{stop - HOUR:%H:%M}" in lines[at + 8] and f"{stop:%H:%M}" in lines[at + 8]


async def test_plots_zoom_from_minutes_to_a_year_and_back_to_live() -> None:
    async with running(size=(160, 50)) as (app, pilot, _services):
        await pilot.press("2")
        pane = app.main.pane
        assert isinstance(pane, HostPane) and pane.zoom is None
        seen = []
        for key in ("Z",) * 8 + ("z",) * 9:
            await pilot.press(key)
            if pane.zoom is None:
                break
            name, span = SPANS[pane.zoom]
            await until(pilot, lambda span=span: bool(pane._plot) and pane._plot[2] - pane._plot[1] == span)  # type: ignore[misc]
            await until(pilot, lambda name=name: f"PAST {name}: " in screen_text(app))  # type: ignore[misc]
            seen.append(name)
        assert seen[:7] == [name for name, _ in SPANS[2:]] and seen[-1] == "5 min"
        await pilot.pause()
        assert "PAST" not in screen_text(app), "shorter than the shortest are the live plots"


async def test_each_zoom_of_the_past_shows_another_time() -> None:
    async with running(FakeServices(moving=False), size=(160, 50)) as (app, pilot, _services):
        await pilot.press("2", BACK)
        await until(pilot, lambda: "PAST 1 h: " in screen_text(app))
        text = app.main.pane.query_one(LinesView).text
        assert "no frame yet" not in text and "POLLING ITSELF" not in text, "of the present, or of no moment at all"
        for key, name in (("Z", "6 h"), ("z", "1 h"), ("z", "15 min"), ("z", "5 min"), ("z", "5 min"), ("Z", "15 min")):
            await pilot.press(key)
            await until(pilot, lambda name=name: f"PAST {name}: " in screen_text(app))  # type: ignore[misc]


def plot_of(values: tuple[float | None, ...], source: str = "raw", step_s: float = 10.0) -> HostPlot:
    return HostPlot(HostHistory(cpu=values), source, step_s)


def test_samples_that_come_seldom_are_no_gaps() -> None:
    dense = (1.0,) * 10 + (None,) * 6 + (1.0,) * 10
    seldom = tuple(float(n) if n % 6 == 0 else None for n in range(30))
    assert reach_of(plot_of(dense)) == 1 and bridged(dense, 1).count(None) == 5
    assert bridged(seldom, reach_of(plot_of(seldom))).count(None) == 0
    assert reach_of(plot_of(dense, "1h", 3600.0)) == 0, "one in each bucket: every hole is a gap"
    assert bridged(seldom, reach_of(plot_of(seldom, "1m", 60.0))).count(None) == 0, "a host polled each ten minutes"
    assert reach_of(plot_of((None, 1.0, None))) == 0


def test_thinning_keeps_the_peak_and_the_hole() -> None:
    values: list[float | None] = [10.0] * 100
    values[57], values[20:40] = 99.0, [None] * 20
    assert max(v for v in thinned(values, 10, (0, 10.0), max) if v is not None) == 99.0
    assert [n for n, v in enumerate(thinned(values, 10, (0, 10.0), max)) if v is None] == [2, 3]
    assert thinned(values, 200, (0, 0.5), max).count(None) == 40, "a step may be wider than a cell"
    rows = rows_of([10.0, None, 0.0], [99.0, None, 0.0], 3, 100.0)
    assert [[glyph for glyph, _ in row] for row in rows] == [["░", " ", " "], ["░", " ", " "], ["▂", " ", "▁"]]


def test_axis_fits_its_width() -> None:
    for _, span in SPANS:
        for width in (5, 12, 24, 80):
            line = axis(NOW - span, NOW, width, True)
            assert len(line) <= width or width < 8
    assert axis(NOW - HOUR, NOW, 30, True).split() == ["12:07", "12:37", "13:07"]
