"""The Database pane's actions by keys: what they ask for, what they refuse, what is told in full."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Button, Input

from console.panes.database import SECTIONS, DatabasePane
from console.panes.database_export import database_table
from console.screens.detail import DetailScreen
from console.screens.drawer import Drawer
from console.screens.policies import PolicyDialog, RefreshDialog
from core.models import DatabaseView, PlanRequest
from tests.console.driving import running, screen_text, type_text, until
from tests.console.fake_services import FakeServices


async def drawn(pilot: object, app: object, section: str) -> DatabasePane:
    await pilot.press("5")  # type: ignore[attr-defined]
    await pilot.pause()  # type: ignore[attr-defined]
    pane = app.main.query_one(DatabasePane)  # type: ignore[attr-defined]
    pane.show_section(section)
    await pilot.pause()  # type: ignore[attr-defined]
    return pane


async def asked(pilot: object, app: object, *keys: str) -> PlanRequest:
    await pilot.press(*keys)  # type: ignore[attr-defined]
    await until(pilot, lambda: isinstance(app.screen, Drawer))  # type: ignore[arg-type, attr-defined]
    request = app.screen.operation.plan.request  # type: ignore[attr-defined]
    await pilot.press("escape")  # type: ignore[attr-defined]
    await until(pilot, lambda: app.screen is app.main)  # type: ignore[arg-type, attr-defined]
    return request  # type: ignore[no-any-return]


async def test_keys_ask_for_what_is_under_the_cursor() -> None:
    async with running() as (app, pilot, _):
        await drawn(pilot, app, "tables")
        newest = "_timescaledb_internal._hyper_1_1_chunk"
        pane = app.main.query_one(DatabasePane)
        assert pane.chosen is not None
        newest = pane.chosen.name
        for key, wanted in (
            ("S", PlanRequest("chunk.reorder", {"chunk": newest})),
            ("X", PlanRequest("chunk.drop", {"chunk": newest})),
            ("V", PlanRequest("table.vacuum", {"table": "host_sample"})),
            ("I", PlanRequest("table.reindex", {"table": "host_sample"})),
        ):
            assert await asked(pilot, app, key) == wanted
        partial = next(c for c in pane.view.database.chunks if c.partial)
        pane.chunk = partial.name
        assert await asked(pilot, app, "C") == PlanRequest("chunk.recompress", {"chunk": partial.name})
        await drawn(pilot, app, "jobs")
        assert await asked(pilot, app, "F") == PlanRequest("job.fix", {"job_id": 1000})
        assert await asked(pilot, app, "H") == PlanRequest("job.pause", {"job_id": 1000})
        assert await asked(pilot, app, "G", "H") == PlanRequest("job.resume", {"job_id": 3})  # it is stopped
        await drawn(pilot, app, "sessions")
        assert await asked(pilot, app, "g", "E") == PlanRequest("session.cancel", {"pid": 4711})
        assert await asked(pilot, app, "j", "T") == PlanRequest("session.terminate", {"pid": 4720})
        await drawn(pilot, app, "sizes")
        assert await asked(pilot, app, "j", "V") == PlanRequest("table.vacuum", {"table": "findings"})


async def test_a_key_is_live_where_its_target_is_to_be_seen() -> None:
    async with running() as (app, pilot, _):
        await drawn(pilot, app, "health")
        for key in ("T", "E", "J", "F", "H", "X", "S", "V", "I", "U"):
            await pilot.press(key)
        await pilot.pause()
        assert app.screen is app.main
        assert "E cancel" not in screen_text(app)
        await drawn(pilot, app, "sessions")
        assert "E cancel" in screen_text(app)
    async with running(size=(160, 50)) as (app, pilot, _):
        await drawn(pilot, app, "tables")
        text = screen_text(app)
        assert "4711" in text and "Retention" in text and "E cancel" in text  # all of it at once


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_sessions_and_sizes_are_told(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot, _):
        await drawn(pilot, app, "sessions")
        text = screen_text(app)
        for word in ("▶ active", "▲ blocked", "◇ in trans", "? hidden", "ours", "client", "3 more sessions"):
            assert word in text, word
        await pilot.press("j")
        await pilot.pause()
        assert "blocked by 4711" in screen_text(app)
        await drawn(pilot, app, "sizes")
        assert "40 000" in screen_text(app) and "findings" in screen_text(app)


async def test_enter_shows_an_error_in_full_and_hostile_text_is_harmless() -> None:
    services = FakeServices(moving=False)
    view = services.make_view()
    evil = "could not compress \x1b[31m[bold]chunk[/bold]\nDETAIL: " + "x" * 300 + " the end"
    jobs = (replace(view.database.jobs[0], last_ok=False, last_error=evil), *view.database.jobs[1:])
    async with running(services) as (app, pilot, _):
        services.push(replace(view, database=replace(view.database, jobs=jobs), version=99))
        await drawn(pilot, app, "jobs")
        assert "enter shows all" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        await pilot.pause()
        text = screen_text(app)
        assert "the end" in text and "[bold]chunk[/bold]" in text and "\x1b" not in text
        await pilot.press("escape")
        await drawn(pilot, app, "sessions")
        await pilot.press("g", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        await pilot.pause()
        assert "WHERE host_id = 7" in screen_text(app)


async def test_a_policy_is_asked_for_in_two_steps() -> None:
    async with running() as (app, pilot, _):
        await drawn(pilot, app, "tables")
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, PolicyDialog))
        await pilot.pause()
        assert app.screen.query_one(Input).disabled
        await pilot.press("2")
        await pilot.pause()
        await pilot.press("enter")  # nothing is typed yet: nothing is asked for
        await pilot.pause()
        assert isinstance(app.screen, PolicyDialog)
        await type_text(pilot, "14 days")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        drawer = app.screen
        assert isinstance(drawer, Drawer)
        wanted = PlanRequest("policy.set", {"policy": "raw_retention", "value": "14 days"})
        assert drawer.operation.plan.request == wanted


async def test_a_rollup_is_refreshed_over_a_window() -> None:
    async with running() as (app, pilot, _):
        await drawn(pilot, app, "tables")
        await pilot.press("U")
        await pilot.pause()
        assert app.screen is app.main and "choose a rollup" in screen_text(app)
        await pilot.press("G", "U")
        await until(pilot, lambda: isinstance(app.screen, RefreshDialog))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        drawer = app.screen
        assert isinstance(drawer, Drawer)
        request = drawer.operation.plan.request
        assert request.action == "rollup.refresh" and request.arguments["rollup"] == "host_sample_1m"


async def test_what_runs_is_stopped_by_key() -> None:
    services = FakeServices(moving=False)
    services.unlock(600)
    services.apply_s = 600.0  # it would take long
    async with running(services, (120, 40)) as (app, pilot, _):
        await drawn(pilot, app, "tables")
        await pilot.press("V")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        await pilot.pause()
        drawer = app.screen
        assert isinstance(drawer, Drawer)
        await pilot.press("tab")
        await type_text(pilot, drawer.operation.plan.confirm)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: drawer.operation.running)
        await pilot.press("S")
        await until(pilot, lambda: not drawer.operation.running)
        await pilot.pause()
        assert "stopped after" in drawer.operation.error and "stopped after" in screen_text(app)
        assert not drawer.query_one("#apply", Button).display and not app.main.operator.running


async def test_without_a_reading_it_says_so() -> None:
    services = FakeServices(moving=False)
    view = services.make_view()
    async with running(services) as (app, pilot, _):
        services.push(replace(view, database=DatabaseView(), version=99))
        await drawn(pilot, app, "sessions")
        assert "not known yet" in screen_text(app)
        await pilot.press("T")
        await pilot.pause()
        assert "no other session" in screen_text(app)


def test_every_section_of_the_database_can_be_exported() -> None:
    view = FakeServices().make_view().database
    for section in SECTIONS:
        table = database_table(section, view)
        assert table is not None and table.rows and len(table.columns) > 2, section
        assert all(len(row) == len(table.columns) for row in table.rows)
