"""From a request to a plan: the exact targets, read from storage at this moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.config import RetentionSettings
from core.exceptions import ResourceNotFoundError
from core.models import RAW_TABLES, Capability, ChunkInfo, Plan, PlanRequest, PlanTarget, keep_time, past_retention
from core.operations import catalog
from core.operations.catalog import Action, bytes_in_words
from core.ports import ChunkKeeper, Tell

Work = Callable[[Tell], Awaitable[None]]
"""One step; it may tell how far it is."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it stands on: the chunks it acts on, and each target's state."""

    plan: Plan
    chunks: tuple[ChunkInfo, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    work: tuple[tuple[str, Work], ...] = ()  # a step a target; empty: the service knows how
    all_or_nothing: bool = False  # a step that fails ends it


class Planner:
    """Reads the chunks and writes plans; changes nothing."""

    def __init__(self, keeper: ChunkKeeper, retention: Callable[[], RetentionSettings]) -> None:
        self._keeper, self._now_kept = keeper, retention

    @property
    def _retention(self) -> RetentionSettings:
        return self._now_kept()

    async def plan(self, request: PlanRequest, capability: Capability | None, now: datetime) -> Planned:
        """Return the plan of a request at a moment; ``refused`` says why it could not be applied."""
        action = catalog.action_of(request)
        refused = catalog.why_not(action, capability)
        if capability is None:
            return _made(action, request, (), (), short_target(request), "nothing can be read", refused=refused)
        if action.name in ("chunk.compress", "chunk.decompress"):
            planned = await self._one_chunk(action, request, capability, now)
        elif action.name == "chunk.compress-older":
            planned = await self._compress_older(action, request, capability, now)
        elif action.name == "retention.run":
            planned = await self._retention_run(action, request, capability, now)
        else:
            planned = _simple(action, request, capability)
        return replace(planned, plan=replace(planned.plan, refused=refused)) if refused else planned

    async def _one_chunk(self, action: Action, request: PlanRequest, capability: Capability, now: datetime) -> Planned:
        wanted = str(request.arguments["chunk"])
        chunk = find(await self._keeper.chunks(), wanted)
        compress = action.name == "chunk.compress"
        done = chunk.compressed and not chunk.partial if compress else not chunk.compressed
        statement = (
            catalog.compress_statement(chunk, capability) if compress else catalog.decompress_statement(chunk.name)
        )
        warnings = []
        if compress and chunk.end > now:
            warnings.append("this chunk is still being written: newer rows will make it partly compressed")
        elif compress and chunk.end > now - self._retention.spool_max_age:
            warnings.append("samples that waited in a spool may still land in this chunk")
        if not compress and chunk.end <= now - self._retention.compress_after:
            warnings.append("it is past the compression age: the policy will compress it again")
        verb = "compress" if compress else "decompress"
        return _made(
            action, request, (chunk,), (statement,), catalog.short_name(chunk.name),
            f"would {verb} 1 chunk of {chunk.hypertable}, {bytes_in_words(chunk.total_bytes)}"
            + ("" if compress else f" (before compression {bytes_in_words(chunk.before_bytes)})"),
            warnings=tuple(warnings),
            refused=f"{chunk.name} is {'compressed already' if compress else 'not compressed'}" if done else "",
        )  # fmt: skip

    async def _compress_older(
        self, action: Action, request: PlanRequest, capability: Capability, now: datetime
    ) -> Planned:
        hypertable = request.arguments.get("hypertable") or None
        every = await self._keeper.chunks(hypertable)
        if hypertable and not every:
            raise ResourceNotFoundError(f"no chunks of a table {hypertable[:80]!r}", operation=action.name)
        cut = now - self._retention.compress_after
        chunks = ordered(
            c for c in every
            if c.end <= cut and (not c.compressed or c.partial) and c.hypertable in RAW_TABLES
        )  # fmt: skip
        ratio = _ratio(every)
        total = _bytes(chunks)
        guess = f"; at the {ratio:.1f}x so far about {bytes_in_words(total / ratio)} stay" if ratio and total else ""
        return _made(
            action, request, chunks, tuple(catalog.compress_statement(c, capability) for c in chunks),
            catalog.short_name(hypertable) if hypertable else "compress-older",
            f"would compress {counted(chunks)} that ended before {cut:%Y-%m-%d %H:%M} UTC{guess}",
            refused="" if chunks else f"nothing to do: no uncompressed chunk ended before {cut:%Y-%m-%d %H:%M} UTC",
        )  # fmt: skip

    async def _retention_run(
        self, action: Action, request: PlanRequest, capability: Capability, now: datetime
    ) -> Planned:
        cut = now - self._retention.raw_retention
        chunks = past_retention(await self._keeper.chunks(), self._keep, now)
        rows = [c.rows for c in chunks if c.rows is not None]
        about = f", about {sum(rows)} rows" if rows else ""
        return _made(
            action, request, chunks, tuple(catalog.drop_statement(c, capability.mode) for c in chunks), "retention",
            f"would drop {counted(chunks)}{about}, all before {cut:%Y-%m-%d %H:%M} UTC; this cannot be undone",
            warnings=("raw samples are gone afterwards; the rollups of 1 minute and 1 hour stay",) if chunks else (),
            refused="" if chunks else f"nothing to do: no chunk ended before {cut:%Y-%m-%d %H:%M} UTC",
        )  # fmt: skip

    def _keep(self, table: str) -> timedelta | None:
        return keep_time(table, self._retention)


def short_target(request: PlanRequest) -> str:
    """Return what would have to be typed where the targets cannot be read."""
    return catalog.short_name(str(next(iter(request.arguments.values()), None) or request.action))


def _simple(action: Action, request: PlanRequest, capability: Capability) -> Planned:
    if action.name == "job.run":
        job_id = int(request.arguments["job_id"])
        target, confirm = PlanTarget(f"job {job_id}"), str(job_id)
        statement, summary = (
            catalog.job_statement(job_id, capability.mode),
            f"would run job {job_id} now and wait for it",
        )
    else:
        table = str(request.arguments["table"])
        target, confirm = PlanTarget(table), catalog.short_name(table)
        statement, summary = (
            catalog.analyze_statement(table),
            f"would read a sample of {table} and refresh its statistics",
        )
    states = ((target.name, ""),)
    plan = Plan(
        request, action.title, (target,), (statement,), confirm, action.destructive, summary,
        catalog.plan_hash(request, states),
    )  # fmt: skip
    return Planned(plan, (), states)


def _made(
    action: Action,
    request: PlanRequest,
    chunks: tuple[ChunkInfo, ...],
    statements: tuple[str, ...],
    confirm: str,
    summary: str,
    *,
    warnings: tuple[str, ...] = (),
    refused: str = "",
) -> Planned:
    states = tuple((chunk.name, catalog.state_of(chunk)) for chunk in chunks)
    plan = Plan(
        request=request,
        title=action.title,
        targets=tuple(catalog.target_of(chunk) for chunk in chunks),
        statements=statements,
        confirm=confirm,
        destructive=action.destructive,
        summary=summary,
        hash=catalog.plan_hash(request, states),
        warnings=warnings,
        refused=refused,
    )
    return Planned(plan, chunks, states)


def find(chunks: Sequence[ChunkInfo], wanted: str) -> ChunkInfo:
    """Return the chunk of that name, with or without its schema; ResourceNotFoundError where none or several are."""
    exact = [chunk for chunk in chunks if chunk.name == wanted]
    found = exact or [chunk for chunk in chunks if catalog.short_name(chunk.name) == wanted]
    if len(found) != 1:
        why = "there is no chunk" if not found else "several chunks are called"
        raise ResourceNotFoundError(f"{why} {wanted[:120]!r}: `jumpwatch db chunks` lists them", operation="plan")
    return found[0]


def ordered(chunks: Iterable[ChunkInfo]) -> tuple[ChunkInfo, ...]:
    """Return chunks in the order that they are acted on: oldest first."""
    return tuple(sorted(chunks, key=lambda c: (c.start, c.hypertable, c.name)))


def _bytes(chunks: Sequence[ChunkInfo]) -> int:
    return sum(chunk.total_bytes or 0 for chunk in chunks)


def counted(chunks: Sequence[ChunkInfo]) -> str:
    """Return chunks in figures: how many, of how many tables, and their bytes."""
    tables = len({chunk.hypertable for chunk in chunks})
    return (
        f"{len(chunks)} chunk{'' if len(chunks) == 1 else 's'} of {tables} table{'' if tables == 1 else 's'}, "
        f"{bytes_in_words(_bytes(chunks))}"
    )


def _ratio(chunks: Sequence[ChunkInfo]) -> float | None:
    done = [c for c in chunks if c.compressed and c.before_bytes and c.after_bytes]
    before, after = sum(c.before_bytes or 0 for c in done), sum(c.after_bytes or 0 for c in done)
    return before / after if after else None
