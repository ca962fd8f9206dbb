"""Carrying out a plan on hosts: the canary alone, then the rest, none begun after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

from core.collectors.hostacts import goes_down, refusal
from core.exceptions import InfrastructureException, SSHConnectionError, SSHTimeoutError
from core.models import HostResult
from core.operations.hostplan import HostStep, answer_of, look_at
from core.ports import CommandResult, HostReach, HostSession

BACK_S, LOOK_AGAIN_S = 600.0, 3.0
OUTPUT = 1 << 16  # bytes of a host's stdout, and of its stderr, that are kept
Book = Callable[[HostResult], None]
_WENT = "the connection went down with the host, as a reboot does; that it came back is not known yet"


async def run_steps(
    steps: Sequence[HostStep],
    reach: HostReach,
    book: Book,
    on_begin: Callable[[str], None],
    *,
    at_once: int,
) -> None:
    """Run the first step alone; where it is well, the others, so many at once, until one of them fails."""
    waiting = list(steps)
    if not waiting:
        return

    async def one(step: HostStep) -> bool:
        on_begin(step.host)
        result = await run_step(step, reach)
        if result.ok and step.await_back:
            result = await _back(step, result, reach)
        book(result)
        return result.ok

    if not await one(waiting.pop(0)):
        return

    async def some() -> None:
        while waiting:
            if not await one(waiting.pop(0)):
                waiting.clear()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(waiting))):
            group.create_task(some())


async def run_step(step: HostStep, reach: HostReach) -> HostResult:
    """Run one host's command and say what came of it; failures of the host never raise."""
    began = monotonic()
    try:
        async with reach.session(step.host) as session:
            result = await _run(step, session)
    except InfrastructureException as error:
        return HostResult(step.host, False, note=error.message, seconds=monotonic() - began)
    seconds = monotonic() - began
    if isinstance(result, HostResult):
        return result
    ok, note = result.exit_code == 0, answer_of(result)
    if not ok and result.exit_code is None and goes_down(step.argv):
        ok, note = True, _WENT
    elif not ok:
        note = f"{note}: {why}" if (why := refusal(result)) else note
    elif goes_down(step.argv):
        note = "told to go down; that it came back is not known yet"
    elif step.check:
        ok, note = await _after(step, reach)
    return HostResult(step.host, ok, result.exit_code, result.stdout, result.stderr, result.truncated, seconds, note)


async def _run(step: HostStep, session: HostSession) -> CommandResult | HostResult:
    """Run the command; what is known of one that was cut is said, and no more."""
    began = monotonic()
    try:
        return await session.run(step.argv, timeout_s=step.timeout_s, max_output=OUTPUT)
    except SSHTimeoutError:
        note = f"no end within {step.timeout_s:g} s: it was told to end; what it did is not known"
        return HostResult(step.host, False, note=note, seconds=monotonic() - began)
    except SSHConnectionError as error:
        if error.details.get("begun") is False:  # the connection was gone before: no host goes down by that
            raise
        if goes_down(step.argv):
            return HostResult(step.host, True, note=_WENT, seconds=monotonic() - began)
        note = f"the connection broke before it told how it ended; whether it was done is not known ({error.message})"
        return HostResult(step.host, False, note=note, seconds=monotonic() - began)


async def _back(step: HostStep, result: HostResult, reach: HostReach) -> HostResult:
    """Wait until the host has another boot id than before; one that stays away is a failure, which stops the rest."""
    began = monotonic()
    while monotonic() - began < BACK_S:
        await asyncio.sleep(LOOK_AGAIN_S)
        seen = await look_at(reach, step.host, step.look, step.kind)
        if seen.state and seen.state != step.before.state:
            return replace(result, note=f"rebooted, back after {monotonic() - began:.0f} s", exit_code=0)
    return replace(result, ok=False, note=f"told to reboot, and not back within {BACK_S / 60:g} minutes")


async def _after(step: HostStep, reach: HostReach) -> tuple[bool, str]:
    """Look again: an exit code of 0 says that it was done, not that it stands."""
    seen = await look_at(reach, step.host, step.look, step.kind)
    if seen.why_not:
        return True, f"done; how it stands now is not known: {seen.why_not}"
    return not seen.failed, f"was {step.before.state or 'unknown'}, is {seen.note}"
