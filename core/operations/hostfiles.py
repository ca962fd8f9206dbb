"""Copying a file to or from one host: what stands at its end is told first, and must be named to be replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import monotonic

from core.exceptions import InfrastructureException, ResourceNotFoundError, ValidationError
from core.models import Capability, HostResult, Plan, PlanRequest, PlanTarget
from core.operations import catalog
from core.operations.catalog import bytes_in_words
from core.operations.hostplan import HostPlanned
from core.ports import FileInfo, HostReach

SEND = "file.send"
OnPercent = Callable[[int, str], None]
"""Called with the share copied in percent, and that in words."""


async def plan_copy(request: PlanRequest, reach: HostReach, capability: Capability | None) -> HostPlanned:
    """Return the plan; raises where the source is not there. What is typed names the file that is lost, if any."""
    action = catalog.action_of(request)
    name, local, remote = _places(request)
    host = reach.host(name)
    send = request.action == SEND
    async with reach.session(host.name) as session:
        theirs = await session.file_info(str(remote))
        if theirs.kind == "folder":
            remote = remote / local.name
            theirs = await session.file_info(str(remote))
    ours = await asyncio.to_thread(_look_here, local)
    if ours.kind == "folder" and not send:
        local = local / remote.name
        ours = await asyncio.to_thread(_look_here, local)
    source, target = (ours, theirs) if send else (theirs, ours)
    source_name, target_name = (str(local), f"{name}:{remote}") if send else (f"{name}:{remote}", str(local))
    if source.kind != "file":
        what = "is not there" if source.kind == "missing" else f"is no file but a {source.kind}"
        raise ResourceNotFoundError(f"{source_name} {what}", operation=request.action)
    refused = catalog.why_not(action, capability)
    if target.kind not in ("missing", "file"):
        refused = refused or f"{target_name} is no file but a {target.kind}: nothing is written over it"
    replaced = target.kind == "file"
    note = f"replaces {_words(target)}" if replaced else "new"
    states = ((source_name, _state(source)), (target_name, _state(target)))
    plan = Plan(
        request=request,
        title=action.title,
        targets=(PlanTarget(name, f"{target_name}, {note}"),),
        statements=(f"sftp: {source_name} ({_words(source)}) -> {target_name}",),
        confirm=(remote if send else local).name if replaced else name,
        destructive=replaced,
        summary=f"would copy {bytes_in_words(source.size)} {'over a file' if replaced else 'to a new file'}",
        hash=catalog.plan_hash(request, states),
        warnings=(f"{target_name} is there already ({_words(target)}): it is replaced",) if replaced else (),
        refused=refused,
    )
    return HostPlanned(plan, (), states)


async def copy(planned: HostPlanned, reach: HostReach, on_percent: OnPercent) -> HostResult:
    """Copy as planned; what fails never raises, and leaves what was there before."""
    plan = planned.plan
    request, began = plan.request, monotonic()
    name, local, remote = _places(request)
    overwrite, send = plan.destructive, request.action == SEND
    copied = 0

    def on_bytes(done: int, total: int) -> None:
        nonlocal copied
        copied = done
        on_percent(done * 100 // max(1, total), f"{bytes_in_words(done)} of {bytes_in_words(total)}")

    try:
        async with reach.session(name) as session:
            if send:
                if (await session.file_info(str(remote))).kind == "folder":
                    remote = remote / local.name
                await session.send_file(str(local), str(remote), overwrite=overwrite, on_bytes=on_bytes)
            else:
                if await asyncio.to_thread(local.is_dir):
                    local = local / remote.name
                await session.fetch_file(str(remote), str(local), overwrite=overwrite, on_bytes=on_bytes)
    except InfrastructureException as error:
        return HostResult(name, False, note=error.message, seconds=monotonic() - began)
    note = f"{bytes_in_words(copied)} copied to {f'{name}:{remote}' if send else local}"
    return HostResult(name, True, note=note, seconds=monotonic() - began)


def _places(request: PlanRequest) -> tuple[str, Path, PurePosixPath]:
    names = str(request.arguments["hosts"]).split()
    if len(names) != 1:
        raise ValidationError("a file is copied to or from one host at a time")
    local, remote = str(request.arguments["local"]), str(request.arguments["remote"])
    for path in (local, remote):
        if any(not sign.isprintable() for sign in path) or len(path) > 4000:
            raise ValidationError("a path is one line of at most 4000 printable characters")
    return names[0], Path(local).expanduser().absolute(), PurePosixPath(remote)


def _look_here(path: Path) -> FileInfo:
    try:
        found = path.stat()
    except FileNotFoundError:
        return FileInfo("missing")
    except OSError as error:
        raise ResourceNotFoundError(f"{path}: {error.strerror}", operation="copy") from None
    kind = "folder" if path.is_dir() else "file" if path.is_file() else "other"
    return FileInfo(kind, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _state(info: FileInfo) -> str:
    return f"{info.kind}|{info.size}|{info.modified}" if info.kind == "file" else info.kind


def _words(info: FileInfo) -> str:
    when = f", of {info.modified:%Y-%m-%d %H:%M} UTC" if info.modified else ""
    return f"{bytes_in_words(info.size)}{when}"
