"""Plans of the server's upkeep: jobs, policies, tables, rollups, sessions and single chunks; one table of them all."""

from __future__ import annotations

from dataclasses import replace

from core.models import Capability, PlanRequest
from core.operations import catalog, chunk_plans, job_plans, policy_plans, session_plans, table_plans
from core.operations.planning import Planned
from core.operations.steps import Around, Maker, made
from core.operations.steps import confirm_of as _confirm_of

__all__ = ["PLANS", "Around", "plan_upkeep"]

PLANS: dict[str, Maker] = {
    **chunk_plans.PLANS,
    **job_plans.PLANS,
    **policy_plans.PLANS,
    **session_plans.PLANS,
    **table_plans.PLANS,
}


async def plan_upkeep(request: PlanRequest, around: Around, capability: Capability | None) -> Planned:
    """Return the plan of a request; ``refused`` says why it could not be applied.

    Raises Validation- and ResourceNotFoundError.
    """
    action = catalog.action_of(request)
    refused = catalog.why_not(action, capability)
    if capability is None or (refused and (action.needs_timescale or action.needs_compression)):
        return made(action, request, (), _confirm_of(request), "nothing would be done", refused=refused)
    planned = await PLANS[action.name](action, request, around, capability)
    return replace(planned, plan=replace(planned.plan, refused=refused)) if refused else planned
