"""Plans for tables and rollups: vacuum, analyse, indexes anew, what a cut REINDEX left, a window rolled up anew."""

from __future__ import annotations

from datetime import datetime

from core.exceptions import ValidationError
from core.models import Capability, IndexInfo, PlanRequest, PlanTarget, RelationFacts, StorageMode
from core.operations import catalog
from core.operations.catalog import Action, bytes_in_words
from core.operations.planning import Planned, Work, counted
from core.operations.steps import Around, Maker, Step, made, moment, running
from core.ports import Tell

_WIDTH_S = {"1m": 60, "1h": 3600}
_NO_REINDEX = (
    "TimescaleDB takes no REINDEX CONCURRENTLY of a whole hypertable, and without CONCURRENTLY it would lock out the "
    "writer: name one of its chunks (`jumpwatch db chunks`); old ones are compressed or dropped instead"
)


async def _vacuum(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    facts = await around.server.relation(str(request.arguments["table"]))
    statement = f"VACUUM (ANALYZE) {facts.quoted}"
    dead = facts.info.dead_rows
    gain = "how many rows are dead is not known" if dead is None else f"{dead} dead rows make room for new ones"
    return made(
        action, request, (_step(around, facts, statement, "vacuum"),), catalog.short_name(facts.info.name),
        f"would read {_size(facts)}; {gain}. The file itself does not shrink; rows can be read and written meanwhile",
    )  # fmt: skip


async def _analyze(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    facts = await around.server.relation(str(request.arguments["table"]))
    statement = f"ANALYZE {facts.quoted}"
    rows = "" if facts.changed_rows is None else f"; {facts.changed_rows} rows were changed since the last time"
    return made(
        action, request, (_step(around, facts, statement, "analyze"),), catalog.short_name(facts.info.name),
        f"would read a sample of {facts.info.name} and refresh its statistics{rows}",
    )  # fmt: skip


async def _reindex(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    facts = await around.server.relation(str(request.arguments["table"]))
    steps = [_drop_index(around, index) for index in facts.indexes if index.left_over]
    sound = [index for index in facts.indexes if not index.left_over]
    for index in sound:
        statement = f"REINDEX INDEX CONCURRENTLY {index.name}"
        target = PlanTarget(index.name, f"index of {facts.info.name}, {bytes_in_words(index.bytes)}", index.bytes)
        steps.append(Step(target, statement, "", running(around, statement, f"reindex {index.name}")))
    refused = ""
    if capability.single_session:
        refused = "this engine has one session: REINDEX CONCURRENTLY would wait for itself"
    elif facts.info.kind in ("hypertable", "rollup") and capability.mode is StorageMode.TIMESCALEDB:
        refused = _NO_REINDEX
    elif any(index.building for index in facts.indexes):
        refused = f"somebody builds an index of {facts.info.name} just now"
    elif not sound:
        refused = f"{facts.info.name} has no index"
    left = len(facts.indexes) - len(sound)
    total = sum(index.bytes or 0 for index in sound) or facts.info.index_bytes
    return made(
        action, request, steps, catalog.short_name(facts.info.name),
        f"would build {len(sound)} index{'' if len(sound) == 1 else 'es'} of {facts.info.name} anew, "
        f"{bytes_in_words(total)}, with as much free space taken meanwhile; rows can be read and written"
        + (f"; {left} half-built from a cut REINDEX would be dropped before" if left else ""),
        warnings=("it waits for every transaction that was open when it began",), refused=refused,
    )  # fmt: skip


async def _clean(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    found = await around.server.leftovers()
    idle = [index for index in found if not index.building]
    busy = len(found) - len(idle)
    warnings = (f"{busy} more belong to a REINDEX that is at work just now",) if busy else ()
    return made(
        action, request, [_drop_index(around, index, single=capability.single_session) for index in idle], "indexes",
        f"would drop {len(idle)} half-built index{'' if len(idle) == 1 else 'es'}, "
        f"{bytes_in_words(sum(index.bytes or 0 for index in idle))}: no query uses them, every insert keeps them up",
        warnings=warnings, refused="" if idle else "nothing to do: no REINDEX left a half-built index",
    )  # fmt: skip


async def _refresh(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    rollup = str(request.arguments["rollup"])
    width = _WIDTH_S.get(rollup.rpartition("_")[2], 0)
    stop = _time(request, "stop") or around.now
    start = _time(request, "start") or stop - around.retention.refresh_start
    if start >= stop:
        raise ValidationError(f"rollup.refresh: the start ({moment(start)}) must be before the stop ({moment(stop)})")
    whole = min(stop, around.now).timestamp() // width * width if width else stop.timestamp()  # no bucket half full
    window = await around.server.window(rollup, start, datetime.fromtimestamp(whole, stop.tzinfo))
    if window is None:
        why = (
            f"there is no raw data of {rollup.rpartition('_')[0]} in that time: a refresh would empty the rollup there"
        )
        return made(action, request, (), rollup, "nothing would be done", refused=f"nothing to do: {why}")
    first, last = window
    work = _refreshing(around, rollup, first, last)
    raw = [c for c in await around.keeper.chunks(rollup.rpartition("_")[0]) if c.end > first and c.start < last]
    statement = _refresh_statement(rollup, first, last, capability.mode)
    buckets = round((last - first).total_seconds() / width) if width else 0
    warnings = ["what nobody wrote to since it was rolled up is not rolled up again"]
    if capability.mode is not StorageMode.TIMESCALEDB:
        warnings = ["every row of that time is read, in pieces of a chunk's length"]
    if first > start:
        warnings.append(f"it begins at {moment(first)}: before that raw data is gone, and a refresh would empty it")
    note = f"{moment(first)} to {moment(last)}"
    return made(
        action, request, (Step(PlanTarget(rollup, note), statement, f"{first}|{last}", work),), rollup,
        f"would roll up {buckets} buckets of {rollup} anew, from {counted(raw)}",
        warnings=warnings,
    )  # fmt: skip


def _refreshing(around: Around, rollup: str, first: datetime, last: datetime) -> Work:
    async def work(_: Tell) -> None:
        await around.server.refresh(rollup, first, last)

    return work


def _refresh_statement(rollup: str, first: datetime, last: datetime, mode: StorageMode) -> str:
    if mode is StorageMode.TIMESCALEDB:
        return f"CALL refresh_continuous_aggregate('{rollup}', '{first.isoformat()}', '{last.isoformat()}')"
    source = rollup.rpartition("_")[0]
    return (
        f"INSERT INTO {rollup} SELECT ... FROM {source} WHERE ts >= '{first.isoformat()}' "  # noqa: S608 - for people
        f"AND ts < '{last.isoformat()}' GROUP BY ... ON CONFLICT ... DO UPDATE"
    )


def _time(request: PlanRequest, key: str) -> datetime | None:
    text = request.arguments.get(key)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValidationError(f"{request.action}: {key} must be a time with its zone, such as 2030-01-31T18:00:00Z")
    return at


def _step(around: Around, facts: RelationFacts, statement: str, verb: str) -> Step:
    info = facts.info
    words = [info.kind + (f" of {facts.parts} parts" if facts.parts else ""), bytes_in_words(info.total_bytes)]
    if info.live_rows is not None:
        words.append(f"about {info.live_rows} rows, {info.dead_rows or 0} dead")
    words += [f"vacuumed {moment(info.vacuumed)}", f"analysed {moment(info.analyzed)}"]
    target = PlanTarget(info.name, ", ".join(words), info.total_bytes)
    return Step(target, statement, facts.quoted, running(around, statement, f"{verb} {info.name}"))


def _drop_index(around: Around, index: IndexInfo, *, single: bool = False) -> Step:
    statement = f"DROP INDEX {'' if single else 'CONCURRENTLY '}IF EXISTS {index.name}"
    target = PlanTarget(index.name, f"half built, of {index.table}, {bytes_in_words(index.bytes)}", index.bytes)
    return Step(target, statement, "left", running(around, statement, f"drop {index.name}"))


def _size(facts: RelationFacts) -> str:
    parts = f" in {facts.parts} parts" if facts.parts else ""
    return f"{facts.info.name}, {bytes_in_words(facts.info.total_bytes)}{parts}"


PLANS: dict[str, Maker] = {
    "table.vacuum": _vacuum,
    "table.analyze": _analyze,
    "table.reindex": _reindex,
    "index.clean": _clean,
    "rollup.refresh": _refresh,
}
