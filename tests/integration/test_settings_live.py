"""Settings that change while the real console runs, and what the next console finds again."""

from __future__ import annotations

from pathlib import Path

from core.models import PollerRole
from tests.integration.conftest import Walk, console


def _started(walk: Walk) -> bool:
    return walk.view.role is not PollerRole.STARTING and walk.app.main._options is not None  # type: ignore[attr-defined]


def _told(walk: Walk, text: str) -> bool:
    return any(text in event.text for event in walk.view.events)


async def test_a_changed_file_is_taken_up_a_broken_one_is_not_and_the_layout_comes_back(home: Path) -> None:
    config = home / ".config" / "jumpwatch" / "config.toml"
    config.parent.mkdir(parents=True)
    async with console() as walk:
        await walk.until(lambda _view: _started(walk))
        await walk.shown("Three steps")  # the first start, without a host
        await walk.pilot.press("escape")
        app = walk.app
        assert app.theme == "jumpwatch"
        config.write_text(
            '[console]\ntheme = "light"\n[polling]\ninterval_s = 7\n[monitoring]\ncpu_warn_pct = 55\n'
            '[ssh]\nconnect_limit = 7\n[keys]\nmain.clock = "f4"\n'
        )
        await walk.until(lambda _view: app.theme == "jumpwatch-light")
        await walk.until(lambda _view: _told(walk, "only the next start takes it up: ssh.connect_limit"))
        assert walk.services.interval_s == 7
        running = walk.services._running
        assert running is not None and running.supervisor._context.limits.cpu_pct == 55
        assert running.supervisor._context.interval_s == 7
        config.write_text("[console]\ntheme = 5\n")
        await walk.until(lambda _view: _told(walk, "the settings stay as they were: JUMPWATCH_CONSOLE_THEME is 5"))
        assert app.theme == "jumpwatch-light" and walk.services.interval_s == 7
        await walk.pilot.press("4", "f4", "ctrl+q")
    config.unlink()
    async with console(size=(100, 30)) as walk:
        await walk.until(lambda _view: _started(walk))
        await walk.until(lambda _view: walk.app.main.shown == "events")  # type: ignore[attr-defined]
        assert not walk.app.main._utc  # type: ignore[attr-defined]
        assert "Three steps" not in walk.screen()
