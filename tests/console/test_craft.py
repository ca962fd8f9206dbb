"""Keys bound anew, themes, plain glyphs, what is remembered, news, the guide, toasts and the ways out."""

from __future__ import annotations

import ast
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.binding import Binding
from textual.color import Color

import console
from console.app import JumpwatchApp
from console.messages import AttentionWanted
from console.screens.changes import ChangesScreen
from console.screens.guide import Guide
from console.screens.keymap import bindings, make_keymap
from console.screens.keys import help_rows, hint_rows
from console.terminal import Terminal, copying, look_at, outward, telling
from console.widgets.filters import plain_text
from console.widgets.linelist import LineList
from console.widgets.themes import MIX, NAMES, make_theme
from core.models import HostState
from core.models.console import Changes, ConsoleOptions, HostChange, Memory
from tests.console.driving import running, screen_text, table, until
from tests.console.fake_services import FakeServices

KEYS = ("1", "2", "4", "5")


# Keys.
async def test_a_key_bound_anew_works_and_help_and_hints_follow() -> None:
    services = FakeServices(moving=False)
    services.options = ConsoleOptions(keys={"rows.sort": "o", "main.help": "f1", "rows.filter": "ctrl+f"})
    async with running(services, size=(120, 40)) as (app, pilot, _):
        await until(pilot, lambda: bool(app._keymap))
        before = table(app).order
        await pilot.press("s")
        assert table(app).order == before
        await pilot.press("o")
        assert table(app).order != before
        hints, last = hint_rows(app.screen)
        assert ("o", "sort", "sort") in hints and ("f1", "help", "screen.help") in last
        assert ("^f", "filter", "filter") in hints
        rows = dict((what, keys) for _group, lines in help_rows(app.screen) for keys, what in lines)
        assert rows["sort"] == "o" and rows["help"] == "f1"
        await pilot.press("f1")
        await until(pilot, lambda: "Keys" in screen_text(app) and app.screen is not app.main)


async def test_two_bindings_may_change_places() -> None:
    services = FakeServices(moving=False)
    services.options = ConsoleOptions(keys={"rows.sort": "space", "rows.mark": "s"})
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: bool(app._keymap))
        order, host = table(app).order, table(app).current
        await pilot.press("s")
        assert host in table(app).marked and table(app).order == order
        await pilot.press("space")
        assert table(app).order != order


def test_wishes_that_cannot_be_say_why_and_the_way_out() -> None:
    known = bindings()
    assert {"rows.sort", "main.pause", "list.down", "database.compress", "tab.fleet", "app.quit"} <= set(known)
    made = make_keymap(
        {
            "rows.srot": "o",
            "rows.sort": "r",  # rows.poll has it
            "main.pause": "j",  # a list moves by it
            "main.copy": "ctlr+y",
            "host.next": "f9",
            "host.previous": "ctrl+shift+b,f10",
        },
        known,
    )
    assert made.keys == {"host.next": "f9", "host.previous": "ctrl+shift+b,f10"}
    told = "\n".join(made.problems)
    assert "rows.srot: there is no such binding; the nearest is rows.sort" in told
    assert "rows.sort wants r, which rows.poll (poll now) has" in told
    assert "main.pause wants j, which" in told and "down" in told
    assert "there is no key ctlr+y" in told
    assert len(made.problems) == 4


def test_no_default_key_is_refused_to_its_own_binding() -> None:
    known = bindings()
    made = make_keymap({name: each.key for name, each in known.items()}, known)
    assert not made.problems


def test_every_binding_of_panes_and_main_screen_can_be_bound_anew() -> None:
    known = bindings()
    for name, each in known.items():
        assert isinstance(each, Binding) and name.count(".") == 1 and each.description, name


# Themes and glyphs.
def _contrast(one: Color, other: Color) -> float:
    def light(colour: Color) -> float:
        parts = (value / 255 for value in colour.rgb)
        red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["dark", "light", "contrast"])
def test_text_and_states_can_be_read_in_every_theme(name: str) -> None:
    theme = make_theme(name)
    back, fore = Color.parse(theme.background or ""), Color.parse(theme.foreground or "")
    wanted = 7.0 if name == "contrast" else 4.5
    for colour in (theme.primary, theme.success, theme.warning, theme.error, theme.foreground):
        assert _contrast(Color.parse(colour or ""), back) >= wanted, colour
    dim = fore.blend(back, 0.42 * float(theme.variables.get(MIX, "1")))
    assert _contrast(dim, back) >= wanted


@pytest.mark.parametrize("name", NAMES)
async def test_every_theme_draws_all_panes_and_the_cursor_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    services = FakeServices(moving=False)
    if name == "mono":
        monkeypatch.setenv("NO_COLOR", "1")
    app = JumpwatchApp(services, Terminal(theme="mono", colour=name != "mono"), name)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: bool(services.view.hosts))
        for key in KEYS:
            await pilot.press(key)
            await pilot.pause()
            assert "LIVE" in screen_text(app)
        await pilot.press("1")
        await until(pilot, lambda: "✗ offline" in screen_text(app))
        rows = app.main.query_one("#fleet-table", LineList)
        at, other = (rows.render_line(rows.cursor + 1 + step) for step in (0, 1))
        style, plain = at._segments[1].style, other._segments[1].style
        assert style is not None and plain is not None
        assert style.reverse or style.bgcolor != plain.bgcolor
        if name == "mono":  # not one colour leaves
            colours = {s.style.color for strip in app.screen._compositor.render_strips() for s in strip if s.style}
            assert all(colour is None or colour.is_default for colour in colours)


async def test_without_utf8_nothing_but_ascii_is_drawn_and_every_state_has_its_word() -> None:
    services = FakeServices(moving=False)
    app = JumpwatchApp(services, Terminal(unicode=False))
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: bool(services.view.hosts))
        for key in (*KEYS, "question_mark"):
            await pilot.press(key)
            await pilot.pause()
            assert screen_text(app).isascii(), key
        await pilot.press("escape", "1")
        await until(pilot, lambda: "x offline" in screen_text(app))
        assert "^ degraded" in screen_text(app) and "* online" in screen_text(app)


def test_plain_text_keeps_its_width() -> None:
    assert plain_text("● online ▁█ ╭─╮ é") == "* online _# +-+ ?"
    assert plain_text("日本") == "????" and plain_text("plain") == "plain"


def test_every_character_that_we_draw_has_a_plain_likeness() -> None:
    unlike = {}
    for file in Path(console.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and file.name != "export.py":
                unlike |= {mark: file.name for mark in node.value if not mark.isascii() and "?" in plain_text(mark)}
    assert not unlike


@pytest.mark.parametrize(
    ("environment", "encoding", "wanted"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", Terminal()),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "utf-8", Terminal("mono", colour=False)),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "UTF8", Terminal()),
        ({"TERM": "linux"}, "utf-8", Terminal("ansi", unicode=False)),
        ({"TERM": "vt220"}, "ANSI_X3.4-1968", Terminal("mono", colour=False, unicode=False)),
        ({"TERM": "screen", "STY": "1.x"}, "utf-8", Terminal("ansi", inside="screen")),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x"}, "latin-1", Terminal(unicode=False, inside="tmux")),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "utf-8", Terminal()),
    ],
)
def test_the_terminal_is_seen_for_what_it_is(environment: dict[str, str], encoding: str, wanted: Terminal) -> None:
    assert look_at(environment, encoding) == wanted


# Ways out.
def test_sequences_reach_the_terminal_outside() -> None:
    assert outward("\x1b]x\x07", "tmux") == "\x1bPtmux;\x1b\x1b]x\x07\x1b\\"
    assert copying("QQ==", "") == "\x1b]52;c;QQ==\x07"
    assert copying("QQ==", "tmux").startswith("\x1b]52;c;QQ==\x07\x1bPtmux;")
    long = outward("y" * 2000, "screen")
    assert long.replace("\x1bP", "").replace("\x1b\\", "") == "y" * 2000 and long.count("\x1bP") == 3
    assert telling("a;b", "osc9", "") == "\x1b]9;a,b\x07"
    assert telling("a;b", "osc777", "") == "\x1b]777;notify;Jumpwatch;a,b\x07"


async def test_copying_and_attention_go_through_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    services = FakeServices(moving=False)
    async with running(services) as (app, pilot, _):
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        app.copy_to_clipboard("grüße")
        assert written == [f"\x1b]52;c;{base64.b64encode('grüße'.encode()).decode()}\x07"]
        written.clear()
        app.post_message(AttentionWanted("web-01 is away"))
        await pilot.pause()
        assert not written  # off until it is wanted
        services.options = ConsoleOptions(bell=True, notify="osc9", notify_every_s=3600)
        for _ in range(3):
            app.post_message(AttentionWanted("web-01 is\x1b[2J away"))
        await pilot.pause()
        assert written == ["\a", "\x1b]9;web-01 is away\x07"]


async def test_toasts_do_not_pile_up_and_errors_stay() -> None:
    async with running() as (app, pilot, _services):
        app.notify("broken", severity="error", timeout=60)
        for number in range(20):
            app.notify(f"note {number}", timeout=60)
        for _ in range(5):
            app.notify("the same", timeout=60)
        await pilot.pause()
        shown = [each.message for each in app._notifications]
        assert len(shown) == 3 and "broken" in shown and shown.count("the same") == 1


# Memory.
async def test_what_was_left_comes_back() -> None:
    services = FakeServices(moving=False)
    services.options = ConsoleOptions()
    services.memory = Memory(
        pane="database",
        panes={"fleet": {"sort": "cpu", "filter": "web"}, "gone": {"sort": "x"}},
        theme="light",
        utc=False,
        commands=("db",),
        guided=True,
    )
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: app.main.shown == "database" and app.theme == "jumpwatch-light")
        await until(pilot, lambda: table(app).order == "cpu" and len(table(app).rows) == 3)
        kept = app.main.remembered()
        assert (kept.pane, kept.theme, kept.utc, kept.commands) == ("database", "light", False, ("db",))
        assert kept.panes["fleet"] == {"sort": "cpu", "filter": "web"} and kept.left_at is not None
        await pilot.press("ctrl+q")
    assert services.kept and services.kept[-1].pane == "database"


async def test_a_memory_that_fits_nothing_does_no_harm() -> None:
    services = FakeServices(moving=False)
    services.options = ConsoleOptions()
    services.memory = Memory(pane="nowhere", panes={"fleet": {"sort": "nothing"}}, theme="pink", guided=True)
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: app.main._memory is not None)
        await pilot.pause()
        assert app.main.shown == "fleet" and table(app).order == "severity" and app.theme == "jumpwatch"


async def test_settings_that_change_are_taken_up_and_a_theme_by_hand_gives_way() -> None:
    services = FakeServices(moving=False)
    services.options = ConsoleOptions()
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: app.main._options is not None)
        await app.main._run_command("theme contrast")
        assert app.theme == "jumpwatch-contrast"
        services.options = ConsoleOptions(glyphs="ascii")
        app.main._tick()
        await until(pilot, lambda: screen_text(app).isascii())
        services.options = ConsoleOptions()
        app.main._tick()
        await until(pilot, lambda: "✗ offline" in screen_text(app))
        services.options = ConsoleOptions(theme="light", glyphs="ascii", keys={"rows.sort": "o"})
        app.main._tick()
        await until(pilot, lambda: app.theme == "jumpwatch-light")
        assert screen_text(app).isascii()
        order = table(app).order
        await pilot.press("o")
        assert table(app).order != order


# News and guide.
def _news() -> Changes:
    now = datetime.now(UTC)
    host = HostChange("web-03", HostState.ONLINE, HostState.OFFLINE, 3, now, "port: [b]refused[/b]")
    return Changes(now - timedelta(hours=2), now, (host,), ("2 host keys wait for review",))


async def test_news_are_told_at_the_start_and_lead_to_the_host() -> None:
    services = FakeServices(moving=False)
    services.options, services.changes = ConsoleOptions(), _news()
    services.memory = Memory(guided=True, left_at=datetime.now(UTC) - timedelta(hours=2))
    async with running(services, size=(120, 40)) as (app, pilot, _):
        await until(pilot, lambda: any("1 host changed, 1 now in trouble" in n.message for n in app._notifications))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        await until(pilot, lambda: "✗ offline" in screen_text(app) and "[b]refused[/b]" in screen_text(app))
        assert "2 host keys wait" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.shown == "host")


async def test_news_without_a_database_say_so() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("i")
        await until(pilot, lambda: "the database is not connected" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_a_long_absence_ends_with_the_news() -> None:
    services = FakeServices(moving=False)
    services.options, services.changes = ConsoleOptions(), _news()
    async with running(services) as (app, pilot, _):
        app.post_message(events.AppBlur())
        app.post_message(events.AppFocus())  # a glance elsewhere is no absence
        await pilot.pause()
        assert not list(app._notifications)
        app.post_message(events.AppBlur())
        await pilot.pause()
        app.main._left_focus = datetime.now(UTC) - timedelta(minutes=30)
        app.post_message(events.AppFocus())
        await until(pilot, lambda: any("1 host changed" in each.message for each in app._notifications))


async def test_the_guide_comes_on_the_first_start_without_hosts_and_by_command() -> None:
    services = FakeServices(0, moving=False, trouble=False)
    services.options, services.memory = ConsoleOptions(), Memory()
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: isinstance(app.screen, Guide))
        await until(pilot, lambda: "jumpwatch hosts import" in screen_text(app))
        text = screen_text(app)
        assert "1  Add hosts  ○ open" in text and "none yet" in text and "3  Leave read-only" in text
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert app.main.remembered().guided
        await app.main._run_command("guide")
        await until(pilot, lambda: isinstance(app.screen, Guide))
        await pilot.press("w")
        await until(pilot, lambda: "Leave read-only?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, Guide) and "write mode now" in screen_text(app))


async def test_no_guide_where_there_are_hosts() -> None:
    services = FakeServices(moving=False)
    services.options, services.memory = ConsoleOptions(), Memory()
    async with running(services) as (app, pilot, _):
        await until(pilot, lambda: app.main._memory is not None and not app.main._greeting)
        await pilot.pause()
        assert app.screen is app.main


# Mouse and crumbs.
async def test_head_tabs_status_and_rows_take_the_mouse() -> None:
    async with running(size=(120, 40)) as (app, pilot, _services):
        head = table(app).render_line(0).text
        await pilot.click(table(app), offset=(head.index("CPU") + 1, 0))
        await until(pilot, lambda: table(app).order == "cpu")
        await pilot.click(table(app), offset=(5, 4))
        assert table(app).cursor == 3
        status = app.main.query_one("#status")
        await pilot.click(status, offset=(status.size.width - 3, 0))
        assert not app.main._utc
        await pilot.click(status, offset=(screen_text(app).splitlines()[0].index(" RO") + 1, 0))
        await until(pilot, lambda: "Leave read-only?" in screen_text(app))
        await pilot.press("n")
        tabs = app.main.query_one("#tabs")
        await pilot.click(tabs, offset=(screen_text(app).splitlines()[1].index("Database"), 0))
        await until(pilot, lambda: app.main.shown == "database")


async def test_crumbs_say_the_way_and_give_way_to_the_tabs() -> None:
    services: Any = FakeServices(moving=False)
    for width in (60, 80, 120, 200):
        async with running(services, size=(width, 24)) as (app, pilot, _):
            table(app).select("web-03")
            await pilot.press("enter")
            await until(pilot, lambda: app.main.shown == "host")
            await pilot.pause()
            line = screen_text(app).splitlines()[1]
            assert len(line) <= width and "Host" in line
            if width >= 80:
                assert line.endswith("Fleet › web-03")
        services = FakeServices(moving=False)


def test_hosts_keep_their_changes_apart() -> None:
    assert replace(_news(), hosts=(), notes=()).none and not _news().none
