"""One program of the ui benchmark, on a terminal of its own: the console, a stock DataTable, or a frame made ready.

It is given its job as JSON on the command line, watches itself, and writes what it saw as JSON to the file named there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, ClassVar

# Before textual, as the program does it: it says how many frames a second there may be.
from console.app import JumpwatchApp

# isort: split
from rich.segment import Segment
from rich.style import Style
from textual._time import get_time
from textual.app import App, ComposeResult
from textual.events import Event, Key
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import DataTable

from console.composition.garbage import settle, tidy
from console.formatting import number, percent, short_bytes
from console.panes.hostfilter import disk_pct, net_bps
from console.screens.main import MainScreen
from console.widgets.linelist import LineList
from core.models import FleetView, HostState, HostView
from tests.console.fake_fleet import make_host
from tests.console.fake_services import FakeServices

TICK_S, CHANGED, DIFFERENT = 0.5, 0.1, 240
_COLUMNS = ("state", "host", "age", "cpu", "mem", "disk", "load", "rx", "tx", "failed", "updates", "detail")


class Watch:
    """What a program notes of itself: milliseconds of ticks, of paints, and from a key to its frame."""

    def __init__(self) -> None:
        self.ticks: list[float] = []
        self.paints: list[float] = []
        self.keys: list[float] = []
        self._arrived: deque[float] = deque()
        self._handled: list[float] = []
        self._last = 0.0

    def timed(self, owner: type, name: str, into: list[float]) -> None:
        """Note how long each call of that method takes."""
        whole = getattr(owner, name)

        def method(*args: Any, **more: Any) -> Any:
            started = perf_counter()
            try:
                return whole(*args, **more)
            finally:
                into.append(1e3 * (perf_counter() - started))

        setattr(owner, name, method)

    def keys_of(self, owner: type, *actions: str) -> None:
        """Note the way of each key: it comes, its action runs, the next frame shows it."""
        on_event, display = App.on_event, App._display

        async def arriving(app: App[Any], event: Event) -> None:
            if isinstance(event, Key) and event.time > self._last:  # it bubbles up to the app once more
                self._last = event.time
                self._arrived.append(event.time)
            await on_event(app, event)

        def displayed(app: App[Any], *args: Any) -> None:
            display(app, *args)
            now = get_time()
            self.keys += [1e3 * (now - came) for came in self._handled]
            self._handled.clear()

        def handled(whole: Callable[..., Any]) -> Callable[..., Any]:
            def action(*args: Any, **more: Any) -> Any:
                if self._arrived:
                    self._handled.append(self._arrived.popleft())
                return whole(*args, **more)

            return action

        App.on_event, App._display = arriving, displayed  # type: ignore[method-assign,assignment]
        for name in actions:
            setattr(owner, name, handled(getattr(owner, name)))


class Fleet:
    """So many hosts; each tick another tenth of them has newer figures, and one in a hundred of these another state."""

    def __init__(self, count: int) -> None:
        self.now = datetime.now(UTC)
        self._dice = random.Random(count)
        self._models = [make_host(index, f"node-{index:04d}", index, self.now) for index in range(DIFFERENT)]
        self.hosts = [self._host(index, index) for index in range(count)]
        self._turn = 0
        self._ready: deque[tuple[list[int], list[HostView]]] = deque()

    def _host(self, index: int, model: int, version: int = 0) -> HostView:
        view = self._models[model % DIFFERENT]
        name = f"node-{index:04d}"
        return replace(view, host=replace(view.host, name=name), state=HostState.ONLINE, detail="", version=version)

    def make_ready(self, ticks: int) -> None:
        """Make so many ticks beforehand: what a fleet costs to be made up is no part of what is measured."""
        hosts, self._ready = list(self.hosts), deque()
        for _ in range(ticks):
            changed = self._change()
            self._ready.append((changed, [self.hosts[index] for index in changed]))
        self.hosts = hosts

    def tick(self) -> list[int]:
        """Move on and return which hosts changed."""
        if not self._ready:
            return self._change()
        changed, fresh = self._ready.popleft()
        for index, view in zip(changed, fresh, strict=True):
            self.hosts[index] = view
        return changed

    def _change(self) -> list[int]:
        self._turn += 1
        changed = self._dice.sample(range(len(self.hosts)), int(len(self.hosts) * CHANGED))
        for place, index in enumerate(changed):
            fresh = self._host(index, index + self._turn, self._turn)
            if place % 100 == 0:
                fresh = replace(fresh, state=self._dice.choice([HostState.DEGRADED, HostState.ONLINE]))
            self.hosts[index] = fresh
        return changed


class Moving(FakeServices):
    """The fake services over that fleet; views are made ready outside what is measured."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(0, trouble=False, moving=False)
        self._frame = self.make_view()
        self.fleet = Fleet(job["hosts"])
        self.names = [view.host.name for view in self.fleet.hosts]

    def make_view(self) -> FleetView:
        if not hasattr(self, "fleet"):
            return super().make_view()
        return replace(self._frame, hosts=tuple(self.fleet.hosts), at=datetime.now(UTC))


async def pace(
    job: dict[str, Any], tick: Callable[[], Any], watch: Watch, leave: Callable[[], Any], fleet: Fleet | None = None
) -> None:
    """Tick for the time that is wanted, then leave."""
    if fleet is not None:
        fleet.make_ready(int(job["seconds"] / TICK_S) + 1)
    await asyncio.sleep(1.5)
    gc.collect()
    settle()
    tidying = asyncio.create_task(tidy())
    for kept in (watch.ticks, watch.paints, watch.keys):
        kept.clear()
    Path(job["into"] + ".ready").touch()
    end = perf_counter() + job["seconds"]
    while perf_counter() < end:
        tick()
        await asyncio.sleep(TICK_S)
    tidying.cancel()
    Path(job["into"]).write_text(json.dumps({"ticks": watch.ticks, "paints": watch.paints, "keys": watch.keys}))
    leave()


def fleet(job: dict[str, Any], watch: Watch) -> App[Any]:
    """Our console on its Fleet pane."""
    services = Moving(job)
    app = JumpwatchApp(services)

    def tick() -> None:
        services.fleet.tick()
        services.push()

    started = services.start

    async def start(post: Any) -> None:
        await started(post)
        app.run_worker(pace(job, tick, watch, app.exit, services.fleet), name="bench")

    services.start = start  # type: ignore[method-assign]
    watch.timed(MainScreen, "update_view", watch.ticks)
    watch.keys_of(LineList, "action_move")
    return app


class Table(App[None]):
    """A stock DataTable that shows the same."""

    def __init__(self, job: dict[str, Any], watch: Watch) -> None:
        super().__init__()
        self.job, self.watch, self.fleet = job, watch, Fleet(job["hosts"])

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in _COLUMNS:
            table.add_column(column, key=column)
        for view in self.fleet.hosts:
            table.add_row(*_cells(view), key=view.host.name)
        table.focus()
        self.run_worker(pace(self.job, self.tick, self.watch, self.exit, self.fleet))

    def tick(self) -> None:
        changed = self.fleet.tick()
        table, started = self.query_one(DataTable), perf_counter()
        for index in changed:
            view = self.fleet.hosts[index]
            for column, cell in zip(_COLUMNS, _cells(view), strict=True):
                table.update_cell(view.host.name, column, cell)
        self.watch.ticks.append(1e3 * (perf_counter() - started))


def _cells(view: HostView) -> tuple[str, ...]:
    system = view.sample.system if view.sample else None
    assert system is not None
    received, sent = net_bps(view)
    figures = (percent(system.cpu_pct), percent(system.mem_pct), percent(disk_pct(view)), number(system.load1))
    return (view.state.value, view.host.name, "0s", *figures, short_bytes(received), short_bytes(sent), "–", "–", "")


class Ready(ScrollView, can_focus=True):
    """A frame made ready: nothing is left but to compose and write it."""

    BINDINGS: ClassVar = [("j", "move", ""), ("k", "move", "")]

    def on_mount(self) -> None:
        dice = random.Random(1)
        styles = [Style(color=f"rgb({n},{200 - n},120)", bold=bool(n % 2)) for n in range(20, 180, 16)]
        self.frames = [
            [
                Strip([Segment(f"{dice.random():<12.9f}"[:12] + " ", dice.choice(styles)) for _ in range(13)])
                .adjust_cell_length(self.app.size.width)
                for _ in range(self.app.size.height)
            ]
            for _ in range(4)
        ]  # fmt: skip
        self.turn = 0
        self.focus()

    def tick(self) -> None:
        self.turn += 1
        self.refresh()

    def action_move(self) -> None:
        self.tick()

    def render_line(self, y: int) -> Strip:
        return self.frames[self.turn % len(self.frames)][y]


class Frame(App[None]):
    """The floor of every paint."""

    def __init__(self, job: dict[str, Any], watch: Watch) -> None:
        super().__init__()
        self.job, self.watch = job, watch

    def compose(self) -> ComposeResult:
        yield Ready()

    def on_ready(self) -> None:
        self.run_worker(pace(self.job, self.query_one(Ready).tick, self.watch, self.exit))


def idle(job: dict[str, Any], _watch: Watch) -> App[Any]:
    """Our console over a fleet where nothing changes but the ages; notes the CPU that it takes all the same."""
    services = Moving(job)
    app = JumpwatchApp(services)
    started = services.start

    async def resting() -> None:
        await asyncio.sleep(12.0)  # young ages count each second: a fleet at rest is past ten of them
        gc.collect()
        settle()
        wall, cpu = perf_counter(), process_time()
        await asyncio.sleep(job["seconds"])
        share = 100 * (process_time() - cpu) / (perf_counter() - wall)
        Path(job["into"]).write_text(json.dumps({"cpu_pct": share}))
        app.exit()

    async def start(post: Any) -> None:
        await started(post)
        app.run_worker(resting())

    services.start = start  # type: ignore[method-assign]
    return app


def live(job: dict[str, Any], _watch: Watch) -> App[Any]:
    """The console itself over the simulator's hosts; notes how late its loop wakes."""
    from console.composition.services import LiveServices
    from core.config import load_settings

    services = LiveServices(load_settings)
    app, started = JumpwatchApp(services), services.start
    late: list[float] = []

    async def lag(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (now := loop.time()) < end:
            await asyncio.sleep(0.01)
            late.append(1e3 * (loop.time() - now - 0.01))

    async def watching() -> None:
        began = perf_counter()
        there = (HostState.ONLINE, HostState.DEGRADED)  # some are always busy, and now and then one reboots
        while sum(view.state in there for view in app.services.view.hosts) < 0.98 * job["hosts"]:
            await asyncio.sleep(0.25)
        connected = perf_counter() - began
        await asyncio.sleep(5.0)
        late.clear()
        wall, cpu, stored = perf_counter(), process_time(), app.services.view.writer.stored
        await lag(job["seconds"])
        late.sort()
        found = {
            "p50": late[len(late) // 2], "p99": late[int(len(late) * 0.99)], "most": late[-1], "connected_s": connected,
            "cpu_pct": 100 * (process_time() - cpu) / (perf_counter() - wall),
            "stored": app.services.view.writer.stored - stored,
        }  # fmt: skip
        Path(job["into"]).write_text(json.dumps(found))
        await app.action_leave_now()

    async def start(post: Any) -> None:
        await started(post)
        app.run_worker(watching())

    services.start = start  # type: ignore[method-assign]
    return app


PROGRAMS: dict[str, Callable[[dict[str, Any], Watch], App[Any]]] = {
    "fleet": fleet, "table": Table, "frame": Frame, "idle": idle, "live": live,
}  # fmt: skip


def main() -> None:
    job, watch = json.loads(sys.argv[1]), Watch()
    watch.timed(Screen, "_on_timer_update", watch.paints)
    if job["program"] == "table":
        watch.keys_of(DataTable, "action_cursor_down", "action_cursor_up")
    elif job["program"] == "frame":
        watch.keys_of(Ready, "action_move")
    PROGRAMS[job["program"]](job, watch).run()


if __name__ == "__main__":
    main()
