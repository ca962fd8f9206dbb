"""Simulated hosts at 1 Hz, the program on one core, simulator and database on the others; growth from size to size.

The program is all but the screen: pollers, live state, bus, writer. Each host's row is stored each second, rows of
filesystems, disks and interfaces every ten. A sample's age counts from the moment when the host wrote it to when the
sink takes it; how late the simulator itself was is printed beside it. At the end the fleet falls silent, and what the
simulator sent is counted against what lies in the database. The CPU is judged beside that of the transport alone,
measured before and after.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg

from core.simulator.process import SimulatorProcess
from tests.bench.figures import Figure
from tests.bench.ingest import fresh, server
from tests.bench.poll import Worker, job, simulated

CORE_PCT, RSS_MB, AGE_MS, STEADY, LINEAR = 60.0, 300.0, 250.0, 1.03, 1.15
BESIDE_TRANSPORT = 2.5  # 60% of a core for 2000 samples a second is 0.3 ms each; the transport's limit is 0.12 ms
_BESIDE = 40  # hosts of the transport alone, a thousand samples a second together
_SIMULATOR_LATE_MS = 100.0  # later than that it does not keep up, and ages tell nothing of the program


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of the fleet, the seconds at each but the last, and at the last."""

    sizes: tuple[int, ...]
    seconds: float
    last_s: float
    warm_s: float
    beside_s: float  # of the transport alone


QUICK, FULL = Plan((40, 120), 4.0, 6.0, 1.0, 1.0), Plan((250, 500, 1000, 2000), 45.0, 600.0, 12.0, 10.0)


async def measure(
    url: str, hosts: int, seconds: float, warm_s: float, cores: Sequence[int], *, make: bool
) -> dict[str, Any]:
    """Run the program over so many hosts and return what it says, and what lies in the database."""
    simulator = SimulatorProcess(single_port=True, options=["--even"])
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as folder:
        fleet = await simulator.start(Path(folder), hosts)
        try:
            async with fresh(url, make=make) as database:
                there = database.settings.url
                assert there is not None
                order = {
                    "hosts": [asdict(host) for host in fleet], "url": there.get_secret_value(), "seconds": seconds,
                    "warm_s": warm_s, "cores": list(cores),
                }  # fmt: skip
                figures = await _program(order)
                connection = await asyncpg.connect(there.get_secret_value())
                try:
                    figures["stored"] = await connection.fetchval("SELECT count(*) FROM host_samples")
                    figures["items"] = await connection.fetchval("SELECT count(*) FROM disk_samples")
                finally:
                    await connection.close()
        finally:
            await simulator.stop()
    return figures


async def _program(order: dict[str, Any]) -> dict[str, Any]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.fleet_program"), stdin=pipe, stdout=pipe, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        async with asyncio.timeout(order["seconds"] + order["warm_s"] + 300 + len(order["hosts"]) * 0.2):
            line = await process.stdout.readline()
            await process.wait()
        if not line:
            raise SystemExit("the program of the benchmark ended; its last words stand above")
        return dict(json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def transport(seconds: float) -> float:
    """What the transport alone takes of the client's CPU on this machine now, in milliseconds a sample.

    It is asyncssh's own way, by callbacks: the program takes a shorter one.
    """
    async with simulated(_BESIDE) as hosts, Worker.start("poll_ours", job(hosts, _BESIDE, plain=True)) as client:
        await client.ask({"do": "pace", "interval": _BESIDE / 1000})
        figures = await client.ask({"do": "measure", "mode": "transport", "seconds": seconds})
    return float(1e3 * figures["cpu_s"] / max(1, figures["samples"]))


def told(hosts: int, found: dict[str, Any], transport_ms: float, *, judged: bool) -> list[Figure]:
    """The figures of one size; the aims are those of the largest."""

    def one(figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
        return Figure("fleet", f"{hosts} hosts: {figure}", value, unit, aim=aim if judged else None)

    keeps_up = found["late_p99_ms"] <= _SIMULATOR_LATE_MS
    return [
        one("samples", found["samples_s"], "/s"),
        one(f"of its core (aim {CORE_PCT:g})", found["core_pct"], "%"),
        one("CPU a sample", found["cpu_ms"], "ms"),
        one("CPU a sample / transport alone", found["cpu_ms"] / transport_ms, "ratio", BESIDE_TRANSPORT),
        one("memory", found["rss"] / 1e6, "MB", RSS_MB),
        one("memory in huge pages", found["huge"] / 1e6, "MB"),
        one("memory at the end / in the middle", found["growth"], "ratio", STEADY),
        one("age of a sample, p50", found["age_p50_ms"], "ms"),
        one("age of a sample, p99", found["age_p99_ms"], "ms", AGE_MS if keeps_up else None),
        one("age of a sample, most", found["age_max_ms"], "ms"),
        one("the simulator late, p99" + ("" if keeps_up else " (it does not keep up)"), found["late_p99_ms"], "ms"),
        one("all connected after", found["connected_s"], "s"),
        one("frames the simulator left out", found["skipped"], ""),
        one("frames sent", found["sent"], ""),
        one("samples stored", found["stored"], ""),
        one("samples in the spool meanwhile, most", found["spooled_most"], ""),
        # At every size: a lost sample is a defect.
        Figure("fleet", f"{hosts} hosts: samples lost", found["sent"] - found["stored"], "", aim=0.0),
        one("rows of disks stored / of hosts", found["items"] / max(1, found["stored"]), "ratio"),
    ]


def table(results: dict[int, dict[str, Any]]) -> str:
    """How the program grows, one line a size."""
    lines = [f"{'hosts':>6} {'samples/s':>10} {'core %':>8} {'ms/sample':>10} {'MB':>7} {'kB/host':>8} {'p99 ms':>7}"]
    first = next(iter(results.values()))["rss"]
    smallest = next(iter(results))
    for hosts, found in results.items():
        slope = (found["rss"] - first) / (hosts - smallest) / 1e3 if hosts > smallest else 0.0
        lines.append(
            f"{hosts:>6} {found['samples_s']:>10.0f} {found['core_pct']:>8.1f} {found['cpu_ms']:>10.3f} "
            f"{found['rss'] / 1e6:>7.0f} {slope:>8.1f} {found['age_p99_ms']:>7.0f}"
        )
    return "\n".join(lines)


async def _run(plan: Plan) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are wanted: one for the program, one for simulator and database")
    os.sched_setaffinity(0, cores[1:])  # and all that is started from here
    results: dict[int, dict[str, Any]] = {}
    beside = [await transport(plan.beside_s)]
    for hosts in plan.sizes:
        seconds = plan.last_s if hosts == plan.sizes[-1] else plan.seconds
        with server() as (url, what):
            if not results:
                print(f"database: {what}", file=sys.stderr)
            apart = what != "plain PostgreSQL"  # that one is new each time
            results[hosts] = await measure(url, hosts, seconds, plan.warm_s, cores[:1], make=apart)
    beside.append(await transport(plan.beside_s))
    transport_ms = sum(beside) / len(beside)
    print(table(results), file=sys.stderr)
    figures = [
        figure
        for hosts, found in results.items()
        for figure in told(hosts, found, transport_ms, judged=hosts == plan.sizes[-1])
    ]
    figures.append(Figure("fleet", "transport alone: CPU a sample, before and after", transport_ms, "ms"))
    least, most = results[plan.sizes[0]], results[plan.sizes[-1]]
    growth = most["cpu_ms"] / least["cpu_ms"]
    return [*figures, Figure("fleet", "CPU a sample, largest / smallest fleet", growth, "ratio", aim=LINEAR)]


def run(*, quick: bool, minutes: float | None = None) -> list[Figure]:
    """All sizes, one after the other; ``minutes`` at the largest, ten where nothing else is asked for."""
    plan = QUICK if quick else FULL
    if minutes is not None:
        plan = Plan(plan.sizes, plan.seconds, 60.0 * minutes, plan.warm_s, plan.beside_s)
    return asyncio.run(_run(plan))
