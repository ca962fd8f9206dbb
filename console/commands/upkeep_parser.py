"""The flags of the database's upkeep commands; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Adder = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a command: its name, the function that runs it, its text."""

POLICIES = ("compress-after", "raw-retention", "rollup-minute-retention", "rollup-hour-retention")
_PLAN = "; prints the plan only, unless --apply"


def add_upkeep(add: Adder) -> None:
    """Add the commands that act on jobs, policies, tables, rollups, sessions and single chunks."""

    def act(name: str, text: str) -> argparse.ArgumentParser:
        parser = add(name, f"db_upkeep:{name.replace('-', '_')}", text + _PLAN)
        parser.add_argument("--apply", action="store_true", help="do it (needs --confirm)")
        parser.add_argument("--confirm", metavar="NAME", help="the name that the plan asks for")
        return parser

    for name, text in (
        ("recompress", "take the newer rows of a compressed chunk in"),
        ("reorder", "write one chunk anew, sorted by its key"),
        ("drop-chunk", "drop one chunk, once it is rolled up"),
    ):
        act(name, text).add_argument("chunk", metavar="CHUNK")
    policy = act("policy", "change the age at which chunks are compressed or dropped")
    policy.add_argument("policy", choices=POLICIES)
    policy.add_argument("value", metavar="TIME", help="such as '14 days' or 36h; `settings` for what the settings say")
    for name, text in (
        ("pause", "stop one background job"),
        ("resume", "let a stopped background job run again"),
        ("fix", "run a failed background job again, and schedule it"),
    ):
        act(name, text).add_argument("job_id", type=int, metavar="ID")
    refresh = act("refresh", "roll raw data up anew")
    refresh.add_argument("rollup", metavar="ROLLUP", help="such as host_samples_1h")
    refresh.add_argument(
        "--from", dest="start", metavar="TIME", help="2030-01-31T18:00:00Z; default: as far as jobs do"
    )
    refresh.add_argument("--to", dest="stop", metavar="TIME", help="default: now")
    act("vacuum", "make the room of dead rows usable again").add_argument("table", metavar="TABLE|CHUNK")
    act("reindex", "build the indexes of a table or chunk anew, without locking it").add_argument(
        "table", metavar="TABLE|CHUNK"
    )
    act("clean-indexes", "drop the indexes that a cut REINDEX left half built")
    act("cancel", "cancel what a session is doing").add_argument("pid", type=int, metavar="PID")
    act("terminate", "end a session").add_argument("pid", type=int, metavar="PID")
    add("activity", "db_upkeep:activity", "list the sessions of the database")
    add("sizes", "db_upkeep:sizes", "list the tables by size, with dead rows and the last vacuum")
