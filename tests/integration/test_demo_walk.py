"""The demo, walked by keys: fleet, host, database, a chunk compressed, retention dry and for real."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from core.models import DatabaseView, FleetView, HostState
from core.storage.servers import wasm_missing
from tests.integration.conftest import Walk, console
from tests.parts import need


def live(view: FleetView) -> bool:
    return len(view.hosts) == 12 and all(
        h.state in (HostState.ONLINE, HostState.DEGRADED) and h.sample and h.sample.system.cpu_pct is not None
        for h in view.hosts
    )


def compressed(view: DatabaseView) -> int:
    return sum(c.compressed for c in view.chunks)


async def confirm(walk: Walk) -> str:
    """Type the name that the drawer asks for and apply; return the screen with the result."""
    asked = re.search(r"\btype (\S+)", await walk.shown("type "))
    assert asked is not None
    await walk.pilot.press("shift+tab")
    await walk.type(asked[1])
    await walk.shown("Apply is ready")
    await walk.pilot.press("enter", "enter")
    return await walk.shown("audit ", 30)


@pytest.mark.slow
async def test_keys_alone_take_a_user_from_the_fleet_to_retention(home: Path) -> None:
    need("Node", not wasm_missing(), wasm_missing() or "")
    async with console(demo=True) as walk:
        await walk.until(live)
        assert sum(h.host.simulated for h in walk.view.hosts) >= 11
        await walk.shown("online")
        await walk.pilot.press("enter")
        await walk.shown("FILESYSTEMS")

        await walk.until(lambda v: (v.database.ratio or 0) > 2 and len(v.database.chunks) >= 10, 120)
        await walk.until(lambda v: any("compressed by the demo" in e.text for e in v.events), 120)
        assert len(walk.view.database.hypertables) >= 2
        await walk.pilot.press("5")
        await walk.shown("host_samples")

        await walk.pilot.press("C")
        await walk.shown("read-only")  # refused until a person leaves it
        await walk.pilot.press("escape", "w", "y")
        await walk.shown("RW")

        before = walk.view.database
        await walk.pilot.press("j", "C")
        await walk.shown("would compress 1 chunk of")
        await confirm(walk)
        await walk.until(lambda v: compressed(v.database) == compressed(before) + 1)
        assert walk.view.database.ratio != before.ratio
        await walk.pilot.press("escape")

        await walk.pilot.press("R")
        await walk.shown("would drop")
        assert len(walk.view.database.chunks) == len(before.chunks), "a dry run changes nothing"
        await confirm(walk)
        await walk.until(lambda v: len(v.database.chunks) <= len(before.chunks) - 8)
        assert all(h.chunks for h in walk.view.database.hypertables if h.name == "host_samples")
        await walk.pilot.press("escape", "4")
        await walk.shown("retention.run done")


async def test_without_node_the_demo_runs_on_embedded_and_says_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    async with console(demo=True, size=(80, 24)) as walk:
        await walk.until(live)
        await walk.until(lambda v: v.database.capability and len(v.database.chunks) >= 10)
        notice = " ".join(walk.view.notices)
        assert "embedded" in notice and "Node" in notice
        assert walk.view.database.ratio is None, "what cannot be compressed has no ratio"

        # Ten days are there to walk through.
        await walk.until(lambda v: any("written by the demo" in e.text for e in v.events), 120)
        for _ in range(40):  # the last alerts are of hosts that were short of something; one was away
            before = walk.services.replay.at
            await walk.pilot.press("semicolon")
            await walk.until(lambda v, before=before: not v.live and v.at == walk.services.replay.at != before)
            if any(h.state is HostState.OFFLINE for h in walk.view.hosts):
                break
        away = next(h for h in walk.view.hosts if h.state is HostState.OFFLINE)
        assert away.since == walk.view.at and "timed out" in away.detail
        screen = await walk.shown("REPLAY")
        assert any("offline" in line and away.host.name in line for line in screen.splitlines())
        assert walk.services.read_only
        await walk.pilot.press("end")
        await walk.until(lambda v: v.live)
        await walk.shown("LIVE")
        elsewhere = next(home.rglob("database-folder"))
        database = Path(elsewhere.read_text())
        assert database.is_dir()
    for _ in range(200):  # on a loaded machine the folder may outlive the console by a moment
        if not database.exists() and not elsewhere.exists():
            break
        await asyncio.sleep(0.1)
    assert not database.exists() and not elsewhere.exists(), "a demo leaves nothing behind"
