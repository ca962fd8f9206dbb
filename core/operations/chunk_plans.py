"""Plans for one chunk: take its newer rows in, sort it, drop it."""

from __future__ import annotations

from core.models import RAW_TABLES, Capability, ChunkInfo, PlanRequest
from core.operations import catalog
from core.operations.catalog import Action, bytes_in_words
from core.operations.planning import Planned, Work, find
from core.operations.steps import Around, Maker, Step, length, made, running
from core.ports import Tell


async def _recompress(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    chunk = find(await around.keeper.chunks(), str(request.arguments["chunk"]))

    async def work(_: Tell) -> None:
        await around.keeper.compress(chunk)

    newer = None if chunk.total_bytes is None else chunk.total_bytes - (chunk.after_bytes or 0)
    why = "" if chunk.partial else "it has no rows newer than its compression"
    return made(
        action, request, (_step(chunk, catalog.compress_statement(chunk, capability), work),),
        catalog.short_name(chunk.name),
        f"would take {bytes_in_words(newer)} of newer rows into the {bytes_in_words(chunk.after_bytes)} compressed",
        refused="" if chunk.partial else f"{chunk.name}: {why if chunk.compressed else 'it is not compressed'}",
    )  # fmt: skip


async def _reorder(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    chunk = find(await around.keeper.chunks(), str(request.arguments["chunk"]))
    index = await around.server.sort_index(chunk)
    statement = f"SELECT reorder_chunk({catalog.literal(chunk.name)}, {catalog.literal(index.name if index else '')})"
    refused = ""
    if chunk.compressed:
        refused = f"{chunk.name} is compressed: its rows are in order already"
    elif index is None:
        refused = f"{chunk.name} has no index to sort by"
    elif catalog.is_rollup(chunk.hypertable):
        refused = f"{chunk.hypertable} is a rollup: its chunks are written in order"
    warnings = []
    if chunk.end > around.now:
        warnings.append("this chunk is still being written: rows that come later lie unsorted again")
    by = index.name.rsplit(".", 1)[-1].strip('"') if index else "its key"
    return made(
        action, request, (_step(chunk, statement, running(around, statement, f"reorder {chunk.name}")),),
        catalog.short_name(chunk.name),
        f"would write {bytes_in_words(chunk.total_bytes)} anew, sorted by {by}; as much free space is taken meanwhile, "
        "and the chunk takes no rows for the moment of the swap",
        warnings=warnings, refused=refused,
    )  # fmt: skip


async def _drop(action: Action, request: PlanRequest, around: Around, capability: Capability) -> Planned:
    chunk = find(await around.keeper.chunks(), str(request.arguments["chunk"]))

    async def work(_: Tell) -> None:
        await around.keeper.drop(chunk)

    window, raw = around.retention.refresh_start, chunk.hypertable in RAW_TABLES
    refused = ""
    if chunk.end > around.now:
        refused = f"{chunk.name} is still being written"
    elif raw and chunk.end > around.now - window:
        refused = f"{chunk.name} is kept: rollups are refreshed over the last {length(window)}, and would lose its rows"
    rows = "" if chunk.rows is None else f", about {chunk.rows} rows"
    stays = (
        "raw samples are gone afterwards; what the rollups of 1 minute and 1 hour hold of them stays, and they are "
        "brought up to date before"
        if raw
        else "a rollup's rows are gone afterwards, and cannot be made again where their raw samples are gone"
    )
    return made(
        action, request, (_step(chunk, catalog.drop_statement(chunk, capability.mode), work),),
        catalog.short_name(chunk.name),
        f"would drop 1 chunk of {chunk.hypertable}, {bytes_in_words(chunk.total_bytes)}{rows}; this cannot be undone",
        warnings=(stays,), refused=refused,
    )  # fmt: skip


def _step(chunk: ChunkInfo, statement: str, work: Work) -> Step:
    return Step(catalog.target_of(chunk), statement, catalog.state_of(chunk), work)


PLANS: dict[str, Maker] = {"chunk.recompress": _recompress, "chunk.reorder": _reorder, "chunk.drop": _drop}
