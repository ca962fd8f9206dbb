"""Jobs as the pane shows them: what the scheduler recorded, and what we ran ourselves; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from core.models import ChunkInfo, JobInfo


def their_job(row: Any, names: dict[str, str], *, scheduler: bool, held: bool = False) -> JobInfo:
    """Join what the scheduler recorded of a job with the runs that were started by us: the later one tells."""
    last_run = row.last_run if row.last_run and row.last_run.year > 1970 else None
    next_run = row.next_run if row.next_run and 1970 < row.next_run.year < 9999 else None
    last_ok = None if last_run is None or row.last_status is None else row.last_status == "Success"
    last_error = row.last_error
    if row.own_run is not None and (last_run is None or row.own_run > last_run):
        last_run, last_ok = row.own_run, row.own_ok
        last_error = last_error if row.own_ok else row.own_error
        next_run = next_run if scheduler else row.own_next
    total = (row.total_runs or 0) + (row.own_runs or 0)
    return JobInfo(
        job_id=row.job_id,
        name=str(row.application_name).split(" [")[0],
        hypertable=names.get(row.table_id) if row.table_id else None,
        schedule_s=row.schedule_s,
        scheduled=row.scheduled,
        last_run=last_run,
        last_ok=last_ok,
        next_run=next_run,
        total_runs=total,
        total_failures=(row.total_failures or 0) + (row.own_failures or 0),
        last_error=last_error,
        running=row.job_status == "Running",
        owner=row.owner,
        may_alter=row.may_alter,
        proc=row.proc,
        config=row.config or "",
        held=held,
        after_s=row.compress_after_s if row.compress_after_s is not None else row.drop_after_s,
    )


def left_behind(
    rows: Iterable[Any], jobs: Iterable[JobInfo], opened: Mapping[str, Sequence[ChunkInfo]]
) -> tuple[str, ...]:
    """Return the chunks that a compression job has passed over: there and due when it last ran, not compressed now.

    ``opened`` are the chunks that are not compressed, by table, those that ended first.

    A job that could not compress one of several chunks may count as a success; the chunk tells.
    """
    after = {row.job_id: timedelta(seconds=row.compress_after_s) for row in rows if row.compress_after_s is not None}
    ran = {
        job.hypertable: (job.last_run, job.last_run - after[job.job_id])
        for job in jobs
        if job.job_id in after and job.last_run is not None and not job.running
    }
    left = []
    for table, (run, cut) in ran.items():
        for chunk in opened.get(table or "", ()):
            if chunk.end >= cut:
                break  # and so do all that come after it
            if chunk.created is not None and chunk.created < run:
                left.append(chunk.name)
    return tuple(left)


def own_job(job_id: int, name: str, every: timedelta, ran: Any) -> JobInfo:
    return JobInfo(
        job_id=job_id,
        name=name,
        hypertable=None,
        schedule_s=every.total_seconds(),
        scheduled=True,
        last_run=ran.last_run if ran else None,
        last_ok=ran.last_ok if ran else None,
        next_run=ran.last_run + every if ran else None,
        total_runs=ran.total_runs if ran else 0,
        total_failures=ran.total_failures if ran else 0,
        last_error=ran.last_error if ran else None,
    )
