"""A plain SSH client for the simulator's tests: asyncssh and our own frame reader, no pool."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncssh

from core.collectors.assemble import SampleAssembler
from core.collectors.frame import FrameReader
from core.collectors.loop import LoopRequest
from core.models import Host, HostSample


async def connect(host: Host, **changes: Any) -> asyncssh.SSHClientConnection:
    options: dict[str, Any] = {
        "username": host.user,
        "client_keys": list(host.identity_files),
        "known_hosts": host.known_hosts,
        "agent_path": None,
        "config": None,
    }
    return await asyncio.wait_for(asyncssh.connect(host.address, host.port or 0, **{**options, **changes}), 10)


async def open_loop(
    connection: asyncssh.SSHClientConnection, request: LoopRequest, program: bytes | None = None
) -> asyncssh.SSHClientProcess[bytes]:
    process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(request.command, encoding=None)
    process.stdin.write(request.stdin if program is None else program)
    return process


async def samples(host: Host, count: int, interval_s: float = 0.25) -> list[HostSample]:
    """Return the first samples of a host's loop."""
    request = LoopRequest(interval_s)
    reader, assembler = FrameReader(request.nonce, 256 << 10), SampleAssembler(host.name)
    found: list[HostSample] = []
    async with await connect(host) as connection, await open_loop(connection, request) as process:
        async with asyncio.timeout(30):
            while len(found) < count:
                data = await process.stdout.read(1 << 16)
                assert data, "the loop ended"
                found += [assembler.feed(frame, datetime.now(UTC)) for frame in reader.feed(data)]
        process.stdin.write_eof()
    return found
