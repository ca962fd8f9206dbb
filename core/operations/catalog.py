"""The actions that may be run: names, titles, rights needed, and the exact SQL. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.exceptions import ValidationError
from core.models import Capability, ChunkInfo, PlanRequest, PlanTarget, StorageMode

NEEDS_TIMESCALE = (
    "needs TimescaleDB with its community licence: install the timescaledb extension on the server, "
    "or point JUMPWATCH_DATABASE_URL at a server that has it, and run `jumpwatch db init` there"
)


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the catalog; ``arguments`` maps names to their types, required where the type stands alone."""

    name: str
    title: str
    arguments: Mapping[str, type]
    destructive: bool = False  # takes data away for good
    optional: frozenset[str] = frozenset()
    needs_compression: bool = False
    of_alerts: bool = False  # touches what was said of alerts, which a writer may
    of_inventory: bool = False  # touches the inventory or hosts; the database keeps its audit alone
    needs_timescale: str = ""  # what of it needs TimescaleDB
    of_sessions: bool = False  # touches other sessions of the server


_HOSTS = {"hosts": str}  # names with blanks between
HOST_ACTIONS = (  # what is done on hosts; the database keeps its audit alone
    *(
        Action(f"unit.{verb}", f"{verb.capitalize()} a unit", {**_HOSTS, "unit": str}, of_inventory=True)
        for verb in ("restart", "start", "stop", "reload")
    ),
    *(
        Action(
            f"container.{verb}",
            f"{verb.capitalize()} a container",
            {**_HOSTS, "container": str, "engine": str},
            of_inventory=True,
        )
        for verb in ("restart", "start", "stop")
    ),
    Action("host.reboot", "Reboot hosts", _HOSTS, destructive=True, of_inventory=True),
    Action(
        "host.run",
        "Run a command on hosts",
        {**_HOSTS, "command": str, "words": str, "sudo": str, "timeout_s": int},
        optional=frozenset({"command", "words", "sudo", "timeout_s"}),
        of_inventory=True,
    ),
    *(
        Action(
            f"file.{verb}",
            f"Copy a file {way} a host",
            {**_HOSTS, "local": str, "remote": str},
            of_inventory=True,
        )
        for verb, way in (("send", "to"), ("fetch", "from"))
    ),
)

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("chunk.compress", "Compress a chunk", {"chunk": str}, needs_compression=True),
        Action("chunk.decompress", "Decompress a chunk", {"chunk": str}, needs_compression=True),
        Action(
            "chunk.compress-older",
            "Compress all chunks past the compression age",
            {"hypertable": str},
            optional=frozenset({"hypertable"}),
            needs_compression=True,
        ),
        Action(
            "chunk.recompress", "Take a chunk's newer rows into compression", {"chunk": str}, needs_compression=True
        ),
        Action("chunk.reorder", "Sort a chunk by its key", {"chunk": str}, needs_timescale="sorting a chunk in place"),
        Action("chunk.drop", "Drop one chunk", {"chunk": str}, destructive=True),
        Action("retention.run", "Drop raw data past its retention", {}, destructive=True),
        Action("policy.set", "Change a policy", {"policy": str, "value": str}),
        Action("job.run", "Run a background job now", {"job_id": int}),
        Action("job.fix", "Run a failed job again, and let it be scheduled", {"job_id": int}),
        Action("job.pause", "Stop a background job", {"job_id": int}),
        Action("job.resume", "Let a stopped background job run again", {"job_id": int}),
        Action(
            "rollup.refresh",
            "Roll raw data up anew",
            {"rollup": str, "start": str, "stop": str},
            optional=frozenset({"start", "stop"}),
        ),
        Action("table.vacuum", "Vacuum a table", {"table": str}),
        Action("table.reindex", "Build a table's indexes anew, without locking it", {"table": str}),
        Action("index.clean", "Drop the indexes that a cut REINDEX left half built", {}),
        Action("session.cancel", "Cancel what a session is doing", {"pid": int}, of_sessions=True),
        Action("session.terminate", "End a session", {"pid": int}, destructive=True, of_sessions=True),
        Action(
            "maintenance.on",
            "Put hosts into maintenance",
            {"hosts": str, "until": str},
            optional=frozenset({"until"}),
            of_inventory=True,
        ),
        Action("maintenance.off", "End maintenance of hosts", {"hosts": str}, of_inventory=True),
        Action("alert.ack", "Acknowledge alerts", {"alerts": str, "note": str}, of_alerts=True),
        Action(
            "alert.silence",
            "Silence alerts for a time",
            {"alerts": str, "until": str, "note": str},
            optional=frozenset({"note"}),
            of_alerts=True,
        ),
        Action("alert.unsilence", "Take silences back", {"alerts": str}, of_alerts=True),
        Action("table.analyze", "Refresh the statistics of a table", {"table": str}),
        *HOST_ACTIONS,
    )
}


def action_of(request: PlanRequest) -> Action:
    """Return the catalog's entry of a request, its arguments checked; raises ValidationError."""
    action = ACTIONS.get(request.action)
    if action is None:
        raise ValidationError(f"no action {request.action[:60]!r}; there are {', '.join(ACTIONS)}")
    for key, value in request.arguments.items():
        kind = action.arguments.get(key)
        if kind is None:
            raise ValidationError(f"{action.name} takes no argument {key[:60]!r}")
        if value is None and key in action.optional:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValidationError(f"{action.name}: {key} must be {'a whole number' if kind is int else 'a text'}")
    for key in action.arguments:
        if key not in action.optional and request.arguments.get(key) in (None, ""):
            raise ValidationError(f"{action.name} needs {key}")
    return action


def why_not(action: Action, capability: Capability | None) -> str:
    """Say why the connected server cannot do the action; empty where it can."""
    if capability is None:
        return "the database is not connected"
    if action.needs_compression and not capability.compression:
        return f"compression {NEEDS_TIMESCALE}"
    if action.needs_timescale and not capability.compression:  # the Apache edition lacks it as well
        return f"{action.needs_timescale} {NEEDS_TIMESCALE}"
    if action.of_sessions:
        alone = "this engine has one session, which is this console's own" if capability.single_session else ""
        return alone or capability.why_no_write
    return capability.why_no_write if action.of_inventory or action.of_alerts else capability.why_no_upkeep


def short_name(name: str) -> str:
    """Return a chunk's or table's name without its schema: what is typed to confirm."""
    return name.rsplit(".", 1)[-1].strip('"')


def is_rollup(table: str) -> bool:
    """Say whether a table is a rollup (1 minute, 1 hour): kept longer than raw data, and never compressed by hand."""
    return table.endswith(("_1m", "_1h"))


def compress_statement(chunk: ChunkInfo, capability: Capability) -> str:
    """Return the SQL that compresses a chunk, or takes its newer rows in."""
    call = capability.recompress_call if chunk.compressed and chunk.partial else capability.compress_call
    return f"{call}({literal(chunk.name)})"


def decompress_statement(chunk: str) -> str:
    """Return the SQL that decompresses a chunk."""
    return f"SELECT decompress_chunk({literal(chunk)})"


def drop_statement(chunk: ChunkInfo, mode: StorageMode) -> str:
    """Return the SQL that drops exactly one chunk or partition; its rollups are brought up to date before."""
    if mode is StorageMode.TIMESCALEDB:
        bounds = f"older_than => '{chunk.end.isoformat()}', newer_than => '{chunk.start.isoformat()}'"
        return f"SELECT drop_chunks({literal(chunk.hypertable)}, {bounds})"
    name = short_name(chunk.name)
    return f"ALTER TABLE {chunk.hypertable} DETACH PARTITION {name}; DROP TABLE {name}"


def job_statement(job_id: int, mode: StorageMode) -> str:
    """Return the SQL that runs a job; without TimescaleDB the job is one of Jumpwatch's own."""
    return f"CALL run_job({job_id})" if mode is StorageMode.TIMESCALEDB else f"-- Jumpwatch's own job {job_id}"


def analyze_statement(table: str) -> str:
    """Return the SQL that refreshes a table's statistics."""
    return f"ANALYZE {table}"


def target_of(chunk: ChunkInfo) -> PlanTarget:
    """Return a chunk as a plan's target: range, size and state in words."""
    state = "compressed, with newer rows" if chunk.partial else "compressed" if chunk.compressed else "not compressed"
    rows = "" if chunk.rows is None else f", about {chunk.rows} rows"
    note = f"{chunk.hypertable}, {chunk.start:%Y-%m-%d %H:%M} to {chunk.end:%Y-%m-%d %H:%M} UTC, {state}, "
    return PlanTarget(chunk.name, note + bytes_in_words(chunk.total_bytes) + rows, chunk.total_bytes)


def state_of(chunk: ChunkInfo) -> str:
    """Return what must not change between plan and apply; sizes may, for an open chunk grows all the time."""
    return f"{chunk.start.isoformat()}|{chunk.end.isoformat()}|{chunk.compressed}|{chunk.partial}"


def plan_hash(request: PlanRequest, targets: Sequence[tuple[str, str]]) -> str:
    """Return the SHA-256 over the request and each target's name and state, in order."""
    picture: dict[str, Any] = {
        "action": request.action,
        "arguments": dict(request.arguments),
        "targets": [list(target) for target in targets],
    }
    return hashlib.sha256(json.dumps(picture, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def bytes_in_words(size: float | None) -> str:
    """Return bytes with a binary unit; "size unknown" for None."""
    if size is None:
        return "size unknown"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1023.95:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def change_in_words(before: int, after: int) -> str:
    """Return what became of a size, in the short form of the lists: ``448K → 96K, 4.7x``."""
    saved = f", {before / after:.1f}x" if 0 < after < before else ""
    return f"{_short(before)} → {_short(after)}{saved}"


def _short(size: float) -> str:
    unit = "B"
    for unit in "BKMGT":
        if abs(size) < 999.5 or unit == "T":
            break
        size /= 1024
    return f"{size:.{1 if unit != 'B' and abs(size) < 9.95 else 0}f}{unit}"


def literal(text: str) -> str:
    """Return a text as a constant of SQL."""
    return "'" + text.replace("'", "''") + "'"
