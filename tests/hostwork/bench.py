"""The operations over real sessions, with the audit in memory, and small programs that play a host's own."""

from __future__ import annotations

from pathlib import Path

from core.config import RetentionSettings
from core.events import EventBus
from core.models import Outcome, Plan, PlanRequest
from core.operations import Gate, Operations
from core.ports import HostReach
from tests.hostwork.conftest import play
from tests.operations.fakes import TIMESCALE, FakeAudit, FakeKeeper, HandClock


class Bench:
    """Plans and applies as the console does."""

    def __init__(self, bus: EventBus, reach: HostReach, *, read_only: bool = False) -> None:
        self.audit, clock = FakeAudit(), HandClock()
        self.gate = Gate(read_only=read_only, clock=clock)
        self.operations = Operations(
            FakeKeeper([]), self.audit, RetentionSettings(), bus, gate=self.gate,
            capability=lambda: TIMESCALE, clock=clock, reach=reach,
        )  # fmt: skip

    async def plan(self, action: str, hosts: str, **arguments: object) -> Plan:
        return await self.operations.plan(PlanRequest(action, {"hosts": hosts, **arguments}))

    async def apply(self, plan: Plan) -> Outcome:
        return await self.operations.apply(plan, plan.confirm, "tester")


def play_unit(tools: Path, state: str = "failed", after: str = "active") -> Path:
    """Play a systemd with one unit; returns the file that tells how it stands."""
    file = tools.parent / "unit-state"
    file.write_text(state)
    play(
        tools,
        "systemctl",
        f'case "$1" in show) echo Id=x; echo LoadState=loaded; echo ActiveState=$(cat {file}); echo SubState=sub; '
        f'echo Result=exit-code; echo MainPID=7;; --no-ask-password) echo {after} > {file}; echo "$@" >> {file}.log;; '
        "*) exit 97;; esac",
    )
    return file
