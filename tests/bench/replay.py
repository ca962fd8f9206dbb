"""Time travel in the real console on a real database: key to plot of a month, steps in time with 1000 hosts."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import asyncpg
from textual._compositor import CompositorUpdate

from console.app import JumpwatchApp
from console.composition.garbage import settle, tidy
from console.composition.replay import Replayer
from console.panes.host import HostPane
from console.panes.host_plots import SPANS
from core.config import RetentionSettings
from core.models import FleetView, Host, HostPlot, HostState, HostView, Mark, PollerRole, ReplayStatus
from core.operations import Gate
from core.ports import SystemClock
from core.storage.engine import Database
from core.storage.schema import FRAME_TABLES
from tests.bench.figures import Figure
from tests.bench.queries import FULL, LATERAL, MONTH, QUICK, Size, load, made
from tests.console.fake_services import FakeServices
from tests.storage import plain_server

NAME = "replay"
SIZE = (160, 50)
PLOT_MS, STEP_MS = 150.0, 100.0
STEP = timedelta(minutes=1)
_LIMIT_S = 60.0
# A month of one host as its hourly rollups hold it, by asyncpg alone: what the plot's figures come from.
HOURS = (
    "SELECT bucket, cpu_pct_sum / cpu_pct_count, cpu_pct_max, load1_sum / load1_count, mem_available_min "
    "FROM host_samples_1h WHERE host_id = $1 AND bucket >= $2 AND bucket < $3",
    "SELECT bucket, sum(rx_bps_sum / rx_bps_count + tx_bps_sum / tx_bps_count) FROM interface_samples_1h "
    "WHERE host_id = $1 AND bucket >= $2 AND bucket < $3 GROUP BY 1",
    "SELECT bucket, max(used_last::float8 / (used_last + available_last)) FROM filesystem_samples_1h "
    "WHERE host_id = $1 AND bucket >= $2 AND bucket < $3 GROUP BY 1",
    "SELECT bucket, max(busy_pct_max) FROM disk_samples_1h WHERE host_id = $1 AND bucket >= $2 AND bucket < $3 "
    "GROUP BY 1",
)


class BenchServices(FakeServices):
    """The program behind the screen with the real way to the past, and a fleet that stands still."""

    def __init__(self, database: Database, hosts: int) -> None:
        super().__init__(1, trouble=False, moving=False)
        names = [f"host{number}" for number in range(1, hosts + 1)]
        now = datetime.now(UTC)
        self.live = FleetView(
            at=now,
            hosts=tuple(HostView(Host(name), HostState.ONLINE, since=now, version=1) for name in names),
            role=PollerRole.POLLER,
            version=1,
        )
        self.replayer = Replayer(lambda: database, lambda: self.live, Gate(), SystemClock(), 10.0)

    def make_view(self) -> FleetView:
        return self.live

    @property
    def replay(self) -> ReplayStatus:
        return self.replayer.status

    @replay.setter
    def replay(self, status: ReplayStatus) -> None:
        """The fake's own is not used."""

    async def start(self, post: Callable[[FleetView], None]) -> None:
        def shown(view: FleetView) -> None:
            self.view = view
            post(view)

        self._post = shown
        self.replayer.posting(shown)
        self._task = asyncio.create_task(self.replayer.run())
        shown(self.live)

    def go_to(self, at: datetime | None, step: timedelta) -> None:
        self.replayer.go(at, step)

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        return await self.replayer.mark_beside(at, later=later, loud=loud)

    async def plot(self, host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
        return await self.replayer.plot(host, start, stop, points)


@dataclass
class Bench:
    """The running console, the paint that is waited for, and how late its loop was."""

    app: JumpwatchApp
    services: BenchServices
    wanted: Callable[[], bool] | None = None
    painted: asyncio.Event = field(default_factory=asyncio.Event)
    at: float = 0.0
    paints: int = 0
    lags: list[float] = field(default_factory=list)

    def after_paint(self) -> None:
        """Called with each paint: what was there before it is on the screen now."""
        self.paints += 1
        if self.wanted is not None and self.wanted():
            self.wanted, self.at = None, perf_counter()
            self.painted.set()

    async def press(self, key: str, wanted: Callable[[], bool]) -> float:
        """Press a key as the terminal would; return the milliseconds until what is wanted was painted."""
        self.wanted = wanted
        self.painted.clear()
        begun = perf_counter()
        self.app.simulate_key(key)
        async with asyncio.timeout(_LIMIT_S):
            await self.painted.wait()
        return (self.at - begun) * 1000

    async def watch(self) -> None:
        """Note how late the loop comes back."""
        while True:
            begun = perf_counter()
            await asyncio.sleep(0.002)
            self.lags.append((perf_counter() - begun - 0.002) * 1000)


@asynccontextmanager
async def console(database: Database, hosts: int) -> AsyncIterator[Bench]:
    """Run the console; every paint is made into what the terminal would get."""
    services = BenchServices(database, hosts)
    app = JumpwatchApp(services)
    async with app.run_test(size=SIZE) as pilot:
        bench, display = Bench(app, services), app._display

        def painting(screen: Any, renderable: Any) -> None:
            if isinstance(renderable, CompositorUpdate):
                renderable.render_segments(app.console)
            display(screen, renderable)
            bench.after_paint()

        app._display = painting  # type: ignore[method-assign]
        while len(app.main.pane.view.hosts) < hosts:
            await pilot.pause(0.05)
        gc.collect()
        settle()  # as the program has it: no look of the collector of cycles is long
        beside = [asyncio.create_task(bench.watch()), asyncio.create_task(tidy())]
        yield bench
        for task in beside:
            task.cancel()
        await services.stop()


async def month(bench: Bench, bare: asyncpg.Connection, size: Size, now: datetime) -> dict[str, list[float]]:
    """Zoom a host's plots out to the month and back in; each is read and drawn anew."""
    app = bench.app
    await bench.press("2", lambda: isinstance(app.main.pane, HostPane))
    pane = app.main.pane
    assert isinstance(pane, HostPane)
    at = [name for name, _ in SPANS].index("1 month")

    def drawn(span: timedelta) -> Callable[[], bool]:
        def met() -> bool:
            plot = pane._plot
            return plot is not None and plot[2] - plot[1] == span and plot[3] is not None

        return met

    pane.show("host1")
    pane.zoom = at - 1
    took: dict[str, list[float]] = {"month": [], "week": [], "rollups": []}
    for number in range(size.rounds + 2):
        for name, key, place in (("month", "Z", at), ("week", "z", at - 1)):
            figure = await bench.press(key, drawn(SPANS[place][1]))
            if number > 1:
                took[name].append(figure)
        begun = perf_counter()
        for statement in HOURS:
            await bare.fetch(statement, 1, now - MONTH, now)
        if number > 1:
            took["rollups"].append((perf_counter() - begun) * 1000)
    known = [value for value in pane._plot[3].history.cpu if value is not None] if pane._plot and pane._plot[3] else []
    assert known, "the plot that was drawn is empty"
    pane.zoom = None
    return took


async def steps(bench: Bench, bare: asyncpg.Connection, size: Size, now: datetime) -> dict[str, list[float]]:
    """Walk back a minute at a time: after a moment's look, to a moment that nobody was near, and with the key held."""
    app, services = bench.app, bench.services
    await bench.press("1", lambda: not isinstance(app.main.pane, HostPane))

    def shown(at: datetime | None) -> Callable[[], bool]:
        return lambda: at is not None and app.main.pane.view.at == at and not app.main.pane.view.live

    took: dict[str, list[float]] = {"walking": [], "jumping": [], "held": [], "latest": []}
    start = now - timedelta(minutes=4)
    start -= (start - datetime(1970, 1, 1, tzinfo=UTC)) % STEP
    app.main.go(start)
    while services.replay.reading:
        await asyncio.sleep(0.01)
    assert sum(view.sample is not None for view in services.view.hosts) == size.hosts, services.view.past
    for number in range(min(20, size.rounds + 2)):
        key, way = ("left_square_bracket", -1) if number < 18 else ("right_square_bracket", 1)
        await asyncio.sleep(0.5)  # a look at it; the neighbour is read meanwhile
        at = services.replay.at
        assert at is not None
        took["walking"].append(await bench.press(key, shown(at + way * STEP)))
        begun = perf_counter()
        low = at - timedelta(minutes=15)
        await bare.fetch(LATERAL, low, at)
        took["latest"].append((perf_counter() - begun) * 1000)
    for _ in range(size.rounds):
        services.replayer._kept.clear()
        at = services.replay.at
        assert at is not None
        took["jumping"].append(await bench.press("left_square_bracket", shown(at - STEP)))
        if at < now - timedelta(minutes=20):
            app.main.go(start)
            await asyncio.sleep(1.0)
    app.main.go(start)
    await asyncio.sleep(1.0)
    for _ in range(3):
        services.replayer._kept.clear()
        at = services.replay.at
        assert at is not None
        for number in range(1, 8):  # thirty a second, as terminals repeat
            if number < 7:
                app.simulate_key("left_square_bracket")
                await asyncio.sleep(1 / 30)
            else:
                took["held"].append(await bench.press("left_square_bracket", shown(at - number * STEP)))
        app.main.go(start)
        await asyncio.sleep(1.0)
    return took


def told(form: str, took: dict[str, list[float]], aims: dict[str, float]) -> list[Figure]:
    """Medians and worst of each way."""
    figures = []
    for name, times in took.items():
        figures.append(Figure(NAME, f"{form}: {name}", statistics.median(times), "ms", aim=aims.get(name)))
        figures.append(Figure(NAME, f"{form}: {name}, worst of {len(times)}", max(times), "ms"))
    return figures


async def _measured(database: Database, bare: asyncpg.Connection, size: Size, now: datetime, form: str) -> list[Figure]:
    async with console(database, size.hosts) as bench:
        plots = await month(bench, bare, size, now)
        bench.lags.clear()
        walked = await steps(bench, bare, size, now)
        lags = sorted(bench.lags)
    figures = told(f"key to plot of a host, {form}", plots, {"month": PLOT_MS})
    figures += told(f"step in time, {size.hosts} hosts, {form}", walked, {"walking": STEP_MS})
    ratio = statistics.median(a / b for a, b in zip(walked["walking"], walked["latest"], strict=True))
    figures.append(Figure(NAME, f"step in time, {form}: walking / latest rows by asyncpg", ratio, "ratio"))
    figures.append(Figure(NAME, f"loop lag while walking, {form}: p99", lags[int(len(lags) * 0.99)], "ms"))
    return figures


async def _run(size: Size) -> list[Figure]:
    url, server = os.environ.get("JUMPWATCH_TEST_NATIVE_URL"), None
    if not url:
        missing = plain_server.missing()
        if missing:
            raise SystemExit(f"needs JUMPWATCH_TEST_NATIVE_URL, or PostgreSQL 15 on this machine: {missing}")
        print("no JUMPWATCH_TEST_NATIVE_URL: plain partitions on PostgreSQL, nothing compressed", file=sys.stderr)
        server = plain_server.start()
        server.sql("ALTER ROLE owner CREATEDB")
        url = server.url()
    try:
        now = datetime.now(UTC).replace(microsecond=0)
        async with made(url, RetentionSettings()) as (database, bare):
            await load(database, bare, size, now)
            figures = await _measured(database, bare, size, now, "plain")
            if database.timescale:
                for table in FRAME_TABLES:
                    await bare.execute(f"SELECT compress_chunk(c) FROM show_chunks('{table.name}') c")
                await bare.execute("ANALYZE")
                figures += await _measured(database, bare, size, now, "compressed")
    finally:
        if server is not None:
            server.stop()
    return figures


def run(*, quick: bool) -> Iterable[Figure]:
    """Fill a database and walk through it."""
    return asyncio.run(_run(QUICK if quick else FULL))
