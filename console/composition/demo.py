"""The demo's world: simulated hosts, a throw-away database, ten days of history."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from console.composition.demo_past import PastStates
from console.composition.oneshot import limits_of
from console.composition.storage import start_demo_server
from core.retention import plan_compression
from core.simulator.history import generate_history
from core.simulator.history_items import generate_looks
from core.simulator.process import SimulatorProcess
from core.storage.chunks import StorageChunks
from core.storage.history import write_history
from core.storage.servers import EmbeddedServer

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.database import Database
    from core.models import Host
    from core.storage.servers import ManagedServer

_DAYS = 10
_LOOK_DAYS = 4  # of containers: each day more is a chunk more to be made before the demo begins
_STEP_S = 600.0
_RAW_RETENTION = timedelta(days=7)  # three of the ten days are past it: retention has something to show
_INTERVAL_S = 2.0
_INTERVALS = ("processes=5", "services=10", "containers=10", "ports=15", "sessions=30", "drives=30", "updates=120")
_ELSEWHERE = "database-folder"
_STOP_S = 1.5
log = structlog.get_logger("console")


def demo_settings(settings: ApplicationSettings) -> ApplicationSettings:
    """The user's settings with what a demo of a few minutes wants: short intervals, short retention."""
    retention = settings.retention.model_copy(update={"raw_retention": _RAW_RETENTION})
    polling = settings.polling.model_copy(update={"interval_s": _INTERVAL_S})
    monitoring = settings.monitoring.model_copy(update={"collector_intervals": _INTERVALS})
    return settings.model_copy(update={"retention": retention, "polling": polling, "monitoring": monitoring})


class DemoWorld:
    """Starts the fleet and the database of one demo; everything it made is gone at the end."""

    def __init__(self, settings: ApplicationSettings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._root = settings.state_dir / "demo"
        self.folder = self._root / str(os.getpid())
        self._simulator = SimulatorProcess()
        self._server: ManagedServer | None = None
        self._hosts: asyncio.Future[list[Host]] = asyncio.get_running_loop().create_future()
        self.notices: tuple[str, ...] = ()

    async def start_fleet(self) -> list[Host]:
        """Start the simulated hosts; the first of them is this machine."""
        await asyncio.to_thread(self._sweep)
        self._say("starting 12 demo hosts")
        hosts = await self._simulator.start(self.folder / "fleet", hosts=12)
        self._hosts.set_result(hosts)
        return hosts

    async def start_database(self) -> Database:
        """Start the demo's server; a fallback is told in ``notices``."""
        self._server, database = await start_demo_server(self._settings, self.folder, self._say, self._notice)
        if isinstance(self._server, EmbeddedServer):
            await asyncio.to_thread((self.folder / _ELSEWHERE).write_text, str(self._server.folder), "utf-8")
        return database

    async def write_history(self, database: Database) -> str:
        """Write ten days of the fleet's story as all samples are written, compress what is old; say what was done."""
        hosts = await self._hosts
        now = datetime.now(UTC)
        story = generate_history(hosts, days=_DAYS, step_s=_STEP_S, until=now)
        looks = generate_looks(hosts, days=_LOOK_DAYS, step_s=_STEP_S, until=now)
        expected = int(len(hosts) * _DAYS * 86_400 / _STEP_S)
        past = PastStates(limits_of(self._settings), _STEP_S)
        written = await write_history(
            database,
            hosts,
            merge(past.watch(story), looks, key=attrgetter("ts")),
            self._say,
            transitions=past.transitions,
            expected=expected,
        )
        if database.capability is None or not database.capability.compression:
            return f"{written} simulated samples of the last {_DAYS} days written by the demo"
        keeper = StorageChunks(database)
        old = await plan_compression(keeper, datetime.now(UTC), self._settings.retention.compress_after)
        for chunk in old:
            self._say(f"compressing {chunk.hypertable} of {chunk.start:%d %b}")
            await keeper.compress(chunk)
        return f"{written} simulated samples of the last {_DAYS} days written, {len(old)} chunks compressed by the demo"

    async def stop(self) -> None:
        """Stop the simulator and the server at the same time and remove what they wrote, whatever comes between."""
        stops = [self._simulator.stop()] + ([self._server.stop()] if self._server else [])
        try:
            async with asyncio.timeout(_STOP_S):
                await asyncio.gather(*stops)
        except TimeoutError:
            log.warning("the demo's servers had to be left to their guards")
        finally:
            await asyncio.to_thread(_remove, self.folder)

    def _notice(self, text: str) -> None:
        self.notices = (text,)

    def _sweep(self) -> None:
        """Make our folder, and remove those of demos that were killed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for other in self._root.iterdir():
            if other.name.isdigit() and not _alive(int(other.name)):
                _remove(other)


def _remove(folder: Path) -> None:
    """Remove what a demo wrote, and its database where root's is kept elsewhere."""
    marker = folder / _ELSEWHERE
    if marker.exists():
        shutil.rmtree(marker.read_text(encoding="utf-8"), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
