"""What the plans of the server's upkeep are made of: targets, each with its statement, its state and its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.config import RetentionSettings
from core.models import Capability, Plan, PlanRequest, PlanTarget
from core.operations import catalog
from core.operations.catalog import Action
from core.operations.planning import Planned, Work
from core.ports import ChunkKeeper, Tell, UpkeepKeeper


@dataclass(frozen=True, slots=True)
class Around:
    """What a plan is made from: storage, the server, the policies in force, the moment."""

    keeper: ChunkKeeper
    server: UpkeepKeeper
    retention: RetentionSettings
    now: datetime


Maker = Callable[[Action, PlanRequest, Around, Capability], Awaitable[Planned]]


@dataclass(frozen=True, slots=True)
class Step:
    """One target: its statement, what must not change of it until it is run, and how it is run."""

    target: PlanTarget
    statement: str
    state: str
    work: Work


def made(
    action: Action,
    request: PlanRequest,
    steps: Sequence[Step],
    confirm: str,
    summary: str,
    *,
    warnings: Sequence[str] = (),
    refused: str = "",
    destructive: bool | None = None,
    all_or_nothing: bool = False,
) -> Planned:
    """Return the plan over these steps; ``destructive`` None: as the catalog says."""
    states = tuple((step.target.name, step.state) for step in steps)
    plan = Plan(
        request=request,
        title=action.title,
        targets=tuple(step.target for step in steps),
        statements=tuple(step.statement for step in steps),
        confirm=confirm,
        destructive=action.destructive if destructive is None else destructive,
        summary=summary,
        hash=catalog.plan_hash(request, states),
        warnings=tuple(warnings),
        refused=refused,
    )
    work = tuple((step.target.name, step.work) for step in steps)
    return Planned(plan, states=states, work=work, all_or_nothing=all_or_nothing)


def running(around: Around, statement: str, operation: str) -> Work:
    """Return the work that runs a statement exactly as the plan shows it, outside a transaction."""

    async def work(tell: Tell) -> None:
        await around.server.run(statement, operation, tell)

    return work


def asking(around: Around, statement: str, operation: str) -> Work:
    """Return the work that runs a statement exactly as the plan shows it, in a transaction of its own."""

    async def work(_: Tell) -> None:
        await around.server.ask(statement, operation)

    return work


def confirm_of(request: PlanRequest) -> str:
    """Return what would have to be typed where the target cannot be read."""
    return catalog.short_name(str(next(iter(request.arguments.values()), None) or request.action))


def length(seconds: float | timedelta | None) -> str:
    """Return a length of time in words: "14 days", "36 hours", "90 s"."""
    if seconds is None:
        return "not set"
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if value >= unit and value % unit == 0:
            count = value / unit
            return f"{count:.0f} {name}" + ("" if count == 1 else "s")
    return f"{value:g} s"


def moment(at: datetime | None) -> str:
    """Return a moment to the minute; "never" for None."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
