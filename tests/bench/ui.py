"""The screen at 160x50: our Fleet beside a stock DataTable and a frame made ready; the console at rest and at work.

Each program has a terminal of its own; keys come at odd moments while a tenth of the hosts changes each half second. A
tick is what a newer view costs until it is taken, a paint what a frame costs until it is written; a key counts until
the frame that shows it is written.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import random
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from core.inventory.export import export_hosts
from core.simulator.process import SimulatorProcess
from tests.bench.figures import Figure

COLUMNS, ROWS = 160, 50
ROOT = Path(__file__).resolve().parents[2]
TICK_MS, KEY_MS, PAINT, IDLE_PCT, LAG_MS = 20.0, 35.0, 2.0, 1.0, 25.0
BESIDE_TABLE = 0.25  # of what update_cell of a DataTable takes for the same tick, its later work not counted
_KEYS = {"fleet": (b"j", b"k"), "frame": (b"j", b"k"), "table": (b"\x1b[B", b"\x1b[A")}


def on_terminal(job: dict[str, Any], env: Mapping[str, str], limit_s: float) -> dict[str, Any]:
    """Run one program on a terminal of its own, press keys meanwhile, and return what it noted."""
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as folder:
        into = Path(folder) / "found"
        argv = [sys.executable, "-m", "tests.bench.ui_program", json.dumps({**job, "into": str(into)})]
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=dict(env), cwd=ROOT,
                                   start_new_session=True)  # fmt: skip
        os.close(slave)
        try:
            said = _follow(process, master, _KEYS.get(job["program"], ()), limit_s, Path(f"{into}.ready"))
            if not into.exists():
                raise SystemExit(f"{job} noted nothing; the end of what it drew: {said[-600:]!r}")
            return dict(json.loads(into.read_text()))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(master)


def _follow(
    process: subprocess.Popen[bytes], master: int, keys: tuple[bytes, ...], limit_s: float, ready: Path
) -> bytes:
    """Read what is drawn until the program ends, for a full terminal would hold it up; press a key now and then."""
    dice, end, said = random.Random(7), monotonic() + limit_s, b""
    pressed = monotonic()
    while process.poll() is None and monotonic() < end:
        if select.select([master], [], [], 0.02)[0]:
            try:
                said = said[-4000:] + os.read(master, 1 << 16)
            except OSError:
                break
        if keys and monotonic() > pressed and ready.exists():
            os.write(master, dice.choice((keys[0], keys[0], keys[1])))
            pressed = monotonic() + dice.uniform(0.1, 0.35)
    return said


def median(values: list[float]) -> float:
    """The median; a program that noted nothing is an error of the benchmark."""
    if not values:
        raise SystemExit("a program noted no figure")
    return statistics.median(values)


def drawing(hosts: int, seconds: float, env: Mapping[str, str]) -> list[Figure]:
    """Our Fleet, the table, the frame made ready; in turn, twice each."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(2):
        for program in ("frame", "fleet", "table"):
            noted = on_terminal({"program": program, "hosts": hosts, "seconds": seconds}, env, 120 + 6 * seconds)
            for kind, values in noted.items():
                found.setdefault(program, {}).setdefault(kind, []).extend(values)
    ours, table, frame = found["fleet"], found["table"], found["frame"]
    floor = median(frame["paints"])

    def one(figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
        return Figure("ui", f"{hosts} hosts: {figure}", value, unit, aim=aim)

    return [
        one(f"tick, median (aim {TICK_MS:g})", median(ours["ticks"]), "ms"),
        one("tick, DataTable", median(table["ticks"]), "ms"),
        one("tick, ours / DataTable", median(ours["ticks"]) / median(table["ticks"]), "ratio", BESIDE_TABLE),
        one("paint, median", median(ours["paints"]), "ms"),
        one("paint, DataTable", median(table["paints"]), "ms"),
        one("paint, a frame made ready", floor, "ms"),
        one("paint, ours / frame made ready", median(ours["paints"]) / floor, "ratio", PAINT),
        one(f"key to frame, worst (aim {KEY_MS:g})", max(ours["keys"]), "ms"),
        one("key to frame, median", median(ours["keys"]), "ms"),
        one("key to frame, worst, frame made ready", max(frame["keys"]), "ms"),
        one("key to frame, worst, DataTable", max(table["keys"], default=0.0), "ms"),
        one("keys", float(len(ours["keys"])), ""),
    ]  # fmt: skip


async def working(hosts: int, seconds: float, env: Mapping[str, str], home: Path) -> dict[str, Any]:
    """The console itself over so many simulated hosts, each polled once a second."""
    simulator = SimulatorProcess(single_port=True, options=["--even"])
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as folder:
        fleet = await simulator.start(Path(folder), hosts)
        try:
            (home / "config" / "jumpwatch").mkdir(parents=True)
            (home / "config" / "jumpwatch" / "hosts.toml").write_text(export_hosts(fleet, "toml"), "utf-8")
            job = {"program": "live", "hosts": hosts, "seconds": seconds}
            return await asyncio.to_thread(on_terminal, job, env, seconds + 120 + hosts * 0.3)
        finally:
            await simulator.stop()


def run(*, quick: bool) -> Iterator[Figure]:
    """All of it; quick is smaller and shorter."""
    sizes, seconds = ((1000,), 3.0) if quick else ((1000, 5000), 20.0)
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as home:
        folders = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
        env = {
            "PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", "COLORTERM": "truecolor",
            "LANG": "C.UTF-8", "JUMPWATCH_POLLING_INTERVAL_S": "1", **folders,
        }  # fmt: skip
        for hosts in sizes:
            yield from drawing(hosts, seconds, env)
        rest = on_terminal({"program": "idle", "hosts": 1000, "seconds": 4.0 if quick else 30.0}, env, 120)
        yield Figure("ui", "1000 hosts at rest: CPU", rest["cpu_pct"], "%", aim=IDLE_PCT)
        hosts, watched = (100, 5.0) if quick else (1000, 300.0)
        work = asyncio.run(working(hosts, watched, env, Path(home)))
        who = f"{hosts} hosts polled for {watched:g} s"
        yield Figure("ui", f"{who}: loop late, p99", work["p99"], "ms", aim=LAG_MS)
        yield Figure("ui", f"{hosts} hosts: until 98% of them are there", work["connected_s"], "s")
        yield Figure("ui", f"{who}: loop late, p50", work["p50"], "ms")
        yield Figure("ui", f"{who}: loop late, most", work["most"], "ms")
        yield Figure("ui", f"{who}: of a core", work["cpu_pct"], "%")
        yield Figure("ui", f"{who}: samples stored a second", work["stored"] / watched, "/s")
