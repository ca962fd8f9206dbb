"""The supervisor: owns one poller a host, as long as this process is the database's poller."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from core.models import Host, PollingView
from core.polling.context import PollingContext
from core.polling.figures import Tally, total
from core.polling.poller import HostPoller

log = structlog.get_logger("core.polling")


class PollingSupervisor:
    """Runs the pollers of an inventory; hosts come and go, polling pauses and resumes, without a restart."""

    def __init__(self, context: PollingContext) -> None:
        self._context = context
        self._hosts: dict[str, Host] = {}
        self._pollers: dict[str, HostPoller] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._intervals: dict[str, float] = {}
        self._tallies: dict[str, Tally] = {}
        self._active = False
        self.paused = False

    @property
    def active(self) -> bool:
        """Between start and stop."""
        return self._active

    def set_hosts(self, hosts: Iterable[Host]) -> None:
        """Take the inventory: new hosts are polled at once, changed ones anew, removed ones no more."""
        wanted = {h.name: h for h in hosts}
        for name in [n for n, h in self._hosts.items() if wanted.get(n) != h]:
            self._cancel(name)
        self._hosts = wanted
        self._tallies = {name: tally for name, tally in self._tallies.items() if name in wanted}
        if self._active:
            self._launch()

    def start(self) -> None:
        """Begin polling; a second start does nothing."""
        self._active = True
        self._launch()

    async def stop(self, deadline_s: float = 1.0) -> None:
        """End all pollers and wait for their connections to close, at most to the deadline."""
        self._active = False
        await self._end_all(deadline_s)

    async def set_paused(self, paused: bool) -> None:
        """Pause ends the loops, so that no host spends anything; connections stay a while for the return."""
        self.paused = paused
        for poller in self._pollers.values():
            poller.set_paused(paused)

    def wake(self, host: str | None = None) -> None:
        """Poll one host, or all, now; those that refuse the login only where they are meant by name."""
        for name, poller in self._pollers.items():
            if name == host or (host is None and not poller.refused):
                poller.wake()
            if host == name:  # not for all at once: that would be thousands of commands
                poller.inspect()

    def renew_collectors(self) -> None:
        """Take the slow collectors of every host anew: plugins or checks have changed."""
        for poller in self._pollers.values():
            poller.renew_collectors()

    def set_interval(self, host: str, seconds: float) -> None:
        """Change a host's interval until the program ends."""
        self._intervals[host] = seconds
        if poller := self._pollers.get(host):
            poller.set_interval(seconds)

    def interval(self, host: str) -> float | None:
        """The host's present interval in seconds, None where it is not polled."""
        poller = self._pollers.get(host)
        return poller.interval_s if poller else None

    def figures(self) -> PollingView:
        """Return what polling costs: in all, and host by host."""
        inspection = self._context.inspection
        hosts = {name: tally.figures() for name, tally in self._tallies.items()}
        return PollingView(total(self._tallies), hosts, inspection.pace.waiting if inspection else 0)

    def _launch(self) -> None:
        for name, host in self._hosts.items():
            if name not in self._tasks:
                tally = self._tallies.setdefault(name, Tally())
                poller = HostPoller(host, self._context, interval_s=self._intervals.get(name), tally=tally)
                poller.set_paused(self.paused)
                self._pollers[name] = poller
                task = asyncio.create_task(poller.run(), name=f"poll:{name}")
                task.add_done_callback(lambda t, n=name: self._ended(n, t))  # type: ignore[misc]
                self._tasks[name] = task

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        """A poller ends only by being cancelled; anything else is our defect: logged, and tried again."""
        if self._tasks.get(name) is task:
            del self._tasks[name]
            self._pollers.pop(name, None)
        if task.cancelled():
            return
        log.error("poller ended unexpectedly", host=name, exc_info=task.exception())
        if self._active:
            asyncio.get_running_loop().call_later(5.0, self._relaunch)

    def _relaunch(self) -> None:
        if self._active:
            self._launch()

    def _cancel(self, name: str) -> None:
        self._pollers.pop(name, None)
        if task := self._tasks.pop(name, None):
            task.cancel()

    async def _end_all(self, deadline_s: float) -> None:
        tasks = list(self._tasks.values())
        for name in list(self._tasks):
            self._cancel(name)
        if tasks:
            await asyncio.wait(tasks, timeout=deadline_s)
