"""Plan, check, plan again, note the intent, act, note the outcome: the one way to change the database by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from core.config import RetentionSettings
from core.events import ActionFinished, ActionStarted, BaseEvent, EventBus
from core.exceptions import (
    BusinessLogicError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    InfrastructureException,
)
from core.logging import correlation
from core.models import Capability, ChunkInfo, HostResult, Outcome, Plan, PlanRequest
from core.operations import alerting, hostwork, maintenance, upkeep
from core.operations.catalog import change_in_words
from core.operations.gate import Gate
from core.operations.planning import Planned, Planner
from core.ports import (
    AlertKeeper,
    AuditLog,
    ChunkKeeper,
    Clock,
    HostReach,
    InventoryKeeper,
    SystemClock,
    Tell,
    UpkeepKeeper,
)

log = structlog.get_logger("core.operations")

OnProgress = Callable[[int, int, str], None]
_OUTCOME_S = 10.0  # for the outcome row, also where the action is being cancelled
_AUDIT_TARGETS = 1000


@dataclass(slots=True)
class _Run:
    """What has become of each target so far."""

    done: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    before: int = 0
    after: int = 0
    measured: bool = False
    results: list[HostResult] = field(default_factory=list)

    def measure(self, before: int | None, after: int | None) -> None:
        if before is not None and after is not None:
            self.before, self.after, self.measured = self.before + before, self.after + after, True


class Operations:
    """The service behind drawer and commands; every public failure is an InfrastructureException."""

    def __init__(
        self,
        keeper: ChunkKeeper,
        audit: AuditLog,
        retention: RetentionSettings | Callable[[], RetentionSettings],
        bus: EventBus,
        *,
        gate: Gate,
        capability: Callable[[], Capability | None],
        clock: Clock | None = None,
        inventory: InventoryKeeper | None = None,
        alerts: AlertKeeper | None = None,
        reach: HostReach | None = None,
        server: UpkeepKeeper | None = None,
    ) -> None:
        self._keeper, self._audit, self._bus = keeper, audit, bus
        self._inventory, self._alerts, self._reach, self._server = inventory, alerts, reach, server
        self._retention: Callable[[], RetentionSettings] = retention if callable(retention) else lambda: retention
        self.gate = gate
        self._capability = capability
        self._clock = clock or SystemClock()
        self._planner = Planner(keeper, self._retention)
        self._busy: set[str] = set()

    async def plan(self, request: PlanRequest) -> Plan:
        """Return what the action would do now; changes nothing. Raises Validation- and ResourceNotFoundError."""
        with correlation(request.correlation_id):
            plan = (await self._planned(request)).plan
        if plan.refused:
            return plan
        return replace(plan, refused=self.gate.why_shut())

    async def apply(self, plan: Plan, typed: str, actor: str, on_progress: OnProgress | None = None) -> Outcome:
        """Do what the plan says, or raise BusinessLogicError: read-only, mistyped, refused, stale or busy.

        Failures of single targets do not raise: the outcome lists them. ``on_progress`` gets (done, of, target).
        Log lines, events and audit rows of it all carry the request's correlation id.
        """
        with correlation(plan.request.correlation_id):
            return await self._apply(plan, typed, actor, on_progress or _no_progress)

    async def _apply(self, plan: Plan, typed: str, actor: str, on_progress: OnProgress) -> Outcome:
        self.gate.check()
        if typed.strip() != plan.confirm:
            raise BusinessLogicError(f"not confirmed: type {plan.confirm} exactly", error_code="NOT_CONFIRMED")
        claimed = {target.name for target in plan.targets}
        if busy := claimed & self._busy:
            raise BusinessLogicError(f"another action is at work on {min(busy)}", error_code="BUSY")
        self._busy |= claimed
        try:
            fresh = await self._planned(plan.request)
            if fresh.plan.refused:
                raise BusinessLogicError(fresh.plan.refused, error_code="REFUSED")
            if fresh.plan.hash != plan.hash:
                raise BusinessLogicError(
                    f"the plan is stale, look at it again: {_difference(plan, fresh.plan)}", error_code="STALE"
                )
            self.gate.check()  # it may have shut while the plan was read
            return await self._audited(fresh, actor, on_progress)
        finally:
            self._busy -= claimed

    async def _planned(self, request: PlanRequest) -> Planned:
        if request.action in (maintenance.ON, maintenance.OFF):
            return await maintenance.plan_maintenance(request, self._inventory, self._capability(), self._clock.now())
        if request.action in alerting.ACTIONS:
            return await alerting.plan_alerts(request, self._alerts, self._capability(), self._clock.now())
        if hostwork.is_ours(request):
            return await hostwork.plan(request, self._reach, self._capability())
        if self._server is not None and request.action in upkeep.PLANS:
            around = upkeep.Around(self._keeper, self._server, self._retention(), self._clock.now())
            return await upkeep.plan_upkeep(request, around, self._capability())
        return await self._planner.plan(request, self._capability(), self._clock.now())

    async def _audited(self, planned: Planned, actor: str, on_progress: OnProgress) -> Outcome:
        plan = planned.plan
        action, correlation_id = plan.request.action, plan.request.correlation_id
        audit_id = await self._audit.intent(
            action=action, actor=actor, plan=_picture(plan), correlation_id=correlation_id
        )
        log.info("action started", action=action, audit_id=audit_id, actor=actor, targets=len(plan.targets))
        self._emit(
            ActionStarted(
                source="operations", correlation_id=correlation_id, action=action, audit_id=audit_id, title=plan.title
            )
        )
        run = _Run(left=[target.name for target in plan.targets])
        try:
            await self._run(planned, run, on_progress)
        except BaseException as error:  # cancelled, or a defect: the outcome is still owed to the audit
            cut = _outcome(plan, run, audit_id, f"cut off ({type(error).__name__})")
            await asyncio.shield(self._finish(plan, cut))
            raise
        return await self._finish(plan, _outcome(plan, run, audit_id))

    async def _run(self, planned: Planned, run: _Run, on_progress: OnProgress) -> None:
        """Run the targets one after the other; after a failure go on only where nothing is destroyed."""
        if self._reach is not None and hostwork.is_ours(planned.plan.request):
            await hostwork.run(planned, self._reach, run, on_progress)
            return
        total = len(run.left)

        def tell(word: str) -> None:
            on_progress(total - len(run.left), total, f"{run.left[0]}: {word}" if run.left else word)

        for name, step in self._steps(planned, run, tell):
            on_progress(total - len(run.left), total, name)
            try:
                await step()
            except InfrastructureException as error:
                run.left.remove(name)
                run.failed.append((name, error.message))
                lost = isinstance(error, DatabaseConnectionError | DatabaseTimeoutError)
                if planned.plan.destructive or planned.all_or_nothing or lost:
                    return
            else:
                run.left.remove(name)
                run.done.append(name)
        on_progress(total, total, "")

    def _steps(self, planned: Planned, run: _Run, tell: Tell) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        if planned.work:
            return [(name, partial(step, tell)) for name, step in planned.work]
        request = planned.plan.request
        if self._inventory is not None and request.action in (maintenance.ON, maintenance.OFF):
            return maintenance.maintenance_steps(request, [t.name for t in planned.plan.targets], self._inventory)
        if self._alerts is not None and request.action in alerting.ACTIONS:
            return alerting.alert_steps(request, [t.name for t in planned.plan.targets], self._alerts)
        if request.action == "job.run":
            name = planned.plan.targets[0].name
            return [(name, lambda: self._keeper.run_job(int(request.arguments["job_id"])))]
        if request.action == "table.analyze":
            return [(planned.plan.targets[0].name, lambda: self._keeper.analyze(str(request.arguments["table"])))]
        return [(chunk.name, self._chunk_step(request.action, chunk, run)) for chunk in planned.chunks]

    def _chunk_step(self, action: str, chunk: ChunkInfo, run: _Run) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            if action in ("retention.run", "chunk.drop"):
                await self._keeper.drop(chunk)
                run.measure(chunk.total_bytes, 0)
            elif action == "chunk.decompress":
                run.measure(chunk.total_bytes, (await self._keeper.decompress(chunk)).total_bytes)
            else:
                compressed = await self._keeper.compress(chunk)
                run.measure(
                    compressed.before_bytes or chunk.total_bytes, compressed.after_bytes or compressed.total_bytes
                )

        return step

    async def _finish(self, plan: Plan, outcome: Outcome) -> Outcome:
        """Write the outcome row and tell; a row that cannot be written is said in the summary, not lost in silence."""
        try:
            async with asyncio.timeout(_OUTCOME_S):
                await self._audit.outcome(outcome.audit_id, hostwork.for_audit(outcome))
        except (InfrastructureException, TimeoutError) as error:
            reason = error.message if isinstance(error, InfrastructureException) else "no answer in time"
            log.error("audit outcome not written", audit_id=outcome.audit_id, reason=reason)
            outcome = replace(outcome, summary=f"{outcome.summary}; the audit has no outcome: {reason}")
        log.info(  # what failed is shown already: by the drawer, or by the command on the same stderr
            "action finished",
            action=plan.request.action,
            audit_id=outcome.audit_id,
            ok=outcome.ok,
            summary=outcome.summary,
        )
        self._emit(
            ActionFinished(
                source="operations",
                correlation_id=outcome.correlation_id,
                action=plan.request.action,
                audit_id=outcome.audit_id,
                ok=outcome.ok,
                text=outcome.summary,
            )
        )
        return outcome

    def _emit(self, event: BaseEvent) -> None:
        if self._bus.running:
            self._bus.emit_nowait(event)


def _no_progress(_done: int, _total: int, _target: str) -> None:
    return


def _outcome(plan: Plan, run: _Run, audit_id: str, cut: str = "") -> Outcome:
    words = [f"{len(run.done)} of {len(plan.targets)} done"]
    if run.failed:
        name, reason = run.failed[0]
        more = f" and {len(run.failed) - 1} more" if len(run.failed) > 1 else ""
        words.append(f"{len(run.failed)} failed ({name}: {reason}{more})")
    if run.left:
        words.append(f"{len(run.left)} not done")
    if len(plan.targets) == 1 and run.done and run.results:
        words.append(run.results[0].note)
    if cut:
        words.append(cut)
    if run.measured:
        words.append(change_in_words(run.before, run.after))
    return Outcome(
        ok=not run.failed and not run.left and not cut,
        audit_id=audit_id,
        summary=", ".join(words),
        done=tuple(run.done),
        failed=tuple(run.failed),
        before_bytes=run.before if run.measured else None,
        after_bytes=run.after if run.measured else None,
        correlation_id=plan.request.correlation_id,
        results=tuple(run.results),
    )


def _picture(plan: Plan) -> dict[str, Any]:
    """Return the plan as the audit keeps it: exact targets (the first thousand), statements counted by them."""
    return {
        "title": plan.title,
        "arguments": dict(plan.request.arguments),
        "summary": plan.summary,
        "hash": plan.hash,
        "destructive": plan.destructive,
        "targets": [target.name for target in plan.targets[:_AUDIT_TARGETS]],
        "targets_total": len(plan.targets),
        "statements": list(plan.statements[:_AUDIT_TARGETS]),
    }


def _difference(old: Plan, new: Plan) -> str:
    before, now = [t.name for t in old.targets], [t.name for t in new.targets]
    gone = [name for name in before if name not in set(now)]
    more = [name for name in now if name not in set(before)]
    words = []
    if gone:
        words.append(f"{len(gone)} no longer among the targets ({gone[0]})")
    if more:
        words.append(f"{len(more)} new ({more[0]})")
    return ", ".join(words) or "the state of a target has changed"
