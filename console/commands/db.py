"""jumpwatch db: init, status, chunks; and the actions, which only print their plan without --apply --confirm NAME."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from console.commands.output import print_json, print_table, say
from console.commands.setup import actor, command_settings, run
from console.formatting import count, long_bytes, moment, ratio, span
from core.exceptions import ValidationError
from core.models import PlanRequest

if TYPE_CHECKING:
    from console.composition.storage import Storage
    from core.models import ChunkInfo, DatabaseView, Outcome, Plan

Work = Callable[["Storage"], Awaitable[int]]


def with_storage(args: argparse.Namespace, work: Work) -> int:
    """Run something over the open database."""
    settings = command_settings(args)
    from console import composition

    async def opened() -> int:
        async with composition.open_storage(settings, say) as storage:
            return await work(storage)

    return run(opened())


def init(args: argparse.Namespace) -> int:
    """Set up the database, or bring it up to date; may be run again."""
    settings = command_settings(args)
    from console import composition

    async def work() -> int:
        from core.database import initialise

        async with composition.open_storage(settings, say) as storage:
            steps = await initialise(storage.database, say)
        if args.json:
            print_json(steps)
        else:
            rows = [(s.step, s.target, str(s.state.value), s.reason) for s in steps]
            print_table(("STEP", "TARGET", "RESULT", "WHY"), rows)
        return 0 if all(step.ok for step in steps) else 1

    return run(work())


def status(args: argparse.Namespace) -> int:
    """Print the database's mode, sizes, tables, jobs and health."""

    async def work(storage: Storage) -> int:
        view = await storage.database.view()
        if args.json:
            print_json(view)
        else:
            _print_view(view)
        return 1 if any(check.ok is False for check in view.health) else 0

    return with_storage(args, work)


def chunks(args: argparse.Namespace) -> int:
    """Print the chunks, oldest first."""

    async def work(storage: Storage) -> int:
        found = sorted(await storage.keeper.chunks(args.table), key=lambda c: (c.hypertable, c.start))
        if args.json:
            print_json(found)
        else:
            print_table(
                ("TABLE", "CHUNK", "START (UTC)", "END (UTC)", "STATE", "SIZE", "RATIO", "ROWS"),
                [_chunk_row(chunk) for chunk in found],
                right=frozenset({5, 6, 7}),
            )
            if not found:
                say("no chunks; `jumpwatch db status` says whether the database is set up")
        return 0

    return with_storage(args, work)


def compress(args: argparse.Namespace) -> int:
    """Compress one chunk, or with --older all past the compression age."""
    if bool(args.chunk) == args.older:
        raise ValidationError("name one chunk (`jumpwatch db chunks` lists them), or say --older")
    if args.older:
        return act(args, PlanRequest("chunk.compress-older", {"hypertable": args.table} if args.table else {}))
    return act(args, PlanRequest("chunk.compress", {"chunk": args.chunk}))


def decompress(args: argparse.Namespace) -> int:
    """Decompress one chunk."""
    return act(args, PlanRequest("chunk.decompress", {"chunk": args.chunk}))


def retention(args: argparse.Namespace) -> int:
    """Drop raw data past its retention."""
    return act(args, PlanRequest("retention.run"))


def job(args: argparse.Namespace) -> int:
    """Run one background job now."""
    return act(args, PlanRequest("job.run", {"job_id": args.job_id}))


def analyze(args: argparse.Namespace) -> int:
    """Refresh the statistics of one table."""
    return act(args, PlanRequest("table.analyze", {"table": args.table}))


def act(args: argparse.Namespace, request: PlanRequest) -> int:
    """Print the plan; with --apply and the right --confirm do it and print the outcome."""
    if args.apply and not args.confirm:
        raise ValidationError("--apply needs --confirm NAME; the plan (without --apply) says which name")

    async def work(storage: Storage) -> int:
        plan = await storage.operations.plan(request)
        nothing = plan.refused.startswith("nothing to do")
        if not args.apply or plan.refused:
            _print_plan(plan, args)
            return 0 if nothing or not plan.refused else 1
        if not args.json:
            _print_plan(plan, args)
        outcome = await storage.operations.apply(plan, args.confirm, actor(), _progress)
        _print_outcome(plan, outcome, args)
        return 0 if outcome.ok else 1

    return with_storage(args, work)


def _progress(done: int, total: int, target: str) -> None:
    if target:
        say(f"{done + 1} of {total}: {target}")


def _print_plan(plan: Plan, args: argparse.Namespace) -> None:
    if args.json:
        print_json({"plan": plan, "applied": False})
        return
    print(f"{plan.title}: {plan.summary}")
    for target, statement in zip(plan.targets, plan.statements, strict=False):
        print(f"  {target.name}  {target.note}".rstrip())
        print(f"    {statement}")
    for warning in plan.warnings:
        say(f"note: {warning}")
    if plan.refused:
        say(f"jumpwatch: {plan.refused}")
    elif not args.apply:
        say(f"nothing was changed; to do it: --apply --confirm {plan.confirm}")


def _print_outcome(plan: Plan, outcome: Outcome, args: argparse.Namespace) -> None:
    if args.json:
        print_json({"plan": plan, "applied": True, "outcome": outcome})
        return
    print(f"{'done' if outcome.ok else 'FAILED'}: {outcome.summary} (audit {outcome.audit_id})")
    for target, reason in outcome.failed:
        say(f"  {target}: {reason}")


def _chunk_row(chunk: ChunkInfo) -> tuple[str, ...]:
    state = "partly compressed" if chunk.partial else "compressed" if chunk.compressed else "plain"
    return (
        chunk.hypertable,
        chunk.name,
        moment(chunk.start, form="%Y-%m-%d %H:%M"),
        moment(chunk.end, form="%Y-%m-%d %H:%M"),
        state,
        long_bytes(chunk.total_bytes),
        ratio(chunk.ratio),
        count(chunk.rows),
    )


def _print_view(view: DatabaseView) -> None:
    capability = view.capability
    lines: list[tuple[str, Any]] = [("database", view.name), ("state", view.state.value + _after(": ", view.detail))]
    if capability is not None:
        extension = capability.extension_version
        lines += [
            ("mode", capability.mode.value),
            ("server", f"PostgreSQL {capability.server_version} ({capability.kind})"),
            ("timescaledb", f"{extension} ({capability.licence})" if extension else "not installed"),
            ("compression", "yes" if capability.compression else "needs TimescaleDB"),
            ("role", capability.role + (" (superuser)" if capability.superuser else "")),
        ]
    lines += [("size", long_bytes(view.database_bytes)), ("ratio", ratio(view.ratio))]
    for name, text in lines:
        print(f"{name:<12} {text}")
    if view.hypertables:
        print()
        print_table(
            ("TABLE", "CHUNKS", "COMPRESSED", "SIZE", "RATIO", "COMPRESS AFTER", "DROP AFTER"),
            [
                (
                    table.name,
                    count(table.chunks),
                    count(table.compressed_chunks),
                    long_bytes(table.total_bytes),
                    ratio(table.ratio),
                    span(table.compress_after_s),
                    span(table.drop_after_s),
                )
                for table in view.hypertables
            ],
            right=frozenset({1, 2, 3, 4}),
        )
    _print_jobs_and_health(view)


def _print_jobs_and_health(view: DatabaseView) -> None:
    if view.jobs:
        print()
        words = {True: "ok", False: "FAILED", None: "–"}
        print_table(
            ("JOB", "NAME", "TABLE", "LAST RUN (UTC)", "RESULT", "NEXT RUN (UTC)", "LAST ERROR"),
            [
                (
                    str(job.job_id),
                    job.name,
                    job.hypertable or "",
                    moment(job.last_run),
                    words[job.last_ok],
                    moment(job.next_run),
                    job.last_error or "",
                )
                for job in view.jobs
            ],
        )
    if view.health:
        print()
        marks = {True: "ok", False: "FAILED", None: "not known"}
        print_table(("CHECK", "RESULT", "DETAIL"), [(c.name, marks[c.ok], c.text) for c in view.health])


def _after(mark: str, text: str) -> str:
    return f"{mark}{text}" if text else ""
