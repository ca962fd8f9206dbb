"""Acting on hosts from the screen: the menu, the questions, the answers side by side, and keys in haste."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.app import JumpwatchApp
from console.messages import ContainerWanted, LogsWanted, RebootWanted, UnitWanted
from console.screens.ask import AskUnit
from console.screens.drawer import Drawer
from console.screens.host_menu import HostMenu
from console.screens.logs import LogScreen
from console.screens.results import ResultScreen, grouped
from console.screens.runner import RunDialog
from core.models import HostResult, SavedCommand
from tests.console.driving import running, screen_text, type_text, until
from tests.console.fake_services import FakeServices


def unlocked() -> FakeServices:
    services = FakeServices(moving=False)
    services.unlock(600)
    services.apply_s = 0.0
    return services


async def put(pilot: Pilot[Any], text: str) -> None:
    """Type the text once a field of the screen on top has the keyboard."""
    await until(pilot, lambda: isinstance(pilot.app.focused, Input) and pilot.app.focused.screen is pilot.app.screen)
    await type_text(pilot, text)


async def drawer_of(app: JumpwatchApp, pilot: Pilot[Any]) -> Drawer:
    await until(pilot, lambda: isinstance(app.screen, Drawer))
    await pilot.pause()
    assert isinstance(app.screen, Drawer)
    return app.screen


async def test_requests_of_panes_become_plans() -> None:
    async with running(unlocked()) as (app, pilot, _):
        for wanted, action, arguments in (
            (UnitWanted(("a", "b"), "nginx.service"), "unit.restart", {"hosts": "a b", "unit": "nginx.service"}),
            (ContainerWanted("a", "shop", "docker", "stop"), "container.stop",
             {"hosts": "a", "container": "shop", "engine": "docker"}),
            (RebootWanted(("a",)), "host.reboot", {"hosts": "a"}),
        ):  # fmt: skip
            app.main.pane.post_message(wanted)
            drawer = await drawer_of(app, pilot)
            assert drawer.operation.plan.request.action == action
            assert drawer.operation.plan.request.arguments == arguments
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)


async def test_the_menu_leads_to_a_drawer_and_enter_twice_does_nothing() -> None:
    services = unlocked()
    async with running(services) as (app, pilot, _):
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, HostMenu))
        await pilot.press("G")  # the last one: reboot
        await pilot.press("enter", "enter")
        await until(pilot, lambda: not isinstance(app.screen, HostMenu))
        await pilot.pause(0.2)
        assert not services.applied and app.is_running
        assert len(app.screen_stack) <= 2


async def test_a_unit_or_container_under_the_cursor_is_acted_on() -> None:
    async with running(unlocked()) as (app, pilot, _):
        for key, action, name in (("7", "unit.restart", "nginx.service"), ("6", "container.restart", "indexer")):
            await pilot.press(key, "g")
            await until(pilot, lambda name=name: (app.main.pane.selected_item or ("", ""))[1] == name)  # type: ignore[misc]
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, HostMenu))
            await pilot.pause()
            assert f"Actions on {name} of db-01" in screen_text(app)
            await pilot.press("enter")
            drawer = await drawer_of(app, pilot)
            request = drawer.operation.plan.request
            assert request.action == action and name in request.arguments.values()
            assert request.arguments["hosts"] == "db-01"
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)
            await pilot.press("l")
            await until(pilot, lambda: isinstance(app.screen, LogScreen))
            assert isinstance(app.screen, LogScreen)
            assert name in (app.screen.source.unit, app.screen.source.container)
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)


async def test_a_unit_marked_on_several_hosts_is_acted_on_there() -> None:
    async with running(unlocked()) as (app, pilot, _):
        await pilot.press("7")
        await until(pilot, lambda: app.main.pane.id == "services")
        await pilot.press("slash")
        await put(pilot, "unit:ssh host=db-01,web-02")
        await pilot.press("enter", "A", "a")
        await until(pilot, lambda: isinstance(app.screen, HostMenu))
        await pilot.pause()
        assert "Actions on ssh.service of 2 marked hosts" in screen_text(app)
        await pilot.press("enter")
        drawer = await drawer_of(app, pilot)
        assert drawer.operation.plan.request.arguments == {"hosts": "db-01 web-02", "unit": "ssh.service"}


async def test_keys_in_haste_do_nothing() -> None:
    """Pairs of our keys on a host, with enter twice after them, in write mode: nothing is applied."""
    services = unlocked()
    services.ssh = ("true",)
    async with running(services) as (app, pilot, _):
        for first, second in product("aX", "alXS"):
            await pilot.press("2", first, second, "enter", "enter")
            await pilot.pause()
            for _ in range(8):
                if app.screen is app.main:
                    break
                await pilot.press("escape")
                await pilot.pause()
            assert app.screen is app.main, (first, second)
            assert not services.applied and app.is_running


async def test_a_typed_command_and_a_saved_one_become_plans() -> None:
    services = unlocked()
    services.commands = (SavedCommand("disk", ("df", "-h", "a b"), 30.0, sudo=True),)
    async with running(services) as (app, pilot, _):
        await pilot.press("space", "space", "X")
        await until(pilot, lambda: isinstance(app.screen, RunDialog))
        assert "disk" in screen_text(app) and "df -h 'a b'" in screen_text(app)
        await put(pilot, "uptime | cat")
        await pilot.press("enter")
        drawer = await drawer_of(app, pilot)
        arguments = drawer.operation.plan.request.arguments
        assert arguments["command"] == "uptime | cat" and len(str(arguments["hosts"]).split()) == 2
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, RunDialog))
        await pilot.press("down", "enter")
        drawer = await drawer_of(app, pilot)
        arguments = drawer.operation.plan.request.arguments
        assert (arguments["words"], arguments["sudo"], arguments["timeout_s"]) == ("df -h 'a b'", "yes", 30)


async def test_a_broken_commands_file_is_told_and_typing_still_works() -> None:
    services = unlocked()
    services.commands_fault = "commands.toml, command 1: it needs argv"
    async with running(services) as (app, pilot, _):
        await pilot.press("X")
        await until(pilot, lambda: "it needs argv" in screen_text(app))


async def test_questions_become_requests() -> None:
    services = unlocked()
    async with running(services) as (app, pilot, _):
        app.main.pane.post_message(UnitWanted(("a",), ""))
        await until(pilot, lambda: isinstance(app.screen, AskUnit))
        await put(pilot, "cron.service")
        await pilot.press("enter")
        drawer = await drawer_of(app, pilot)
        assert drawer.operation.plan.request.arguments == {"hosts": "a", "unit": "cron.service"}
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("2")
        await pilot.press("T")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "copy-local")
        await pilot.press("ctrl+t")
        await put(pilot, "/tmp/x")
        await pilot.press("enter")  # the other path is asked for first
        await until(pilot, lambda: app.focused is not None and app.focused.id == "copy-remote")
        await put(pilot, "/etc/hosts")
        await pilot.press("enter")
        drawer = await drawer_of(app, pilot)
        request = drawer.operation.plan.request
        assert request.action == "file.fetch" and request.arguments["remote"] == "/etc/hosts"


async def test_logs_of_units_and_containers_are_followed() -> None:
    async with running(unlocked()) as (app, pilot, services):
        app.main.pane.post_message(LogsWanted("a", unit="nginx.service"))
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and bool(services.followed))
        assert services.followed[0].unit == "nginx.service" and "a: nginx.service" in screen_text(app)


def result(host: str, output: str = "same", **changes: Any) -> HostResult:
    return HostResult(host, **{"ok": True, "exit_code": 0, "output": output, **changes})


def test_equal_answers_are_grouped_and_the_largest_comes_first() -> None:
    failed = result("d", "", ok=False, exit_code=3)
    groups = grouped([result("a", "x"), result("b"), result("c"), failed])
    assert [[each.host for each in group.results] for group in groups] == [["b", "c"], ["d"], ["a"]]


async def test_answers_stand_side_by_side_and_differences_are_marked() -> None:
    answers = [
        result("web-1", "one\ntwo"),
        result("web-2", "one\ntwo"),
        result("web-3", "one\n\x1b[31mTHREE[b]\x1b[0m"),
    ]
    for size in ((160, 50), (80, 24)):
        async with running(unlocked(), size) as (app, pilot, _):
            await app.push_screen(ResultScreen("Run: it", answers, ("web-4",)))
            await until(pilot, lambda: "web-1, web-2" in screen_text(app))
            text = screen_text(app)
            assert "alike on 2 hosts" in text and "2 different answers" in text and "not run on web-4" in text
            if size[0] == 80:
                assert "answers 1 to 1 of 2" in text and "THREE" not in text
                await pilot.press("tab")
            await until(pilot, lambda: "≠ THREE[b]" in screen_text(app))
            assert "≠ one" not in screen_text(app)


async def test_the_answers_of_a_command_are_shown_when_it_has_run() -> None:
    services = unlocked()
    services.results = (result("a", "hello there"),)
    async with running(services) as (app, pilot, _):
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, RunDialog))
        await put(pilot, "true")
        await pilot.press("enter")
        drawer = await drawer_of(app, pilot)
        drawer.query_one(Input).focus()
        await put(pilot, drawer.operation.plan.confirm)
        await until(pilot, lambda: not drawer.query_one("#apply", Button).disabled)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen) and "hello there" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is drawer)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))


async def test_a_terminal_that_cannot_be_handed_over_says_so() -> None:
    async with running(unlocked(), (120, 40)) as (app, pilot, _):
        await pilot.press("S")
        await until(pilot, lambda: "cannot be handed over" in screen_text(app))
        await asyncio.sleep(0)
        assert app.is_running
