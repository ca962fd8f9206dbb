"""One id joins a key press, or a poll, to the log lines, events and audit rows that come of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.collectors.assemble import SampleAssembler
from core.collectors.loop import loop_calls
from core.config import ApplicationSettings, SSHSettings, load_settings
from core.events import ActionFinished, ActionStarted, BaseEvent, EventBus, HostPolled, HostStateChanged
from core.live_state import LiveState
from core.logging import configure_logging, shutdown_logging
from core.models import HostSample, HostState, PlanRequest, Transition, WriterStats
from core.operations import Gate, Operations
from core.polling.assess import Limits
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from core.storage.audit import StorageAudit
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from tests.parts import kept_logging
from tests.ssh.sshd import running


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[ApplicationSettings]:
    """Logs as the console has them."""
    settings = load_settings(env={"HOME": str(tmp_path)})
    with kept_logging():
        configure_logging(settings, to_stderr=False)
        yield settings


def lines_of(settings: ApplicationSettings, logger: str) -> list[dict[str, Any]]:
    shutdown_logging()
    lines = [json.loads(line) for line in settings.log_file.read_text().splitlines()]
    return [line for line in lines if line["logger"] == logger]


async def test_an_action_is_told_under_one_id_everywhere(database: Database, logged: ApplicationSettings) -> None:
    audit, events = StorageAudit(database), list[BaseEvent]()
    async with EventBus() as bus:
        bus.subscribe(BaseEvent, events.append, name="test")
        operations = Operations(
            StorageChunks(database), audit, database.retention, bus,
            gate=Gate(read_only=False), capability=lambda: database.capability,
        )  # fmt: skip
        ids = []
        for table in ("host_samples", "disk_samples"):  # two key presses
            plan = await operations.plan(PlanRequest("table.analyze", {"table": table}))
            assert (await operations.apply(plan, plan.confirm, "tester")).ok
            ids.append(plan.request.correlation_id)
    assert len(set(ids)) == 2
    assert [(type(e), e.correlation_id) for e in events] == [
        (kind, one) for one in ids for kind in (ActionStarted, ActionFinished)
    ]
    async with database.connect("look") as connection:
        rows = (await connection.execute(text("SELECT phase, correlation_id FROM audit ORDER BY ts, phase"))).all()
    assert sorted(map(tuple, rows)) == sorted((phase, one) for one in ids for phase in ("intent", "outcome"))
    assert {entry.correlation_id for entry in await audit.recent()} == set(ids)

    told = [(line["event"], line["correlation_id"]) for line in lines_of(logged, "core.operations")]
    assert told == [(event, one) for one in ids for event in ("action started", "action finished")]


class Sink:
    """Takes all and keeps nothing."""

    def put(self, sample: HostSample) -> None: ...
    def put_transition(self, transition: Transition) -> None: ...
    def stats(self) -> WriterStats:
        return WriterStats()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_poll_is_told_under_one_id_everywhere(tmp_path: Path, logged: ApplicationSettings) -> None:
    polled, changed = list[HostPolled](), list[HostStateChanged]()
    live = LiveState(SystemClock())
    with running(tmp_path / "sshd") as sshd:
        live.set_hosts([sshd.host()])
        factory = AsyncSSHFactory(
            SSHSettings(config_file=tmp_path / "none"), HostKeyReviews(sshd.known_hosts), loop_calls(1 << 18)
        )
        async with EventBus() as bus:
            bus.subscribe(HostPolled, polled.append)
            bus.subscribe(HostStateChanged, changed.append)
            supervisor = PollingSupervisor(
                PollingContext(
                    factory=factory, assembler=SampleAssembler, sink=Sink(), live=live, bus=bus, clock=SystemClock(),
                    reason_of=reason_of, limits=Limits(101, 101, 101), backoff=Backoff(0.05, 0.05), interval_s=0.2,
                )
            )  # fmt: skip
            supervisor.set_hosts([sshd.host()])
            supervisor.start()
            await until(lambda: len(polled) >= 2)
            sshd.drop_connections()
            await until(lambda: len(changed) >= 3)
            await until(lambda: changed[2].correlation_id in {one.correlation_id for one in polled})
            await supervisor.stop()
    came, went, back = [one.correlation_id or "" for one in changed[:3]]
    assert [one.new for one in changed[:3]] == [HostState.ONLINE, HostState.OFFLINE, HostState.ONLINE]
    # A frame's id is its connection's with a number; what ends a connection has the connection's own.
    assert came == f"{went}-1" == polled[0].correlation_id and polled[1].correlation_id == f"{went}-2"
    assert back.endswith("-1") and not back.startswith(went)
    assert back in {one.correlation_id for one in polled}
    told = [line["correlation_id"] for line in lines_of(logged, "core.polling") if line["event"] == "host state"]
    assert told[:3] == [came, went, back]
