"""Maintenance as an operation: planned over the inventory, gated and audited like every other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from core.exceptions import InfrastructureException, ResourceNotFoundError, ValidationError
from core.models import Capability, Host, Plan, PlanRequest, PlanTarget
from core.operations import catalog
from core.operations.planning import Planned
from core.ports import InventoryKeeper

ON = "maintenance.on"
OFF = "maintenance.off"


async def plan_maintenance(
    request: PlanRequest, inventory: InventoryKeeper | None, capability: Capability | None, now: datetime
) -> Planned:
    """Return the plan that puts hosts into maintenance or out of it; raises where a host is not there."""
    action = catalog.action_of(request)
    names = tuple(dict.fromkeys(str(request.arguments["hosts"]).split()))
    if inventory is None:
        raise ValidationError("there is no inventory here to write to: `jumpwatch hosts maintenance` does it")
    known = {host.name: host for host in await inventory.hosts()}
    if missing := [name for name in names if name not in known]:
        raise ResourceNotFoundError(f"no host {missing[0][:80]!r} in the inventory", operation=action.name)
    hosts = [known[name].at(now) for name in names]
    until, on = _until(request), action.name == ON
    refused = catalog.why_not(action, capability)
    if on and until is not None and until <= now:
        refused = refused or "its end has passed already: ask again"
    if not on and not any(host.maintenance for host in hosts):
        refused = refused or "none of these hosts is in maintenance"
    states = tuple((host.name, f"{host.maintenance}|{host.maintenance_until}") for host in hosts)
    end = f", maintenance_until = {until.isoformat()}" if until else ""
    what = f"maintenance = true{end}" if on else "maintenance and maintenance_until taken away"
    count = f"{len(hosts)} host" + ("" if len(hosts) == 1 else "s")
    plan = Plan(
        request=request,
        title=action.title,
        targets=tuple(PlanTarget(host.name, _now_in_words(host)) for host in hosts),
        statements=tuple(f"inventory, {host.name}: {what}" for host in hosts),
        confirm=names[0] if len(names) == 1 else "maintenance",
        destructive=False,
        summary=_summary(count, on, until),
        hash=catalog.plan_hash(request, states),
        warnings=(f"{count} not polled and not alarming meanwhile",) if on else (),
        refused=refused,
    )
    return Planned(plan, states=states)


def maintenance_steps(
    request: PlanRequest, names: Sequence[str], inventory: InventoryKeeper
) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return a step a host; the first writes the file for all of them, the others tell what became of that."""
    result: list[InfrastructureException | None] = []

    async def step() -> None:
        if not result:
            try:
                await inventory.set_maintenance(names, request.action == ON, _until(request))
                result.append(None)
            except InfrastructureException as error:
                result.append(error)
        if result[0] is not None:
            raise result[0]

    return [(name, step) for name in names]


def _until(request: PlanRequest) -> datetime | None:
    text = request.arguments.get("until")
    if not text:
        return None
    try:
        until = datetime.fromisoformat(str(text))
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise ValidationError(f"{request.action}: until must be a time with its zone, such as 2030-01-31T18:00:00Z")
    return until


def _now_in_words(host: Host) -> str:
    if not host.maintenance:
        return "watched now"
    end = host.maintenance_until
    return f"in maintenance until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if end else "in maintenance"


def _summary(count: str, on: bool, until: datetime | None) -> str:
    if not on:
        return f"would watch {count} again, at once"
    end = f"until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "until somebody ends it"
    return f"would put {count} into maintenance {end}"
