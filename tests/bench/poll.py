"""Polling over SSH: ours beside asyncssh (a connection a poll, a channel a poll) and parallel-ssh, in one run.

Each client is a process of its own and measures in turn, while the others rest. The servers are the simulator, whose
every frame holds all sections (CPU, memory, load, pressure, 4 filesystems, 2 disks, 2 interfaces), and OpenSSH's sshd
with the program's own loop. The pulling clients fetch the fast files with one ``cat``: less than ours gets.

Aims are ratios: samples a second to connect-per-poll's; client CPU of channel-per-poll, both at a pace, to that of our
transport; CPU of the whole way (parse, event, sink, live state) to that of the transport alone, as asyncssh's callbacks
bring it. Our own transport takes a shorter way: the ratio to that is told beside, and no aim is set for it.
parallel-ssh is measured where it is installed, or where JUMPWATCH_BENCH_PEERS names a Python that has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.models import Host
from core.simulator.process import SimulatorProcess
from tests.bench.figures import Figure
from tests.ssh.sshd import running

FASTER, LEANER, WHOLE = 40.0, 20.0, 2.2
COMMAND = (
    "cat /proc/stat /proc/meminfo /proc/loadavg /proc/pressure/cpu /proc/pressure/memory /proc/pressure/io "
    "/proc/diskstats /proc/net/dev"
)
# Between two frames of a host: as busy as a fleet of 1000 at 1 Hz, and as fast as it goes (the simulator's least).
_PACED_S, _FAST_S = 0.04, {"simulator": 0.005, "OpenSSH": 0.001}
# Of a channel a poll: half of what it can do, for a client that never rests pays less for each.
_CHANNEL_S = 0.1
_READY_S = 90.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: hosts, the rounds of each comparison, and the seconds of one measurement."""

    hosts: int  # of the pulling clients, and of ours at full speed
    paced: int  # of ours at a pace, where CPU is measured
    rounds: int
    seconds: float


QUICK, FULL = Plan(8, 40, 1, 0.8), Plan(12, 40, 5, 3.0)


class Worker:
    """A client in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, host_bytes: float) -> None:
        self._process, self.host_bytes = process, host_bytes

    @classmethod
    @asynccontextmanager
    async def start(cls, module: str, job: dict[str, Any], python: str = sys.executable) -> AsyncIterator[Worker]:
        """Start it, let it poll every host once, and end it afterwards."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", f"tests.bench.{module}"), stdin=pipe, stdout=pipe, env={**os.environ, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        try:
            worker = cls(process, 0.0)
            worker.host_bytes = (await worker.ask(job))["host_bytes"]
            yield worker
            await worker._tell({"do": "stop"})
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order and return its answer."""
        assert self._process.stdout is not None
        await self._tell(order)
        async with asyncio.timeout(_READY_S):
            line = await self._process.stdout.readline()
        if not line:
            raise SystemExit("a client of the benchmark ended; its last words stand above")
        return dict(json.loads(line))


def job(hosts: Sequence[Host], count: int, **more: object) -> dict[str, Any]:
    """Tell a client whom to poll."""
    lines = [
        {
            "address": host.address, "port": host.port, "user": host.user,
            "key": host.identity_files[0], "known_hosts": host.known_hosts,
        }
        for host in hosts
    ]  # fmt: skip
    return {"hosts": [lines[number % len(lines)] for number in range(count)], "command": COMMAND, **more}


@asynccontextmanager
async def simulated(count: int) -> AsyncIterator[list[Host]]:
    """The simulator, every frame with all sections."""
    process = SimulatorProcess(single_port=True, options=["--even", "--slow-every", "0"])
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as folder:
        hosts = await process.start(Path(folder), count)
        try:
            yield hosts
        finally:
            await process.stop()


@asynccontextmanager
async def real(count: int) -> AsyncIterator[list[Host]]:
    """OpenSSH's sshd on this machine: many connections to the one host."""
    # A bash under sshd reads ~/.bashrc before each command, unless it takes itself for an inner shell.
    config = ["SetEnv SHLVL=5", "PermitUserRC no"]
    with (
        tempfile.TemporaryDirectory(prefix="jw-bench-") as folder,
        running(Path(folder), config=config) as server,
    ):
        yield [server.host(f"real-{number}") for number in range(count)]


def peers() -> str | None:
    """A Python that has parallel-ssh."""
    return sys.executable if find_spec("pssh") else os.environ.get("JUMPWATCH_BENCH_PEERS")


async def compare(name: str, hosts: Sequence[Host], plan: Plan) -> list[Figure]:
    """Measure all clients against one server, turn by turn."""
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        ours = await start(Worker.start("poll_ours", job(hosts, plan.paced)))
        plain = await start(Worker.start("poll_ours", job(hosts, plan.paced, plain=True)))
        pulling = {
            "asyncssh, connect": await start(Worker.start("poll_asyncssh", job(hosts, plan.hosts, way="connect"))),
            "asyncssh, channel": await start(Worker.start("poll_asyncssh", job(hosts, plan.hosts, way="channel"))),
        }
        if python := peers():
            pulling["parallel-ssh"] = await start(Worker.start("poll_pssh", job(hosts, plan.hosts), python))
        rounds = [await _round(name, ours, plain, pulling, plan) for _ in range(plan.rounds)]
        memory = {"ours": ours.host_bytes, **{way: worker.host_bytes for way, worker in pulling.items()}}
    return _figures(name, rounds, memory)


async def _round(
    name: str, ours: Worker, plain: Worker, pulling: dict[str, Worker], plan: Plan
) -> dict[str, dict[str, Any]]:
    found = {way: await worker.ask({"do": "measure", "seconds": plan.seconds}) for way, worker in pulling.items()}
    channel = {"do": "measure", "seconds": plan.seconds, "interval": _CHANNEL_S}
    found["channel, paced"] = await pulling["asyncssh, channel"].ask(channel)
    await plain.ask({"do": "pace", "interval": _PACED_S})
    found["plain"] = await plain.ask({"do": "measure", "mode": "transport", "seconds": 2 * plan.seconds})
    await plain.ask({"do": "pace"})
    await ours.ask({"do": "pace", "interval": _PACED_S})
    for mode in ("transport", "whole", "transport", "whole", "latency"):
        figures = await ours.ask({"do": "measure", "mode": mode, "seconds": plan.seconds})
        if mode in found:
            figures = {key: value + found[mode][key] for key, value in figures.items()}
        found[mode] = figures
    await ours.ask({"do": "pace", "interval": _FAST_S[name], "hosts": plan.hosts if name == "OpenSSH" else plan.paced})
    found["fast"] = await ours.ask({"do": "measure", "mode": "whole", "seconds": plan.seconds})
    await ours.ask({"do": "pace"})
    return found


def _cost(figures: dict[str, Any]) -> float:
    """Client CPU in milliseconds a sample."""
    return float(1e3 * figures["cpu_s"] / max(1, figures["samples"]))


def _rate(figures: dict[str, Any]) -> float:
    return float(figures["samples"] / figures["wall_s"])


def _figures(name: str, rounds: list[dict[str, dict[str, Any]]], memory: dict[str, float]) -> list[Figure]:
    made: list[Figure] = []

    def tell(figure: str, values: Sequence[float], unit: str, aim: float | None = None, at_least: bool = False) -> None:
        made.append(Figure("poll", f"{name}: {figure}", statistics.median(values), unit, aim=aim, at_least=at_least))

    ways = [way for way in rounds[0] if way not in ("transport", "whole", "latency", "fast", "channel, paced", "plain")]
    for way, key in [("ours", "fast"), *((way, way) for way in ways)]:
        tell(f"{way}, polls", [_rate(one[key]) for one in rounds], "/s")
    paced = [
        ("ours, transport", "transport"),
        ("ours, transport by asyncssh's callbacks", "plain"),
        ("ours, whole", "whole"),
        ("asyncssh, channel, paced", "channel, paced"),
    ]
    for way, key in [*paced, *((way, way) for way in ways)]:
        tell(f"{way}, client CPU", [_cost(one[key]) for one in rounds], "ms")
    for way, key in [("ours", "latency"), *((way, way) for way in ways)]:
        tell(f"{way}, p50", [one[key]["p50_ms"] for one in rounds], "ms")
        tell(f"{way}, p99", [one[key]["p99_ms"] for one in rounds], "ms")
    for way, size in memory.items():
        if way != "asyncssh, connect":  # it keeps nothing
            tell(f"{way}, memory a host", [size / 1000], "kB")
    connect = "asyncssh, connect"
    tell("polls / connect-per-poll's", [_rate(o["fast"]) / _rate(o[connect]) for o in rounds], "ratio", FASTER, True)
    leaner = [_cost(one["channel, paced"]) / _cost(one["transport"]) for one in rounds]
    tell("CPU of channel-per-poll / transport", leaner, "ratio", LEANER, True)
    for reference, key, aim in (("transport by callbacks", "plain", WHOLE), ("transport", "transport", None)):
        tell(f"CPU of the whole way / {reference}", [_cost(o["whole"]) / _cost(o[key]) for o in rounds], "ratio", aim)
    return made


async def _run(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    for name, server in (("simulator", simulated), ("OpenSSH", real)):
        async with server(max(plan.hosts, plan.paced)) as hosts:
            figures += await compare(name, hosts, plan)
    return figures


def run(*, quick: bool) -> list[Figure]:
    """All clients against the simulator, then against OpenSSH."""
    if peers() is None:
        print("parallel-ssh is not installed: skipped (JUMPWATCH_BENCH_PEERS may name a Python that has it)",
              file=sys.stderr)  # fmt: skip
    return asyncio.run(_run(QUICK if quick else FULL))
