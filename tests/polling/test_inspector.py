"""The inspector against a scripted session at its port: order, limits, hangs, refusals, and what is told and stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.collectors.catalog import services_of
from core.events import EventBus, FindingChanged
from core.exceptions import InfrastructureException, SSHCommandError, SSHConnectionError, SSHTimeoutError
from core.live_state import LiveState
from core.models import (
    Finding,
    Host,
    HostFinding,
    ItemSample,
    Level,
    Reason,
    SectionStatus,
    Transition,
    UnitUse,
    WriterStats,
)
from core.polling.assess import Limits
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.figures import Tally, total
from core.polling.inspector import Inspection
from core.polling.pace import Pace
from core.polling.sudo import refusal
from core.polling.supervisor import PollingSupervisor
from core.ports import CommandResult, FrameHandler

HANG = "hang"
WEB = Host("web")
Answer = CommandResult | InfrastructureException | str


class Clock:
    """Time that a test moves on; waits are the loop's own."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@dataclass(frozen=True)
class Ask:
    """A collector whose answer is its exit code: 0 fine, 1 a warning, 2 an error."""

    name: str
    interval_s: float = 3600.0
    timeout_s: float = 1.0
    max_output: int = 1 << 20
    wants_root: bool = False

    def command(self, *, root: bool = False) -> tuple[str, ...]:
        return ("sudo", "-n", "ask", self.name) if root else ("ask", self.name)

    def read(self, result: CommandResult) -> Finding:
        levels: tuple[Level, ...] = ("info", "warning", "error")
        level = levels[result.exit_code or 0]
        return Finding(self.name, SectionStatus.OK, (result.stdout,), level, level)


class Stream:
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def wait_closed(self) -> None:
        await self.closed.wait()

    def set_interval(self, seconds: float) -> None: ...

    async def close(self) -> None:
        self.closed.set()


class Session:
    """Answers each command by its last word; counts how many run at once."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers, self.asked = answers, list[tuple[str, ...]]()
        self.running = self.most = 0
        self.closed = False

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> Stream:
        return Stream()

    async def run(self, argv: Sequence[str], *, timeout_s: float = 10.0, max_output: int = 1 << 20) -> CommandResult:
        self.asked.append(tuple(argv))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            answer = self.answers.get(argv[-1], CommandResult(0, "", ""))
            if answer == HANG:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        if isinstance(answer, CommandResult):
            return answer
        assert isinstance(answer, InfrastructureException)
        raise answer

    async def close(self) -> None:
        self.closed = True

    def times(self, name: str) -> int:
        return sum(argv[-1] == name for argv in self.asked)


class Sink:
    def __init__(self) -> None:
        self.findings: list[HostFinding] = []
        self.items: list[ItemSample] = []

    def put(self, sample: Any) -> None: ...
    def put_transition(self, transition: Transition) -> None: ...

    def put_finding(self, finding: HostFinding) -> None:
        self.findings.append(finding)

    def put_items(self, sample: ItemSample) -> None:
        self.items.append(sample)

    def stats(self) -> WriterStats:
        return WriterStats()


class Rig:
    def __init__(self, sessions: dict[str, Session], collectors: Sequence[Any], hosts: list[Host], **pace: Any) -> None:
        self.sessions, self.sink, self.bus, self.clock = sessions, Sink(), EventBus(), Clock()
        self.live = LiveState(self.clock)
        self.live.set_hosts(hosts)
        self.events: list[FindingChanged] = []
        self.bus.subscribe(FindingChanged, self.events.append)
        self.pace = Pace(self.clock, **{"per_s": 10_000.0, "at_once": 8, **pace})
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=self,
                assembler=lambda host: None,  # type: ignore[arg-type,return-value]
                sink=self.sink,
                live=self.live,
                bus=self.bus,
                clock=self.clock,
                reason_of=lambda error: Reason.PORT,
                limits=Limits(90, 95, 90),
                backoff=Backoff(60, 60),
                interval_s=3600.0,
                inspection=Inspection(lambda host: collectors, self.pace, lambda: 0.0),
            )
        )
        self.supervisor.set_hosts(hosts)

    async def connect(self, host: Host) -> Session:
        return self.sessions[host.name]

    def finding(self, kind: str, host: str = "web") -> Finding | None:
        view = next(each for each in self.live.current().hosts if each.host.name == host)
        return view.findings[kind].finding if kind in view.findings else None

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.002)

    def again(self, host: str = "web") -> None:
        """As pressing r on the host: everything runs once more."""
        self.clock.ahead += 1.0
        self.supervisor.wake(host)


@asynccontextmanager
async def rig(
    answers: dict[str, Answer],
    *collectors: Any,
    host: Host = WEB,
    **pace: Any,
) -> AsyncIterator[tuple[Rig, Session]]:
    session = Session(answers)
    it = Rig({host.name: session}, collectors, [host], **pace)
    async with it.bus:
        it.supervisor.start()
        try:
            yield it, session
        finally:
            await it.supervisor.stop()
    assert session.closed and session.running == 0


def result(exit_code: int = 0, stdout: str = "", stderr: str = "") -> CommandResult:
    return CommandResult(exit_code, stdout, stderr)


async def test_each_collector_runs_once_and_one_command_at_a_time() -> None:
    names = [f"c{number}" for number in range(8)]
    async with rig({}, *(Ask(name) for name in names)) as (it, session):
        await it.until(lambda: len(it.sink.findings) == 8)
        assert session.most == 1 and sorted(argv[-1] for argv in session.asked) == names
        assert it.live.current().hosts[0].findings.keys() == set(names)
        assert it.supervisor.figures().hosts["web"].commands == 8


async def test_a_change_is_told_once_and_stored_once() -> None:
    answers: dict[str, Answer] = {"services": result(0)}
    async with rig(answers, Ask("services")) as (it, session):
        await it.until(lambda: it.finding("services") is not None)
        for code in (0, 2, 2, 1, 2, 0, 2, 1, 1, 0, 0):
            answers["services"] = result(code)
            asked = session.times("services")
            it.again()
            await it.until(lambda asked=asked: session.times("services") > asked)  # type: ignore[misc]
            await it.until(lambda: session.running == 0)
            level = ("info", "warning", "error")[code]
            await it.until(lambda level=level: getattr(it.finding("services"), "severity", "") == level)  # type: ignore[misc]
        await it.until(lambda: len(it.events) == 3)  # what looks better for one run alone is no change
        assert [event.level for event in it.events] == ["error", "warning", "info"]
        assert [found.finding.severity for found in it.sink.findings] == ["info", "error", "warning", "info"]
        assert it.events[0].summary() == "web: services ERROR (error)" and it.events[0].correlation_id


async def test_the_first_finding_is_told_where_it_is_bad_alone() -> None:
    async with rig({"drives": result(2)}, Ask("drives"), Ask("zfs")) as (it, _):
        await it.until(lambda: len(it.sink.findings) == 2)
        await it.until(lambda: len(it.events) == 1)
        assert it.events[0].kind == "drives"


async def test_a_value_that_only_moves_is_stored_now_and_then() -> None:
    answers: dict[str, Answer] = {"processes": result(0, "0")}
    async with rig(answers, Ask("processes")) as (it, session):
        await it.until(lambda: len(it.sink.findings) == 1)

        async def once_more(stdout: str, later_s: float) -> None:
            answers["processes"] = result(0, stdout)
            it.clock.ahead += later_s
            it.again()
            await it.until(lambda: (f := it.finding("processes")) is not None and f.value == (stdout,))
            await it.until(lambda: it.live.current().hosts[0].findings["processes"].ts > it.clock.now() - timedelta(1))

        await once_more("1", 60)
        assert len(it.sink.findings) == 1  # shown, and not yet stored
        await once_more("2", 600)
        assert [found.finding.value for found in it.sink.findings] == [("0",), ("2",)]
        asked = len(session.asked)
        await once_more("2", 3600)
        await it.until(lambda: len(session.asked) > asked)
        assert len(it.sink.findings) == 2  # the same: not yet
        it.clock.ahead += 6 * 3600
        it.again()
        await it.until(lambda: len(it.sink.findings) == 3)  # restated for those who read


def unit(cpu_ns: int, memory: int, tasks: int = 3) -> CommandResult:
    told = f"MemoryCurrent={memory}\nTasksCurrent={tasks}\nCPUUsageNSec={cpu_ns}\nNRestarts=0\n"
    return result(0, f"@jw systemd\nId=web.service\nLoadState=loaded\nActiveState=active\n{told}\n@jw end\n")


async def test_each_look_stores_what_was_used_and_cpu_is_the_share_since_the_look_before() -> None:
    answers: dict[str, Answer] = {"web.service": unit(10**9, 100)}
    async with rig(answers, services_of(("web",))) as (it, _):
        await it.until(lambda: len(it.sink.items) == 1)

        async def once_more(answer: CommandResult, looks: int) -> None:
            answers["web.service"] = answer
            it.clock.ahead += 99
            it.again()
            await it.until(lambda: len(it.sink.items) == looks)

        await once_more(unit(51 * 10**9, 200), 2)  # 50 s of CPU in 100 s
        await once_more(unit(10**9, 0, 0), 3)  # it was started anew
        await once_more(unit(10**9, 0, 0), 4)
        assert len(it.sink.findings) == 1  # itself it is no news
        uses = [each.units[0] for each in it.sink.items]
        assert uses[1].cpu_pct == pytest.approx(50, rel=0.02)
        assert [replace(use, cpu_pct=None) for use in uses] == [
            UnitUse("web.service", None, memory, tasks, 0) for memory, tasks in ((100, 3), (200, 3), (0, 0), (0, 0))
        ]
        assert [use.cpu_pct for use in uses][::2] == [None, None] and uses[3].cpu_pct == 0
        past = it.live.current().hosts[0].items["unit", "web.service"]
        assert past.mem == (100, 200, 0, 0) and past.cpu[2] is None


async def test_a_hung_command_costs_its_own_collector_alone() -> None:
    hung = SSHTimeoutError("web: 'ask' took longer than 1 s", timeout_seconds=1.0, hostname="web")
    async with rig({"a": hung}, Ask("a", interval_s=0.02), Ask("b", interval_s=0.02)) as (it, session):
        await it.until(lambda: session.times("b") >= 8)
        finding = it.finding("a")
        assert finding is not None and finding.status is SectionStatus.TIMEOUT and finding.value is None
        assert "no answer within 1 s" in finding.detail
        assert session.times("a") < session.times("b")  # it is asked ever more seldom
        assert it.supervisor.figures().total.timeouts == session.times("a")
        session.answers["a"] = result(0)
        it.again()
        await it.until(lambda: (f := it.finding("a")) is not None and f.status is SectionStatus.OK)


async def test_an_unanswered_command_ends_with_the_connection() -> None:
    async with rig({"a": HANG}, Ask("a")) as (it, session):
        await it.until(lambda: session.running == 1)
        await it.supervisor.stop()
        assert session.running == 0 and session.closed


async def test_no_channel_is_forbidden_and_a_lost_connection_is_no_finding() -> None:
    refused = SSHCommandError("web: logged in, but no command may be run (open failed)", hostname="web")
    lost = SSHConnectionError("web: the connection was lost", hostname="web")
    async with rig({"a": refused, "b": lost}, Ask("a"), Ask("b"), Ask("c")) as (it, session):
        await it.until(lambda: len(session.asked) == 3 and it.finding("c") is not None)
        await it.until(lambda: it.finding("a") is not None)
        finding = it.finding("a")
        assert finding is not None and finding.status is SectionStatus.FORBIDDEN and "no command" in finding.detail
        assert it.finding("b") is None


async def test_a_key_for_the_loop_alone_is_forbidden_and_asked_ever_more_seldom() -> None:
    answer = result(126, "", "this key may only run the Jumpwatch loop\n")
    async with rig({"a": answer}, Ask("a", interval_s=0.02), Ask("b", interval_s=0.02)) as (it, session):
        await it.until(lambda: session.times("b") >= 8)
        finding = it.finding("a")
        assert finding is not None and finding.status is SectionStatus.FORBIDDEN
        assert "collectors = []" in finding.detail and session.times("a") < session.times("b")


async def test_a_pause_on_a_kept_connection_begins_no_command() -> None:
    async with rig({}, Ask("a", interval_s=0.01)) as (it, session):
        await it.until(lambda: len(session.asked) > 2)
        await it.supervisor.set_paused(True)
        await it.until(lambda: session.running == 0 and it.pace.waiting == 0)
        await asyncio.sleep(0.02)  # one that had its turn already may still come
        asked = len(session.asked)
        await asyncio.sleep(0.1)
        assert len(session.asked) <= asked + 1
        await it.supervisor.set_paused(False)
        await it.until(lambda: len(session.asked) > asked + 2)


async def test_over_all_hosts_no_more_run_at_once_than_the_limit_says() -> None:
    running = most = 0
    gate = asyncio.Event()

    class Counted(Session):
        async def run(self, argv: Sequence[str], **limits: Any) -> CommandResult:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
            return result(0)

    hosts = [Host(f"h{number}") for number in range(20)]
    it = Rig({host.name: Counted({}) for host in hosts}, [Ask("a")], hosts, at_once=3)
    async with it.bus:
        it.supervisor.start()
        await it.until(lambda: running == 3 and it.pace.waiting == 17)
        assert it.supervisor.figures().waiting == 17
        gate.set()
        await it.until(lambda: len(it.sink.findings) == 20)
        await it.supervisor.stop()
    assert most == 3 and it.pace.waiting == 0


async def test_turns_come_evenly_and_one_who_leaves_takes_nothing_along() -> None:
    pace = Pace(clock := Clock(), per_s=200.0, at_once=1)
    began, taken = clock.monotonic(), list[float]()

    async def take() -> None:
        async with pace.turn():
            taken.append(clock.monotonic() - began)

    leaver = asyncio.create_task(take())
    others = [asyncio.create_task(take()) for _ in range(5)]
    await asyncio.sleep(0)
    leaver.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(*others)
    assert taken == sorted(taken) and taken[-1] >= 5 / 200.0 - 1e-3 and pace.waiting == 0


async def test_sudo_stands_before_the_argv_where_the_host_asks_for_it() -> None:
    host = Host("web", sudo=("drives", "ports"))
    async with rig({}, Ask("drives", wants_root=True), Ask("zfs", wants_root=True), host=host) as (it, session):
        await it.until(lambda: len(it.sink.findings) == 2)
        assert sorted(session.asked) == [("ask", "zfs"), ("sudo", "-n", "ask", "drives")]
    async with rig({}, Ask("drives", wants_root=True), Ask("zfs"), host=replace(host, sudo=("all",))) as (it, session):
        await it.until(lambda: len(it.sink.findings) == 2)
        assert sorted(session.asked) == [("ask", "zfs"), ("sudo", "-n", "ask", "drives")]


@pytest.mark.parametrize(
    ("stderr", "exit_code", "words"),
    [
        ("sudo: a password is required\n", 1, "asks for a password"),
        ("sudo: a terminal is required to read the password; either use the -S option\n", 1, "asks for a password"),
        ("sudo: interactive authentication is required\n", 1, "asks for a password"),
        ("sudo: sorry, you must have a tty to run sudo\n", 1, "wants a terminal"),
        ("demo is not in the sudoers file.\n", 1, "not in the sudoers file"),
        ("Sorry, user demo may not run sudo on web.\n", 1, "may not use sudo"),
        ("Sorry, user demo is not allowed to execute '/bin/sh -c x' as root on web.\n", 1, "does not allow"),
        ("sh: 1: sudo: not found\n", 127, "not installed"),
        ("bash: line 1: sudo: command not found\n", 127, "not installed"),
    ],
)
async def test_what_sudo_refuses_is_forbidden_and_says_the_way_out(stderr: str, exit_code: int, words: str) -> None:
    host = Host("web", sudo=("drives",))
    async with rig({"drives": result(exit_code, "", stderr)}, Ask("drives", wants_root=True), host=host) as (it, _):
        await it.until(lambda: it.finding("drives") is not None)
        finding = it.finding("drives")
        assert finding is not None and finding.status is SectionStatus.FORBIDDEN and finding.value is None
        assert words in finding.detail and "NOPASSWD" in finding.detail


def test_a_failure_of_the_command_itself_is_not_sudos() -> None:
    for stderr in ("", "smartctl: a password is required\n", "/usr/sbin/zpool: not found\n"):
        assert refusal("drives", result(1, "", stderr)) is None
    assert refusal("drives", result(0, "", "sudo: unable to resolve host web\n")) is None


async def test_findings_of_collectors_that_run_no_more_are_gone() -> None:
    async with rig({}, Ask("a")) as (it, _):
        it.live.apply_finding(HostFinding("web", it.clock.now(), Finding("old", SectionStatus.OK)))
        await it.until(lambda: it.finding("a") is not None)
        await it.supervisor.stop()
        it.live.apply_finding(HostFinding("web", it.clock.now(), Finding("old", SectionStatus.OK)))
        it.supervisor.start()
        await it.until(lambda: it.finding("old") is None)
        assert it.finding("a") is not None


async def test_a_foreign_reader_that_hangs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.polling.inspector._READ_S", 0.01)
    stop = threading.Event()

    @dataclass(frozen=True)
    class Foreign(Ask):
        foreign: bool = True

        def read(self, result: CommandResult) -> Finding:
            stop.wait(60)
            return Finding(self.name, SectionStatus.OK)

    try:
        async with rig({}, Foreign("own"), Ask("b")) as (it, _):
            await it.until(lambda: it.finding("own") is not None and it.finding("b") is not None)
            finding = it.finding("own")
            assert finding is not None and finding.status is SectionStatus.BROKEN and "took longer" in finding.detail
    finally:
        stop.set()


async def test_a_readers_defect_ends_the_inspection_and_not_the_polling() -> None:
    class Broken(Ask):
        def read(self, result: CommandResult) -> Finding:
            raise KeyError("a defect")

    async with rig({}, Broken("a")) as (it, session):
        await it.until(lambda: len(session.asked) == 1)
        await asyncio.sleep(0.01)
        assert not session.closed and it.finding("a") is None


def test_totals_are_sums_and_an_unknown_lag_is_no_zero() -> None:
    assert total({}).lag_s is None and total({"a": Tally()}).connect_s is None
    one, two = Tally(), Tally()
    one.connected(0.5)
    one.late(0.25)
    one.late(0.125)
    one.ran(2.0, 100)
    one.failures["timeout"] += 2
    two.connected(1.5)
    two.ran(4.0, 50)
    two.failures["port"] += 1
    figures = total({"one": one, "two": two})
    assert (figures.lag_s, figures.lag_max_s, figures.connects, figures.connect_s) == (0.125, 0.25, 2, 1.0)
    assert (figures.commands, figures.command_s, figures.bytes) == (2, 3.0, 150)
    assert figures.failures == {"timeout": 2, "port": 1}
