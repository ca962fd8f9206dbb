"""Plans of actions on hosts: what stands there now, the exact words for each host, and who is left out and why."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from core.collectors import hostacts as words
from core.collectors.hostacts import Look
from core.exceptions import InfrastructureException, SSHTimeoutError, ValidationError
from core.models import Capability, Host, Plan, PlanRequest, PlanTarget
from core.operations import catalog
from core.operations.planning import Planned
from core.ports import CommandResult, HostReach

LOOK_S, LOOKS = 15.0, 16  # seconds, and looks at once
UNIT, CONTAINER, REBOOT, RUN = "unit", "container", "host.reboot", "host.run"
_TIMEOUT_S = {UNIT: 120.0, CONTAINER: 90.0, REBOOT: 30.0, RUN: 60.0}
_SUDO = frozenset({"actions", "all"})


@dataclass(frozen=True, slots=True)
class HostStep:
    """What is run on one host, and how to look at it before and after."""

    host: str
    argv: tuple[str, ...]
    timeout_s: float
    look: tuple[str, ...]
    kind: str  # of the look
    before: Look
    check: bool = False  # look again afterwards
    await_back: bool = False  # it goes down, and the next host's turn comes when it has come back


@dataclass(frozen=True, slots=True)
class HostPlanned(Planned):
    """A plan with its steps, one a host; the first is the canary."""

    steps: tuple[HostStep, ...] = ()
    at_once: int = 1  # after the canary


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request taken apart: how to look, and what to run given what was seen."""

    kind: str
    family: str
    look: Callable[[bool], tuple[str, ...]]
    argv: Callable[[Look], tuple[str, ...]]
    what: str  # for the summary
    confirm: str  # typed where one host is meant
    sudo: frozenset[str] | None = None  # words in a host's sudo list that allow it; None: never by sudo
    must_sudo: bool = False
    check: bool = False
    destructive: bool = False
    timeout_s: float | None = None
    warnings: tuple[str, ...] = field(default=())


async def plan_hosts(request: PlanRequest, reach: HostReach, capability: Capability | None) -> HostPlanned:
    """Return the plan; raises ValidationError and ResourceNotFoundError. It looks at every host, and changes none."""
    action = catalog.action_of(request)
    names = tuple(dict.fromkeys(str(request.arguments["hosts"]).split()))
    hosts = [reach.host(name) for name in names]
    if not hosts:
        raise ValidationError(f"{action.name} needs a host")
    wish = _wish(request)
    turn = asyncio.Semaphore(LOOKS)

    async def look(host: Host) -> tuple[Host, bool, Look]:
        sudo = wish.sudo is not None and bool({*host.sudo} & wish.sudo)
        async with turn:
            return host, sudo, await look_at(reach, host.name, wish.look(sudo), wish.kind)

    steps, left, warnings = [], list[str](), list(wish.warnings)
    for host, sudo, seen in await asyncio.gather(*(look(host) for host in hosts)):
        why = seen.why_not
        if not why and wish.must_sudo and not sudo and not seen.root:
            why = 'its settings allow no sudo: add "actions" to its sudo list'
        if why:
            left.append(f"{host.name} is left out: {why}")
            continue
        argv = wish.argv(seen)
        if sudo and not seen.root and (wish.must_sudo or wish.family != RUN):
            argv = ("sudo", "-n", *argv)
        timeout_s = wish.timeout_s or _TIMEOUT_S[wish.family]
        steps.append(HostStep(host.name, argv, timeout_s, wish.look(sudo), wish.kind, seen, wish.check))
        warnings += [f"{host.name}: logged in: {line}" for line in seen.warnings]
    if wish.family == REBOOT and len(steps) > 1:
        steps = [replace(step, await_back=True) for step in steps]
    return _planned(request, action, wish, tuple(steps), tuple(left), tuple(warnings[:20]), capability)


async def look_at(reach: HostReach, name: str, argv: Sequence[str], kind: str) -> Look:
    """Look at one host; what goes wrong is the look's ``why_not``."""
    try:
        async with reach.session(name) as session:
            return words.read_look(kind, await session.run(argv, timeout_s=LOOK_S, max_output=1 << 16))
    except SSHTimeoutError as error:
        return Look(why_not=f"no answer in time ({error.message})")
    except InfrastructureException as error:
        return Look(why_not=error.message)


def _planned(
    request: PlanRequest,
    action: catalog.Action,
    wish: _Wish,
    steps: tuple[HostStep, ...],
    left: tuple[str, ...],
    warnings: tuple[str, ...],
    capability: Capability | None,
) -> HostPlanned:
    states = tuple((step.host, f"{step.before.state}|{shlex.join(step.argv)}") for step in steps)
    many = len(steps) > 1
    count = f"{len(steps)} hosts" if many else f"1 host ({steps[0].host})" if steps else "no host"
    order = f"; first {steps[0].host} alone, then the rest, none after a failure" if many else ""
    if many and steps[0].await_back:
        order = f"; one after the other, {steps[0].host} first, each awaited back before the next"
    refused = catalog.why_not(action, capability)
    if not steps:
        refused = refused or (left[0] if len(left) == 1 else f"no host can be acted on: {'; '.join(left[:3])}")
    plan = Plan(
        request=request,
        title=f"{action.title}: {wish.what}" if wish.what else action.title,
        targets=tuple(PlanTarget(step.host, step.before.note) for step in steps),
        statements=tuple(f"{step.host}: {shlex.join(step.argv)}" for step in steps),
        confirm=count if many else wish.confirm or (steps[0].host if steps else request.action),
        destructive=wish.destructive or action.destructive,
        summary=f"would act on {count}{order}",
        hash=catalog.plan_hash(request, states),
        warnings=(*left, *warnings),
        refused=refused,
    )
    return HostPlanned(plan, states=states, steps=steps, at_once=1 if wish.destructive else 8)


def _wish(request: PlanRequest) -> _Wish:
    get, action = request.arguments.get, request.action
    family, _, verb = action.partition(".")
    if family == "unit":
        unit = str(get("unit"))
        words.unit_look(unit)  # refuses what is no name
        return _Wish(
            UNIT, UNIT, lambda _sudo: words.unit_look(unit), lambda seen: words.unit_argv(verb, unit, seen.manager),
            unit, unit, _SUDO, check=True, destructive=verb == "stop",
        )  # fmt: skip
    if family == "container":
        engine, name = str(get("engine")), str(get("container"))
        words.container_look(engine, name, sudo=False)
        return _Wish(
            CONTAINER, CONTAINER, lambda sudo: words.container_look(engine, name, sudo=sudo),
            lambda _seen: words.container_argv(verb, engine, name), name, name, _SUDO | {"containers"}, check=True,
            destructive=verb == "stop",
        )  # fmt: skip
    if action == REBOOT:
        return _Wish(
            "reboot", REBOOT, lambda _sudo: words.reboot_look(), lambda seen: words.reboot_argv(seen.manager), "", "",
            _SUDO, destructive=True,
        )  # fmt: skip
    return _run_wish(request)


def _run_wish(request: PlanRequest) -> _Wish:
    get = request.arguments.get
    text, saved = str(get("command") or ""), str(get("words") or "")
    if bool(text) == bool(saved):
        raise ValidationError("host.run needs a command, or the words of a saved one")
    argv = words.command_argv(text) if text else tuple(shlex.split(saved))
    if not argv:
        raise ValidationError("host.run needs a command")
    down = words.goes_down(argv)
    timeout_s = get("timeout_s")
    return _Wish(
        "plain", RUN, lambda _sudo: words.plain_look(), lambda _seen: argv, text or saved, "", _SUDO,
        must_sudo=bool(get("sudo")), destructive=down, timeout_s=float(timeout_s) if timeout_s else None,
        warnings=("this command takes its host down",) if down else (),
    )  # fmt: skip


def answer_of(result: CommandResult) -> str:
    """Say in a line how a command ended."""
    if result.exit_code is None:
        return "it told no exit code: a signal ended it, or the connection went"
    return f"exit {result.exit_code}"
