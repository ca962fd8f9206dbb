"""What a person says of alerts as operations: acknowledged, silenced, silence taken back; gated and audited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from core.exceptions import InfrastructureException, ResourceNotFoundError, ValidationError
from core.models import Alert, Capability, Plan, PlanRequest, PlanTarget
from core.operations import catalog
from core.operations.planning import Planned
from core.ports import AlertKeeper

ACK, SILENCE, UNSILENCE = "alert.ack", "alert.silence", "alert.unsilence"
ACTIONS = (ACK, SILENCE, UNSILENCE)
_CONFIRM = {ACK: "ack", SILENCE: "silence", UNSILENCE: "unsilence"}
_SEPARATOR = "\n"  # keys hold none
_NOTE_MOST = 500
_LONGEST = timedelta(days=366)


def request_of(action: str, keys: Sequence[str], **more: str) -> PlanRequest:
    """Return the request for alerts by their keys."""
    return PlanRequest(action, {"alerts": _SEPARATOR.join(keys), **more})


async def plan_alerts(
    request: PlanRequest, keeper: AlertKeeper | None, capability: Capability | None, now: datetime
) -> Planned:
    """Return the plan that says something of alerts; raises where one is not there or a time makes no sense."""
    action = catalog.action_of(request)
    if keeper is None:
        raise ValidationError("alerts are kept by the console: acknowledge and silence them there")
    keys = tuple(dict.fromkeys(str(request.arguments["alerts"]).split(_SEPARATOR)))
    known = {alert.key: alert for alert in await keeper.alerts() if alert.resolved is None}
    if missing := [key for key in keys if key not in known]:
        raise ResourceNotFoundError(f"the alert {_readable(missing[0])} does not stand any more", operation=action.name)
    alerts = [known[key] for key in keys]
    note, until = _note(request), _until(request, now)
    refused = catalog.why_not(action, capability)
    if action.name == UNSILENCE and not any(alert.silenced_until for alert in alerts):
        refused = refused or "none of these alerts is silenced"
    states = tuple((alert.key, f"{alert.acked}|{alert.silenced_until}|{alert.raised}") for alert in alerts)
    does, what = _words(action.name, note, until)
    count = f"{len(alerts)} alert" + ("" if len(alerts) == 1 else "s")
    plan = Plan(
        request=request,
        title=action.title,
        targets=tuple(PlanTarget(_name(alert), _as_it_is(alert)) for alert in alerts),
        statements=tuple(f"alert, {_name(alert)}: {what}" for alert in alerts),
        confirm=_CONFIRM[action.name],
        destructive=False,
        summary=f"would {does.format(count=count)}",
        hash=catalog.plan_hash(request, states),
        warnings=("what gets worse than it is now is told all the same",) if action.name == ACK else (),
        refused=refused,
    )
    return Planned(plan, states=states)


def alert_steps(
    request: PlanRequest, names: Sequence[str], keeper: AlertKeeper
) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return a step an alert; the first does it for all of them, the others tell what became of that."""
    keys = list(dict.fromkeys(str(request.arguments["alerts"]).split(_SEPARATOR)))
    result: list[InfrastructureException | None] = []

    async def step() -> None:
        if not result:
            try:
                await _do(request, keys, keeper)
                result.append(None)
            except InfrastructureException as error:
                result.append(error)
        if result[0] is not None:
            raise result[0]

    return [(name, step) for name in names]


async def _do(request: PlanRequest, keys: Sequence[str], keeper: AlertKeeper) -> None:
    if request.action == ACK:
        await keeper.acknowledge(keys, _note(request))
    elif request.action == SILENCE:
        await keeper.silence(keys, datetime.fromisoformat(str(request.arguments["until"])), _note(request))
    else:
        await keeper.unsilence(keys)


def _note(request: PlanRequest) -> str:
    note = str(request.arguments.get("note") or "").strip()
    if len(note) > _NOTE_MOST:
        raise ValidationError(f"{request.action}: a note may have {_NOTE_MOST} characters, this one has {len(note)}")
    return note


def _until(request: PlanRequest, now: datetime) -> datetime | None:
    text = request.arguments.get("until")
    if request.action != SILENCE:
        return None
    try:
        until = datetime.fromisoformat(str(text))
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise ValidationError(f"{request.action}: until must be a time with its zone, such as 2030-01-31T18:00:00Z")
    if not now < until <= now + _LONGEST:
        raise ValidationError(f"{request.action}: until must lie ahead, by a year at the most")
    return until


def _words(action: str, note: str, until: datetime | None) -> tuple[str, str]:
    """Return the summary with a place for the count, and what is done to each."""
    if action == ACK:
        return "acknowledge {count}", f"acknowledged, note = {note!r}"
    if action == SILENCE:
        assert until is not None
        end = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        more = f", note = {note!r}" if note else ""
        return f"silence {{count}} until {end}", f"silenced until {until.isoformat()}{more}"
    return "take the silence from {count}", "silence taken away"


def _name(alert: Alert) -> str:
    return " ".join(filter(None, (alert.rule, alert.host, alert.item)))


def _readable(key: str) -> str:
    return repr(key.replace("\t", " ").strip()[:80])


def _as_it_is(alert: Alert) -> str:
    said = f" by {alert.acked_by}: {alert.note}" if alert.acked else ""
    return f"{alert.severity}, {alert.text}, since {alert.raised:%Y-%m-%d %H:%M} UTC, {alert.state}{said}"
