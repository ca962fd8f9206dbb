"""The slow collectors of one host: each due command in its turn over the connection that is up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from core.events import FindingChanged
from core.exceptions import InfrastructureException, SSHCommandError, SSHTimeoutError
from core.models import Finding, Host, HostFinding, Level, SectionStatus, figures_in
from core.polling.apart import apart
from core.polling.figures import Tally
from core.polling.pace import Pace
from core.polling.sudo import ALL, refusal
from core.polling.unit_cpu import UnitCpu
from core.ports import CommandResult, HostSession

if TYPE_CHECKING:
    from core.polling.context import PollingContext

log = structlog.get_logger("core.polling")

_LARGE = 32 * 1024  # characters: parsed in a thread, so that the loop's other tasks get their turn
_READ_S = 10.0
_BACKOFF_MOST_S = 3600.0
_LOOP_ALONE = "this key may only run the Jumpwatch loop"  # what a forced command of ours says
_END_WAIT_S = 5.0
_SOON_S = 3.0  # the first commands of a small fleet
_VALUE_EVERY_S = 600.0  # a value that changed and tells nothing new is stored no more often
_RANK = {"info": 0, "warning": 1, "error": 2}
_RESTATE_S = 6 * 3600.0  # what stays the same is stored again, so that readers find it within a day


class Collector(Protocol):
    """One kind of finding: a command and the reader of its answer, which never raises."""

    @property
    def name(self) -> str: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def max_output(self) -> int: ...
    @property
    def wants_root(self) -> bool: ...
    def command(self, *, root: bool = False) -> tuple[str, ...]: ...
    def read(self, result: CommandResult) -> Finding: ...


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the inspectors of all hosts share: which collectors a host has, and the turns."""

    collectors: Callable[[Host], Sequence[Collector]]
    pace: Pace
    spread_s: Callable[[], float] = lambda: _SOON_S  # the first runs lie within so many seconds


class Inspector:
    """Runs one command at a time; what hangs or fails costs its own collector alone. Outlives connections."""

    def __init__(self, host: Host, context: PollingContext, tally: Tally) -> None:
        self._host, self._context, self._tally = host, context, tally
        self._inspection = context.inspection
        self._collectors: tuple[Collector, ...] = tuple(self._inspection.collectors(host)) if self._inspection else ()
        self._due: dict[str, float] = {}
        self._hung: dict[str, int] = {}  # times in a row without an answer
        self._stored: dict[str, tuple[float, HostFinding]] = {}
        self._told: dict[str, tuple[SectionStatus, Level]] = {}
        self._doubted: set[str] = set()  # kinds that look better since their last run
        self._units = UnitCpu()
        self._wake = asyncio.Event()
        self._paused = False

    @asynccontextmanager
    async def over(self, session: HostSession, correlation_id: str) -> AsyncIterator[None]:
        """Inspect the host by this connection while the block runs."""
        if self._inspection is None:
            yield
            return
        task = asyncio.create_task(self._run(session, correlation_id, self._inspection), name=f"in:{self._host.name}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=_END_WAIT_S)

    def wake(self) -> None:
        """Run every collector as soon as its turn comes."""
        self._due.clear()
        self._hung.clear()
        self._wake.set()

    def renew(self) -> None:
        """Take the collectors anew: which there are, or what they do, has changed."""
        if self._inspection is not None:
            self._collectors = tuple(self._inspection.collectors(self._host))
            self._plan(self._inspection)
            self._wake.set()

    def set_paused(self, paused: bool) -> None:
        """Begin no command while paused, on a connection that is kept; resuming looks what is due."""
        self._paused = paused
        self._wake.set()

    async def _run(self, session: HostSession, correlation_id: str, inspection: Inspection) -> None:
        self._plan(inspection)
        try:
            while True:
                await self._wait()
                async with inspection.pace.turn():
                    if self._collectors:  # else they were taken away while it waited for its turn
                        await self._inspect(session, self._most_overdue(), correlation_id)
        except Exception:  # a defect of ours ends the inspection of this connection, not its polling
            log.exception("inspection ended", host=self._host.name, correlation_id=correlation_id)

    def _plan(self, inspection: Inspection) -> None:
        """Give what is new its first time, and forget what is gone."""
        names = {collector.name for collector in self._collectors}
        self._context.live.keep_findings(self._host.name, names)
        self._due = {name: due for name, due in self._due.items() if name in names}
        spread = inspection.spread_s()
        now = self._context.clock.monotonic()
        for collector in self._collectors:
            first = now + random.random() * min(spread, collector.interval_s)  # noqa: S311 - jitter, not a secret
            self._due.setdefault(collector.name, first)

    def _most_overdue(self) -> Collector:
        """The collector that waits the longest, measured by its own interval."""
        now = self._context.clock.monotonic()
        return max(self._collectors, key=lambda each: (now - self._due.get(each.name, 0.0)) / each.interval_s)

    async def _wait(self) -> None:
        """Return when a collector is due."""
        while True:
            self._wake.clear()
            due = min((self._due.get(collector.name, 0.0) for collector in self._collectors), default=None)
            wait = None if self._paused or due is None else due - self._context.clock.monotonic()
            if wait is not None and wait <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _inspect(self, session: HostSession, collector: Collector, correlation_id: str) -> None:
        clock, name = self._context.clock, collector.name
        began = clock.monotonic()
        finding, factor = None, 1.0
        try:
            finding = await self._ask(session, collector)
            self._hung.pop(name, None)
        except SSHTimeoutError:
            self._tally.timeouts += 1
            factor = self._backoff(name)
            text = f"no answer within {collector.timeout_s:g} s: the command hangs, or the host is slow"
            finding = Finding(name, SectionStatus.TIMEOUT, None, text, "warning")
        except SSHCommandError as exc:  # the host opens no channel for it (MaxSessions, a forced command)
            factor = self._backoff(name)
            finding = Finding(name, SectionStatus.FORBIDDEN, None, exc.message, "warning")
        except InfrastructureException as exc:  # the connection goes: the stream's own end tells it
            factor = self._backoff(name)
            log.info("not inspected", host=self._host.name, collector=name, error=exc.message)
        now = clock.monotonic()
        pause = min(collector.interval_s * factor, max(collector.interval_s, _BACKOFF_MOST_S))
        self._due[name] = now + pause * random.uniform(0.95, 1.05)  # noqa: S311 - jitter, not a secret
        if finding is not None and collector in self._collectors:
            finding = self._units.told(finding, now)
            self._take(HostFinding(self._host.name, clock.now(), finding, now - began), correlation_id)

    def _backoff(self, name: str) -> float:
        self._hung[name] = times = self._hung.get(name, 0) + 1
        return float(2 ** min(times, 16))

    async def _ask(self, session: HostSession, collector: Collector) -> Finding:
        root = collector.wants_root and (collector.name in self._host.sudo or ALL in self._host.sudo)
        argv = collector.command(root=root)
        began = self._context.clock.monotonic()
        try:
            result = await session.run(argv, timeout_s=collector.timeout_s, max_output=collector.max_output)
        except SSHTimeoutError:
            self._tally.ran(self._context.clock.monotonic() - began, 0)
            raise
        size = len(result.stdout) + len(result.stderr)
        self._tally.ran(self._context.clock.monotonic() - began, size)
        if result.exit_code == 126 and _LOOP_ALONE in result.stderr:
            raise SSHCommandError(f"{_LOOP_ALONE}: allow another key, or set collectors = [] for this host")
        if root and (refused := refusal(collector.name, result)):
            return refused
        if size <= _LARGE and not getattr(collector, "foreign", False):
            return collector.read(result)
        try:
            return await apart(lambda: collector.read(result), _READ_S)
        except TimeoutError:
            text = f"its reader took longer than {_READ_S:g} s over {size} characters"
            return Finding(collector.name, SectionStatus.BROKEN, None, text)

    def _take(self, found: HostFinding, correlation_id: str) -> None:
        """Show it, store its figures, itself where it is news, and tell a change of status or severity once."""
        context, finding = self._context, found.finding
        before = context.live.apply_finding(found)
        known = self._told.get(found.kind) or (before.told if before else None)
        changed = self._is_change(found, known)
        if changed or self._is_stale(found):
            self._stored[found.kind] = (context.clock.monotonic(), found)
            context.sink.put_finding(found)
        if (figures := figures_in(found)) is not None:
            context.sink.put_items(figures)
        # The first one is no change: it is told where it is an error, else a fleet would fill the events at the start.
        if not changed or (known is None and finding.severity != "error"):
            return
        context.bus.emit_nowait(
            FindingChanged(
                source="inspector",
                correlation_id=correlation_id,
                host=found.host,
                kind=found.kind,
                status=finding.status,
                level=finding.severity,
                detail=finding.detail[:500],
            )
        )

    def _is_change(self, found: HostFinding, known: tuple[SectionStatus, Level] | None) -> bool:
        """What is worse counts at once, what is better when it is seen twice: a restart loop is up now and then."""
        kind, rank = found.kind, _RANK[found.finding.severity]
        better = known is not None and rank < _RANK[known[1]]
        if found.told == known or (better and kind not in self._doubted):
            (self._doubted.add if better else self._doubted.discard)(kind)
            if known is not None:
                self._told[kind] = known
            return False
        self._doubted.discard(kind)
        self._told[kind] = found.told
        return True

    def _is_stale(self, found: HostFinding) -> bool:
        """What is stored is old enough to be stored anew."""
        if (stored := self._stored.get(found.kind)) is None:
            return True
        age = self._context.clock.monotonic() - stored[0]
        return age >= (_RESTATE_S if stored[1].finding == found.finding else _VALUE_EVERY_S)
