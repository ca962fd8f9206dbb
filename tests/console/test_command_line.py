"""The command line, its completion and history, and the palette that has the same table."""

from __future__ import annotations

from textual.command import CommandPalette
from textual.widgets import Input

from console.panes.host import HostPane
from console.screens.commands import find, live_commands, table, unknown
from console.widgets.commandbar import CommandBar
from tests.console.driving import running, screen_text, type_text, until
from tests.console.driving import table as fleet


async def test_a_command_goes_to_a_host_and_a_wrong_one_says_the_nearest() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await type_text(pilot, "hsot web-03")
        await pilot.press("enter")
        await until(pilot, lambda: "no command hsot; the nearest is host" in screen_text(app))
        app.focused.value = ""  # type: ignore[union-attr]
        await type_text(pilot, "host web-03")
        await pilot.press("enter")
        await until(pilot, lambda: app.main.shown == "host")
        assert app.main.query_one(HostPane).host == "web-03"
        assert not app.main.query_one(CommandBar).display
        assert not isinstance(app.focused, Input)


async def test_completion_goes_as_far_as_all_agree_then_walks() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        bar = app.main.query_one(CommandBar)
        await type_text(pilot, "ev")
        await pilot.press("tab")
        assert bar.box.value.rstrip() in ("events", "ev")
        bar.box.value = ""
        await type_text(pilot, "host edge")
        await pilot.press("tab")
        await until(pilot, lambda: bar.box.value == "host edge-")
        await pilot.press("tab")
        await until(pilot, lambda: bar.box.value == "host edge-ams-01")
        await pilot.press("tab")
        await until(pilot, lambda: bar.box.value == "host edge-nyc-01")
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is fleet(app))


async def test_history_comes_back_by_the_arrows() -> None:
    async with running() as (app, pilot, _services):
        for line in ("utc", "db"):
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(app.focused, Input))
            await type_text(pilot, line)
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.focused, Input))
        assert app.main.shown == "database"
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        bar = app.main.query_one(CommandBar)
        await type_text(pilot, "ho")
        await pilot.press("up")
        assert bar.box.value == "db"
        await pilot.press("up", "up")
        assert bar.box.value == "utc"
        await pilot.press("down", "down")
        assert bar.box.value == "ho"
        assert app.main.remembered().commands == ("utc", "db")


async def test_filter_theme_interval_and_clock_by_command() -> None:
    async with running() as (app, pilot, services):
        run = app.main._run_command
        assert await run("filter state:online !web") is None
        await pilot.pause()
        assert fleet(app).rows and not any("web" in str(row) for row in fleet(app).rows)
        assert await run("filter") is None
        await pilot.pause()
        assert len(fleet(app).rows) == len(services.names)
        assert "no theme pink" in str(await run("theme pink"))
        assert await run("theme light") is None and app.theme == "jumpwatch-light"
        assert await run("interval 5") is None and services.interval_s == 5
        for wrong in ("interval", "interval 0", "interval nan", "interval 5 web-99"):
            assert await run(wrong)
        assert services.interval_s == 5
        assert await run("local") is None and not app.main._utc
        assert "takes no words" in str(await run("sort cpu")) or await run("sort cpu") is None
        assert "no host web-99" in str(await run("maintenance web-99"))
        assert "no filter" in str(await run("db") or await run("filter x"))


async def test_every_live_key_with_a_name_is_a_command_and_no_command_has_two_meanings() -> None:
    async with running() as (app, _pilot, _services):
        always = table()
        names = [name for each in always for name in each.names]
        assert len(names) == len(set(names))
        live = live_commands(tuple(app.main.active_bindings.values()), names)
        assert {"sort", "mark", "copy"} <= {each.names[0] for each in live}
        assert all(each.what for each in (*always, *live))
        assert find("q", always) is not None and find("zzz", always) is None
        assert "nearest" in unknown("datbase", always)


async def test_the_palette_lists_commands_and_hosts() -> None:
    async with running(size=(120, 40)) as (app, pilot, _services):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await until(pilot, lambda: "show Database" in screen_text(app) and "host [NAME]" in screen_text(app))
        app.screen.query_one(Input).value = "host cache"
        await until(pilot, lambda: "host cache-01" in screen_text(app))
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.main.shown == "host")
        assert app.main.query_one(HostPane).host == "cache-01"


async def test_quit_asks_by_command() -> None:
    async with running() as (app, pilot, _services):
        await app.main._run_command("q")
        await until(pilot, lambda: "Quit Jumpwatch?" in screen_text(app))
        text = screen_text(app)
        assert "history has a gap" in text and ("collect" in text or "detach" in text)


async def test_commands_without_words_do_what_their_keys_do() -> None:
    async with running() as (app, pilot, services):
        for line, seen in (
            ("help", "Keys"),
            ("keys", "Host keys"),
            ("write", "Leave read-only?"),
            ("guide", "Three steps"),
        ):
            assert await app.main._run_command(line) is None
            await until(pilot, lambda seen=seen: seen in screen_text(app))  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)
        assert await app.main._run_command("pause") is None and services.paused
        app.main.run_line("pause")
        await until(pilot, lambda: not services.paused)
        app.main.run_line("frobnicate everything")
        await until(pilot, lambda: "no command frobnicate" in screen_text(app))
