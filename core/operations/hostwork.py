"""Actions on hosts as the operations meet them: which they are, their plan, their run, and what the audit keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from core.exceptions import ValidationError
from core.models import Capability, HostResult, Outcome, PlanRequest
from core.operations import hostfiles
from core.operations.catalog import HOST_ACTIONS
from core.operations.hostplan import HostPlanned, plan_hosts
from core.operations.hostrun import run_steps
from core.operations.planning import Planned
from core.ports import HostReach

_NAMES = frozenset(action.name for action in HOST_ACTIONS)
_AUDIT_OUTPUT = 1000  # characters of a host's output that its audit row keeps
OnProgress = Callable[[int, int, str], None]


class Run(Protocol):
    """What has become of each target so far."""

    done: list[str]
    failed: list[tuple[str, str]]
    left: list[str]
    results: list[HostResult]


def is_ours(request: PlanRequest) -> bool:
    """Whether the action is one on hosts."""
    return request.action in _NAMES


async def plan(request: PlanRequest, reach: HostReach | None, capability: Capability | None) -> HostPlanned:
    """Return the plan; raises where hosts cannot be reached from here, or the request names what is not there."""
    if reach is None:
        raise ValidationError("hosts cannot be acted on from here: the console does it")
    if request.action.startswith("file."):
        return await hostfiles.plan_copy(request, reach, capability)
    return await plan_hosts(request, reach, capability)


async def run(planned: Planned, reach: HostReach, run: Run, on_progress: OnProgress) -> None:
    """Carry the plan out; each host's result goes into ``run`` as it comes."""
    assert isinstance(planned, HostPlanned)
    total = len(run.left)
    begun: dict[str, None] = {}  # under way

    def begin(name: str) -> None:
        begun[name] = None
        on_progress(total - len(run.left), total, name)

    def book(result: HostResult) -> None:
        begun.pop(result.host, None)
        run.left.remove(result.host)
        run.results.append(result)
        if result.ok:
            run.done.append(result.host)
        else:
            run.failed.append((result.host, result.note))
        on_progress(total - len(run.left), total, result.host)

    if planned.plan.request.action.startswith("file."):
        book(await hostfiles.copy(planned, reach, lambda share, words: on_progress(share, 100, words)))
        return
    try:
        await run_steps(planned.steps, reach, book, begin, at_once=planned.at_once)
    except BaseException:  # cut off: of what was under way nobody may say that it was not done
        for name in begun:
            run.left.remove(name)
            run.failed.append((name, "cut off while it ran: what it did is not known"))
        raise


def for_audit(outcome: Outcome) -> Outcome:
    """Return the outcome with the hosts' outputs cut to what a row should hold."""
    if not outcome.results:
        return outcome
    kept = tuple(
        replace(each, output=each.output[:_AUDIT_OUTPUT], errors=each.errors[:_AUDIT_OUTPUT])
        for each in outcome.results
    )
    return replace(outcome, results=kept)
