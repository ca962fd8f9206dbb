"""Plans for background jobs: run now, run again and schedule what failed, stop, let run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from core.exceptions import ResourceNotFoundError
from core.models import Capability, ChunkInfo, JobInfo, PlanRequest, PlanTarget, StorageMode, keep_time, past_retention
from core.operations import catalog
from core.operations.catalog import Action
from core.operations.planning import Planned, counted
from core.operations.steps import Around, Maker, Step, asking, length, made, moment
from core.ports import Tell

COMPRESSION, RETENTION = "policy_compression", "policy_retention"
_OWN = (
    "Jumpwatch's own jobs have no switch: the console that polls runs them when they are due, and none runs while "
    "nobody polls (TimescaleDB's jobs can be stopped)"
)
_STOPPED_MEANS = {
    COMPRESSION: "chunks stay as large as they are until it runs again",
    RETENTION: "data past its age stays, and the disk fills, until it runs again",
    "policy_refresh_continuous_aggregate": "the rollup stands still: plots over long times lack what is newer, and "
    "raw data that it lacks is not dropped",
}


def find_job(jobs: Iterable[JobInfo], job_id: int) -> JobInfo:
    """Return the job of that number; ResourceNotFoundError where there is none."""
    found = next((job for job in jobs if job.job_id == job_id), None)
    if found is None:
        raise ResourceNotFoundError(f"there is no job {job_id}: `jumpwatch db status` lists them", operation="plan")
    return found


def why_not_mine(job: JobInfo, capability: Capability) -> str:
    """Say why the role may not run or change a job: that wants its owner; empty where it may."""
    if job.may_alter:
        return ""
    return (
        f"job {job.job_id} belongs to the role {job.owner}, and {capability.role} is no member of it: TimescaleDB lets "
        f"its owner alone run and change it. Log in as {job.owner}, or let a superuser GRANT {job.owner} TO "
        f"{capability.role}"
    )


def due_chunks(job: JobInfo, chunks: Iterable[ChunkInfo], around: Around) -> tuple[str, tuple[ChunkInfo, ...]]:
    """Return what a job would do to chunks if it ran now ("drop", "compress", or "" for none of it), and which."""
    after = None if job.after_s is None else timedelta(seconds=job.after_s)
    if job.proc == RETENTION:

        def keep(table: str) -> timedelta | None:
            if job.hypertable is None:
                return keep_time(table, around.retention)
            return after if table == job.hypertable else None

        return "drop", past_retention(chunks, keep, around.now)
    if job.proc == COMPRESSION and after is not None:
        cut = around.now - after
        own = (c for c in chunks if c.hypertable == job.hypertable and c.end <= cut)
        return "compress", tuple(c for c in own if not c.compressed or c.partial)
    return "", ()


async def _run(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _running(action, request, around, capability, fix=False)


async def _fix(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _running(action, request, around, capability, fix=True)


async def _running(
    action: Action, request: PlanRequest, around: Around, capability: Capability, *, fix: bool
) -> Planned:
    job = find_job(await around.server.jobs(), int(request.arguments["job_id"]))
    verb, chunks = due_chunks(job, await around.keeper.chunks(), around)

    async def run(_: Tell) -> None:
        await around.keeper.run_job(job.job_id)

    steps = [Step(_target(job), catalog.job_statement(job.job_id, capability.mode), _state(job), run)]
    if fix and capability.mode is StorageMode.TIMESCALEDB and not job.held:
        again = f", next_start => now() + INTERVAL '{job.schedule_s:.0f} seconds'" if job.schedule_s else ""
        statement = f"SELECT alter_job({job.job_id}, scheduled => true{again})"
        target = PlanTarget(f"schedule of job {job.job_id}", f"runs again every {length(job.schedule_s)}")
        steps.append(Step(target, statement, "", asking(around, statement, f"schedule job {job.job_id}")))
    refused = why_not_mine(job, capability)
    if not refused and job.running:
        refused = f"job {job.job_id} is running just now"
    if not refused and job.held:
        refused = f"job {job.job_id} is held: {_held(job)}"
    if not refused and fix and job.last_ok is not False and job.scheduled:
        refused = f"nothing to do: the last run of job {job.job_id} did not fail, and it is scheduled"
    what = f"; it would {verb} {counted(chunks)}" if chunks else f"; there is nothing to {verb}" if verb else ""
    warnings = [f"its last error: {job.last_error}"] if job.last_error else []
    if verb == "drop" and chunks:
        warnings.append("what it drops cannot be brought back; raw data goes only where it is rolled up")
    return made(
        action, request, steps, str(job.job_id),
        f"would run job {job.job_id} ({job.name}) now and wait for it{what}",
        warnings=warnings, refused=refused, destructive=bool(verb == "drop" and chunks),
    )  # fmt: skip


async def _pause(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _switch(action, request, around, capability, on=False)


async def _resume(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    return await _switch(action, request, around, capability, on=True)


async def _switch(action: Action, request: PlanRequest, around: Around, capability: Capability, *, on: bool) -> Planned:
    job = find_job(await around.server.jobs(), int(request.arguments["job_id"]))
    statement = f"SELECT alter_job({job.job_id}, scheduled => {'true' if on else 'false'})"
    step = Step(_target(job), statement, _state(job), asking(around, statement, f"{action.name} {job.job_id}"))
    ours = capability.mode is not StorageMode.TIMESCALEDB
    refused = _OWN if ours else why_not_mine(job, capability)
    if not refused and job.held:
        refused = f"job {job.job_id} is held: {_held(job)}"
    if not refused and job.scheduled is on:
        refused = f"job {job.job_id} is {'scheduled' if on else 'stopped'} already"
    verb, chunks = due_chunks(job, await around.keeper.chunks(), around) if on and not ours else ("", ())
    due = f"; what is due: {verb} {counted(chunks)}" if chunks else ""
    when = (
        "it runs when it is due" if capability.background_workers else "the console that polls runs it when it is due"
    )
    summary = (
        f"would let job {job.job_id} ({job.name}) run again every {length(job.schedule_s)}: {when}{due}"
        if on
        else f"would stop job {job.job_id} ({job.name}); a run that is under way ends by itself"
    )
    means = _STOPPED_MEANS.get(job.proc)
    return made(
        action, request, () if ours else (step,), str(job.job_id), summary,
        warnings=(means,) if means and not on else _lost(verb, chunks), refused=refused,
        destructive=bool(verb == "drop" and chunks),
    )  # fmt: skip


def _lost(verb: str, chunks: Sequence[ChunkInfo]) -> tuple[str, ...]:
    return ("what it drops cannot be brought back",) if verb == "drop" and chunks else ()


def _held(job: JobInfo) -> str:
    return f"the rollups of {job.hypertable} are behind what it would drop; it is let go by itself once they are not"


def _target(job: JobInfo) -> PlanTarget:
    last = {True: "ok", False: "failed", None: "not known"}[job.last_ok]
    of = f" of {job.hypertable}" if job.hypertable else ""
    owner = f", owner {job.owner}" if job.owner else ""
    runs = f", {job.total_failures or 0} of {job.total_runs or 0} runs failed"
    note = f"{job.name}{of}{owner}, last run {moment(job.last_run)} ({last}){runs}"
    return PlanTarget(f"job {job.job_id}", note + ("" if job.scheduled else ", stopped"))


def _state(job: JobInfo) -> str:
    return f"{job.scheduled}|{job.config}|{job.owner}"


PLANS: dict[str, Maker] = {"job.run": _run, "job.fix": _fix, "job.pause": _pause, "job.resume": _resume}
