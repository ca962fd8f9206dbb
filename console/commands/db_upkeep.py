"""jumpwatch db: upkeep of jobs, policies, tables, rollups, sessions and single chunks, by plan and confirmation."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.commands.db import act, with_storage
from console.commands.output import print_json, print_table, say
from console.formatting import age, count, long_bytes, moment
from core.models import PlanRequest

if TYPE_CHECKING:
    from console.composition.storage import Storage
    from core.models import SessionInfo


def recompress(args: argparse.Namespace) -> int:
    """Take the newer rows of a compressed chunk in."""
    return act(args, PlanRequest("chunk.recompress", {"chunk": args.chunk}))


def reorder(args: argparse.Namespace) -> int:
    """Write one chunk anew, sorted by its key."""
    return act(args, PlanRequest("chunk.reorder", {"chunk": args.chunk}))


def drop_chunk(args: argparse.Namespace) -> int:
    """Drop one chunk."""
    return act(args, PlanRequest("chunk.drop", {"chunk": args.chunk}))


def policy(args: argparse.Namespace) -> int:
    """Change a policy."""
    return act(args, PlanRequest("policy.set", {"policy": args.policy.replace("-", "_"), "value": args.value}))


def pause(args: argparse.Namespace) -> int:
    """Stop a background job."""
    return act(args, PlanRequest("job.pause", {"job_id": args.job_id}))


def resume(args: argparse.Namespace) -> int:
    """Let a stopped background job run again."""
    return act(args, PlanRequest("job.resume", {"job_id": args.job_id}))


def fix(args: argparse.Namespace) -> int:
    """Run a failed job again, and schedule it."""
    return act(args, PlanRequest("job.fix", {"job_id": args.job_id}))


def refresh(args: argparse.Namespace) -> int:
    """Roll raw data up anew over a window."""
    window = {key: value for key, value in (("start", args.start), ("stop", args.stop)) if value}
    return act(args, PlanRequest("rollup.refresh", {"rollup": args.rollup, **window}))


def vacuum(args: argparse.Namespace) -> int:
    """Vacuum a table or chunk."""
    return act(args, PlanRequest("table.vacuum", {"table": args.table}))


def reindex(args: argparse.Namespace) -> int:
    """Build the indexes of a table or chunk anew."""
    return act(args, PlanRequest("table.reindex", {"table": args.table}))


def clean_indexes(args: argparse.Namespace) -> int:
    """Drop what a cut REINDEX left half built."""
    return act(args, PlanRequest("index.clean"))


def cancel(args: argparse.Namespace) -> int:
    """Cancel what a session is doing."""
    return act(args, PlanRequest("session.cancel", {"pid": args.pid}))


def terminate(args: argparse.Namespace) -> int:
    """End a session."""
    return act(args, PlanRequest("session.terminate", {"pid": args.pid}))


def activity(args: argparse.Namespace) -> int:
    """Print the sessions, those that work first."""

    async def work(storage: Storage) -> int:
        view = await storage.database.view()
        found = view.activity
        if args.json:
            print_json(found)
            return 0
        now = view.at or datetime.now(UTC)
        sessions = found.sessions if found else ()
        print_table(
            ("PID", "USER", "APPLICATION", "WHOSE", "STATE", "QUERY", "TRANSACTION", "WAITS FOR", "STATEMENT"),
            [_session_row(session, now) for session in sessions],
            right=frozenset({0, 5, 6}),
        )
        if found and found.left_out:
            say(f"{found.left_out} more sessions are not shown")
        if found and not found.sees_all:
            say("this role sees no statements of other roles: GRANT pg_read_all_stats shows them")
        if not sessions:
            say("no session but this one")
        return 0

    return with_storage(args, work)


def _session_row(session: SessionInfo, now: datetime) -> tuple[str, ...]:
    def since(at: datetime | None) -> str:
        return age((now - at).total_seconds()) if at else ""

    return (
        str(session.pid),
        session.user or "",
        session.application,
        session.kind.value,
        session.state or ("not to be seen" if session.hidden else ""),
        since(session.query_start) if session.state == "active" else "",
        since(session.transaction),
        session.wait or "",
        "not to be seen with this role" if session.hidden else " ".join(session.query.split())[:80],
    )


def sizes(args: argparse.Namespace) -> int:
    """Print the tables by size."""

    async def work(storage: Storage) -> int:
        view = await storage.database.view()
        if args.json:
            print_json(view.relations)
            return 0
        print_table(
            ("TABLE", "KIND", "SIZE", "INDEXES", "ROWS", "DEAD", "VACUUMED (UTC)", "ANALYSED (UTC)"),
            [
                (
                    info.name,
                    info.kind,
                    long_bytes(info.total_bytes),
                    long_bytes(info.index_bytes),
                    count(info.live_rows),
                    count(info.dead_rows),
                    moment(info.vacuumed),
                    moment(info.analyzed),
                )
                for info in view.relations
            ],
            right=frozenset({2, 3, 4, 5}),
        )
        return 0

    return with_storage(args, work)
