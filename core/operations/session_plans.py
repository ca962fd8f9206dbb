"""Plans that cancel or end a session: that very one, doing that very thing, or nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime

from core.exceptions import DatabaseOperationError, ResourceNotFoundError
from core.models import Capability, PlanRequest, PlanTarget, SessionInfo, SessionKind
from core.operations import catalog
from core.operations.catalog import Action
from core.operations.planning import Planned
from core.operations.steps import Around, Maker, Step, length, made
from core.ports import Tell

_WAIT_S = 5.0
_LOOK_S = 0.1
_SHOWN = 300


async def _cancel(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _signal(action, request, around, capability, end=False)


async def _terminate(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _signal(action, request, around, capability, end=True)


async def _signal(
    action: Action, request: PlanRequest, around: Around, capability: Capability, *, end: bool
) -> Planned:
    if capability.single_session:
        return made(action, request, (), str(request.arguments["pid"]), "nothing would be done")
    session = await around.server.session(int(request.arguments["pid"]))
    statement = _statement(session, end=end)

    async def work(_: Tell) -> None:
        sent = await around.server.ask(statement, f"{action.name} {session.pid}")
        if sent is None:
            raise DatabaseOperationError(f"session {session.pid} is at something else by now: nothing was done")
        if sent is not True:
            raise DatabaseOperationError(f"the server could not signal session {session.pid}")
        await _gone(around, session, end=end)

    target = PlanTarget(f"session {session.pid}", _in_words(session, around.now))
    refused = _why_not(session, capability)
    if not refused and not end and session.state is not None and not session.state.startswith("active"):
        refused = f"session {session.pid} runs nothing just now ({session.state}): there is nothing to cancel"
    does = f"would end session {session.pid}: " if end else f"would cancel the statement of session {session.pid}: "
    what = "its transaction is rolled back and its connection is cut" if end else "its transaction is rolled back"
    return made(
        action, request, (Step(target, statement, _state(session, end=end), work),), str(session.pid), does + what,
        warnings=_warnings(session, end=end), refused=refused,
    )  # fmt: skip


def _statement(session: SessionInfo, *, end: bool) -> str:
    """Return the statement; its conditions keep it from another session that got the same number meanwhile."""
    call = "pg_terminate_backend" if end else "pg_cancel_backend"
    where = [f"pid = {session.pid}"]
    if session.started is not None:
        where.append(f"backend_start = {_time(session.started)}")
    if not end and session.query_start is not None:
        where.append(f"query_start = {_time(session.query_start)}")
    return f"SELECT {call}(pid) FROM pg_catalog.pg_stat_activity WHERE {' AND '.join(where)}"  # noqa: S608 - numbers and times


def _time(at: datetime) -> str:
    return catalog.literal(at.isoformat())


def _state(session: SessionInfo, *, end: bool) -> str:
    return f"{session.started}" if end else f"{session.started}|{session.query_start}|{session.state}"


async def _gone(around: Around, session: SessionInfo, *, end: bool) -> None:
    """Wait until the session is gone, or at something else; a signal sent is not yet a statement ended."""
    for _ in range(int(_WAIT_S / _LOOK_S)):
        try:
            now = await around.server.session(session.pid)
        except ResourceNotFoundError:
            return
        if _state(now, end=end) != _state(session, end=end):
            return
        await asyncio.sleep(_LOOK_S)
    raise DatabaseOperationError(f"session {session.pid} was told, and has not heeded it within {_WAIT_S:g} s")


def _why_not(session: SessionInfo, capability: Capability) -> str:
    if session.may_signal:
        return ""
    if session.user is None:
        return f"session {session.pid} is the server's own: a superuser may end it, and {capability.role} is none"
    if session.superuser:
        return f"session {session.pid} is a superuser's ({session.user}): a superuser alone may end it"
    return (
        f"session {session.pid} belongs to the role {session.user}: {capability.role} is no member of it, nor of "
        f"pg_signal_backend (GRANT pg_signal_backend TO {capability.role})"
    )


def _warnings(session: SessionInfo, *, end: bool) -> tuple[str, ...]:
    found = []
    if session.hidden:
        found.append(f"what it does is hidden from this role: GRANT pg_read_all_stats shows it ({session.user})")
    if session.kind is SessionKind.OURS:
        found.append("it is a session of this very console")
    elif session.kind is SessionKind.JUMPWATCH:
        found.append("it is a session of another Jumpwatch")
    if end and session.application.startswith("jumpwatch poller"):
        found.append("it holds the poller's lock: another console may take the polling over")
    if session.kind is SessionKind.JOB:
        found.append("it runs a background job: the job fails, and is tried again when its schedule says")
    if session.kind is SessionKind.SERVER:
        found.append("it is the server's own work, such as autovacuum: it will come again")
    return tuple(found)


def _in_words(session: SessionInfo, now: datetime) -> str:
    words = [session.user or "the server", session.application, session.kind.value]
    if session.state:
        words.append(session.state)
    if session.query_start is not None and session.state == "active":
        words.append(f"for {length(max(0, round((now - session.query_start).total_seconds())))}")
    if session.transaction is not None:
        words.append(f"in a transaction for {length(max(0, round((now - session.transaction).total_seconds())))}")
    if session.wait:
        words.append(f"waits for {session.wait}")
    query = " ".join(session.query.split())
    return ", ".join(filter(None, words)) + (f": {query[:_SHOWN]}" if query else "")


PLANS: dict[str, Maker] = {"session.cancel": _cancel, "session.terminate": _terminate}
