"""Follows a stream for a test: frames into samples, with a deadline."""

from __future__ import annotations

import asyncio
from datetime import datetime

from core.collectors.assemble import SampleAssembler
from core.models import Host, HostSample
from core.ports import HostSession
from core.ssh.pool import AsyncSSHFactory


async def take(session: HostSession, count: int, *, interval_s: float = 1.0, name: str = "real") -> list[HostSample]:
    """Return the first samples of a new stream on a session; raises what the stream raises."""
    assembler, samples, enough = SampleAssembler(name), [], asyncio.Event()

    def on_frame(frame: bytes, at: datetime) -> None:
        samples.append(assembler.feed(frame, at))
        if len(samples) >= count:
            enough.set()

    stream = await session.open_stream(on_frame, interval_s=interval_s)
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            closed = group.create_task(stream.wait_closed())
            full = group.create_task(enough.wait())
            await asyncio.wait([closed, full], return_when=asyncio.FIRST_COMPLETED)
            closed.cancel()
            full.cancel()
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        await stream.close()
    return samples


async def samples_of(
    factory: AsyncSSHFactory, host: Host, count: int = 2, *, interval_s: float = 1.0
) -> list[HostSample]:
    """Connect, take the first samples, close."""
    session = await factory.connect(host)
    try:
        return await take(session, count, interval_s=interval_s, name=host.name)
    finally:
        await session.close()
