"""Plans that change a policy: compression age, retention of raw data and of rollups; bounds checked beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

from core.config import RetentionSettings
from core.exceptions import ConfigurationError, ValidationError
from core.models import (
    RAW_TABLES,
    Capability,
    ChunkInfo,
    JobInfo,
    PlanRequest,
    PlanTarget,
    StorageMode,
    compress_time,
    keep_time,
    past_retention,
)
from core.operations import catalog
from core.operations.catalog import Action
from core.operations.job_plans import COMPRESSION, RETENTION, why_not_mine
from core.operations.planning import Planned, counted
from core.operations.steps import Around, Maker, Step, asking, length, made
from core.ports import Tell

AS_SET = "settings"  # the value that means what the settings say
POLICIES = {
    "compress_after": "age at which chunks are compressed",
    "raw_retention": "age at which raw chunks are dropped, once rolled up",
    "rollup_minute_retention": "age at which rollups of a minute are dropped",
    "rollup_hour_retention": "age at which rollups of an hour are dropped",
}


async def _set(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    name = str(request.arguments["policy"]).replace("-", "_")
    if name not in POLICIES:
        raise ValidationError(f"there is no policy {name[:60]!r}; there are {', '.join(POLICIES)}")
    compress = name == "compress_after"
    if compress and not capability.compression:
        return made(
            action, request, (), name, "nothing would be done", refused=f"compression {catalog.NEEDS_TIMESCALE}"
        )
    setting = timedelta(seconds=around.server.setting_s(name))
    given = str(request.arguments["value"])
    new = changed(around.retention, name, length(setting) if given == AS_SET else given)
    was, value = getattr(around.retention, name), getattr(new, name)
    steps = [_note(around, name, was, value, setting)]
    warnings, refused = [], "" if was != value else f"{name} is {length(value)} already"
    if capability.mode is StorageMode.TIMESCALEDB:
        for job, seconds in _wanted(await around.server.jobs(), new, compress=compress):
            steps.append(_alter(around, job, seconds, "compress_after" if compress else "drop_after"))
            refused = refused or why_not_mine(job, capability)
            if not job.scheduled:
                warnings.append(f"job {job.job_id} of {job.hypertable} is stopped: it will not act on this")
    chunks = await around.keeper.chunks()
    summary, lost = _next_run(name, chunks, around, new)
    if lost:
        warnings.append("what is dropped cannot be brought back; raw data goes only where it is rolled up")
    if value != setting:
        variable = f"JUMPWATCH_RETENTION_{name.upper()}"
        warnings.append(f"it holds until {variable} ({length(setting)}) is changed itself: the later word counts")
    return made(
        action, request, steps, name, f"{name}: {length(was)} -> {length(value)}; {summary}",
        warnings=warnings, refused=refused, destructive=lost, all_or_nothing=True,
    )  # fmt: skip


def changed(settings: RetentionSettings, name: str, value: str) -> RetentionSettings:
    """Return the settings with one changed; ValidationError names the bound or the order that it breaks."""
    try:
        return RetentionSettings(**{**settings.model_dump(), name: value})
    except ConfigurationError as error:
        raise ValidationError(f"{name} = {value[:60]}: {error.message}", operation="policy.set") from None


def _next_run(name: str, chunks: Iterable[ChunkInfo], around: Around, new: RetentionSettings) -> tuple[str, bool]:
    """Say what the next run would do with the policy as it will be, and whether it drops anything."""
    if name == "compress_after":
        due = tuple(
            c for c in chunks
            if c.end <= around.now - compress_time(c.hypertable, new) and (not c.compressed or c.partial)
        )  # fmt: skip
        return f"the next run would compress {counted(due)}" if due else "the next run would compress nothing", False
    due = past_retention((c for c in chunks if _kept_by(c.hypertable) == name), lambda t: keep_time(t, new), around.now)
    if not due:
        return "the next run would drop nothing", False
    rows = sum(chunk.rows or 0 for chunk in due)
    return f"the next run would drop {counted(due)}, about {rows} rows", True


def _kept_by(table: str) -> str:
    """Return the policy that a table is kept by."""
    if table in RAW_TABLES:
        return "raw_retention"
    return "rollup_minute_retention" if table.endswith("_1m") else "rollup_hour_retention"


def _wanted(jobs: Iterable[JobInfo], new: RetentionSettings, *, compress: bool) -> Iterable[tuple[JobInfo, timedelta]]:
    """Return the jobs whose age is another than the settings want, with the age wanted."""
    for job in jobs:
        if job.proc != (COMPRESSION if compress else RETENTION) or job.hypertable is None:
            continue
        keep = keep_time(job.hypertable, new)
        if keep is None:
            continue  # a table that is not ours
        wanted = compress_time(job.hypertable, new) if compress else keep
        if job.after_s != wanted.total_seconds():
            yield job, wanted


def _note(around: Around, name: str, was: timedelta, value: timedelta, setting: timedelta) -> Step:
    """Return the step that writes the change down, so that no start brings the old value back."""
    key = catalog.literal(f"policy:{name}")
    if value == setting:
        statement = f"DELETE FROM jumpwatch_meta WHERE key = {key}"  # noqa: S608 - one of our own names
    else:
        held = json.dumps({"seconds": value.total_seconds(), "instead_of": setting.total_seconds()})
        statement = (
            f"INSERT INTO jumpwatch_meta (key, value) VALUES ({key}, {catalog.literal(held)}) "  # noqa: S608 - as above
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = now()"
        )

    async def work(_: Tell) -> None:
        await around.server.ask(statement, f"note {name}")
        await around.server.policies_changed()

    target = PlanTarget(f"policy {name}", f"{POLICIES[name]}: {length(was)} -> {length(value)}")
    return Step(target, statement, f"{was}", work)


def _alter(around: Around, job: JobInfo, value: timedelta, key: str) -> Step:
    config = {**json.loads(job.config or "{}"), key: f"{value.total_seconds():.0f} seconds"}
    statement = f"SELECT alter_job({job.job_id}, config => {catalog.literal(json.dumps(config, sort_keys=True))})"
    note = f"{job.name} of {job.hypertable}: {length(job.after_s)} -> {length(value)}"
    target = PlanTarget(f"job {job.job_id}", note)
    return Step(target, statement, job.config, asking(around, statement, f"change job {job.job_id}"))


PLANS: dict[str, Maker] = {"policy.set": _set}
