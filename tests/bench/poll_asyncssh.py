"""asyncssh as one uses it: a connection a poll, or a kept connection and a channel a poll."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter, process_time
from typing import Any

import asyncssh

from tests.bench.poll_client import allow_files, answer, order, rss, spread

Poll = Callable[[dict[str, Any]], Awaitable[None]]


class Client:
    """Polls each host over and over, all hosts side by side."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.hosts, self.command, self.kept = job["hosts"], job["command"], job["way"] == "channel"
        self.connections: dict[int, asyncssh.SSHClientConnection] = {}

    def connect(self, host: dict[str, Any]) -> Any:
        return asyncssh.connect(
            host["address"], host["port"], username=host["user"], client_keys=[host["key"]],
            known_hosts=host["known_hosts"], config=None, agent_path=None,
        )  # fmt: skip

    async def start(self, first: int, last: int) -> None:
        for number in range(first, last):
            if self.kept:
                self.connections[number] = await self.connect(self.hosts[number])
            await self.poll(number)

    async def poll(self, number: int) -> None:
        if self.kept:
            result = await self.connections[number].run(self.command, check=True)
        else:
            async with self.connect(self.hosts[number]) as connection:
                result = await connection.run(self.command, check=True)
        assert "MemAvailable" in str(result.stdout)

    async def measure(self, seconds: float, interval: float = 0.0) -> dict[str, Any]:
        """Poll each host over and over: as fast as it goes, or at an interval, the hosts one after the other."""
        times: list[float] = []
        begun = monotonic()
        end = begun + seconds

        async def go(number: int) -> None:
            due = begun + interval * number / len(self.hosts)
            while monotonic() < end:
                await asyncio.sleep(max(0.0, due - monotonic()))
                due += interval
                started = perf_counter()
                await self.poll(number)
                times.append(perf_counter() - started)

        wall, cpu = perf_counter(), process_time()
        await asyncio.gather(*(go(number) for number in range(len(self.hosts))))
        return {"samples": len(times), "cpu_s": process_time() - cpu, "wall_s": perf_counter() - wall, **spread(times)}

    async def stop(self) -> None:
        for connection in self.connections.values():
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*(c.wait_closed() for c in self.connections.values()))


async def main() -> None:
    allow_files()
    client = Client(order())
    count = len(client.hosts)
    await client.start(0, count // 4)
    before = rss()
    await client.start(count // 4, count)
    answer(ready=True, host_bytes=(rss() - before) / (count - count // 4))
    while (asked := await asyncio.to_thread(order))["do"] != "stop":
        answer(**await client.measure(asked["seconds"], asked.get("interval", 0.0)))
    await client.stop()


if __name__ == "__main__":
    asyncio.run(main())
