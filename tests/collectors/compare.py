"""``python -m tests.collectors.compare``: our figures beside those of this machine's own tools, as a table.

A tool is asked before and after ours; a figure agrees where it lies between the two answers, give or take what is
said. What moves too fast in one round is looked at again.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.collectors import io, net
from core.collectors.catalog import COLLECTORS
from core.collectors.frame import parse_frame
from core.models import HostSample, PortFigures, ProcessFigures, SectionStatus
from core.ports import CommandResult
from tests.collectors.test_loop import loop

ROUNDS = 8
Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One figure: ours between the tool's answer before and the one after; None: not told."""

    name: str
    tool: str
    before: float
    ours: float | None
    after: float
    slack: float = 0.0

    @property
    def agrees(self) -> bool:
        low, high = sorted((self.before, self.after))
        return self.ours is not None and low - self.slack <= self.ours <= high + self.slack

    def line(self) -> str:
        ours = "unknown" if self.ours is None else f"{self.ours:,.2f}".removesuffix(".00")
        before, after = (f"{value:,.2f}".removesuffix(".00") for value in (self.before, self.after))
        agrees = "yes" if self.agrees else "NO"
        return f"{self.name:34.34} {self.tool:22.22} {before:>22} {ours:>22} {after:>22}  {agrees}"


def said(*argv: str) -> str:
    """What a tool prints, in the C locale."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C"})
    return done.stdout


def collected(kind: str) -> Any:
    """The value of one collector, run as on a host; None where it is absent."""
    collector = COLLECTORS[kind]
    done = subprocess.run(["sh", "-c", shlex.join(collector.command())], capture_output=True, timeout=180)
    finding = collector.read(CommandResult(done.returncode, done.stdout.decode(), done.stderr.decode()))
    assert finding.status in (SectionStatus.OK, SectionStatus.ABSENT), finding
    return finding.value


def memory() -> Figures:
    lines = {line.split()[0]: line.split() for line in said("free", "-b").splitlines()[1:]}
    found = {"memory total": float(lines["Mem:"][1]), "memory available": float(lines["Mem:"][6])}
    return {**found, "swap total": float(lines["Swap:"][1]), "swap free": float(lines["Swap:"][3])}


def load() -> Figures:
    words = said("uptime").rpartition("load average: ")[2].split(", ")
    return dict(zip(("load 1 min", "load 5 min", "load 15 min"), map(float, words), strict=True))


def uptime() -> Figures:
    return {"uptime s": float(said("cat", "/proc/uptime").split()[0])}


def filesystems() -> Figures:
    found = {}
    for line in said("df", "-B1", "--output=size,used,avail,itotal,iused,target", "/").splitlines()[1:]:
        size, used, free, inodes, inodes_used, mount = line.split(None, 5)
        for name, value in (("size", size), ("used", used), ("available", free)):
            found[f"{mount} {name}"] = float(value)
        found |= {f"{mount} inodes": float(inodes), f"{mount} inodes used": float(inodes_used)}
    return found


def disks() -> Figures:
    """From sysfs, which the kernel writes apart from /proc/diskstats."""
    found = {}
    for name in io.real_disks(sorted(os.listdir("/sys/block"))):
        fields = [float(word) for word in said("cat", f"/sys/block/{name}/stat").split()]
        found |= {f"{name} sectors read": fields[2], f"{name} sectors written": fields[6]}
    return found


def interfaces() -> Figures:
    found = {}
    for link in json.loads(said("ip", "-s", "-j", "link")):
        stats = link.get("stats64") or link["stats"]
        found |= {f"{link['ifname']} {way} bytes": float(stats[way]["bytes"]) for way in ("rx", "tx")}
    return found


def ours_in(sample: HostSample, frame: bytes) -> Figures:
    """The same figures of one frame, under the same names."""
    system = sample.system
    values: dict[str, float | None] = {
        "memory total": system.mem_total, "memory available": system.mem_available,
        "swap total": system.swap_total, "swap free": system.swap_free,
        "load 1 min": system.load1, "load 5 min": system.load5, "load 15 min": system.load15,
        "uptime s": sample.uptime_s,
    }  # fmt: skip
    for one in sample.filesystems or ():
        for name, value in (("size", one.size), ("used", one.used), ("available", one.available)):
            values[f"{one.mount} {name}"] = value
        values |= {f"{one.mount} inodes": one.inodes, f"{one.mount} inodes used": one.inodes_used}
    texts = parse_frame(frame).sections
    for name, counters in io.parse_diskstats(texts["diskstats"][1]).items():
        values |= {f"{name} sectors read": counters[1], f"{name} sectors written": counters[3]}
    for name, moved in net.parse_netdev(texts["netdev"][1]).items():
        values |= {f"{name} rx bytes": moved[0], f"{name} tx bytes": moved[4]}
    return {name: float(value) for name, value in values.items() if value is not None}


SLACK = {
    "memory available": 64 << 20, "load 1 min": 0.02, "load 5 min": 0.02, "load 15 min": 0.02, "uptime s": 0.01,
    "used": 64 << 20, "available": 64 << 20, "inodes used": 500,
}  # fmt: skip

READERS: dict[str, tuple[str, Callable[[], Figures]]] = {
    "free": ("free -b", memory),
    "uptime": ("uptime", load),
    "cat": ("/proc/uptime", uptime),
    "df": ("df -B1 --output", filesystems),
    "ls": ("/sys/block/*/stat", disks),
    "ip": ("ip -s link", interfaces),
}


def frame_rows(*, force_sh: bool) -> list[Row]:
    """One frame of the loop against every tool that is here."""
    here = {tool: reader for tool, (_, reader) in READERS.items() if shutil.which(tool)}
    before = {tool: reader() for tool, reader in here.items()}
    with loop("bash", force_sh=force_sh) as running:
        frame = running.frames(1)[0]
    sample = running.assembler.feed(frame, datetime.now(UTC))
    after = {tool: reader() for tool, reader in here.items()}
    ours = ours_in(sample, frame)
    rows = []
    for tool, figures in before.items():
        for name, value in figures.items():
            if name not in after[tool]:
                continue  # it went meanwhile
            slack = SLACK.get(name, SLACK.get(name.partition(" ")[2], 0.0))
            rows.append(Row(name, READERS[tool][0], value, ours.get(name), after[tool][name], slack))
    return rows


def cpu_rows() -> list[Row]:
    """CPU use over the very seconds that vmstat looks at; both see whole ticks only."""
    if not shutil.which("vmstat"):
        return []
    with loop("bash", 1, force_sh=False) as running:
        running.samples(1)
        first = subprocess.run(["vmstat", "-n", "2", "2"], capture_output=True, text=True, timeout=60)
        samples = running.samples(3)
    idle = float(first.stdout.splitlines()[-1].split()[14]) + float(first.stdout.splitlines()[-1].split()[15])
    busy = [sample.system.cpu_pct for sample in samples if sample.system.cpu_pct is not None]
    ours = sum(busy[:2]) / 2 if len(busy) >= 2 else None
    return [Row("cpu busy %", "vmstat 2 2", 100.0 - idle, ours, 100.0 - idle, 15.0)]


def process_rows() -> list[Row]:
    """Memory of the largest processes against ps, and the count of those whose names and owners agree."""
    if not shutil.which("ps"):
        return []

    def by_ps() -> dict[int, tuple[float, str, str]]:
        lines = [line.split(None, 3) for line in said("ps", "-eo", "pid=,rss=,uid=,comm=").splitlines()]
        return {int(pid): (float(rss) * 1024, uid, name) for pid, rss, uid, name in lines}

    before = by_ps()
    found: tuple[ProcessFigures, ...] = collected("processes")
    after = by_ps()
    rows = []
    lasting = [one for one in found if one.pid in before and one.pid in after and one.rss is not None]
    for one in sorted(lasting, key=lambda one: one.rss or 0)[-3:]:
        rss = (before[one.pid][0], after[one.pid][0])
        rows.append(Row(f"rss of {one.name}", "ps -o rss", rss[0], one.rss, rss[1], 4 << 20))
    named = sum(one.name in (before[one.pid][2], after[one.pid][2]) for one in lasting)
    rows.append(Row("processes named alike", "ps -o comm", len(lasting), named, len(lasting)))
    return rows


def port_rows() -> list[Row]:
    """Listening sockets as ss counts them, and one of our own among them; the same without ss."""
    if not shutil.which("ss"):
        return []
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = server.getsockname()[1]

        def by_ss() -> set[tuple[str, str]]:
            lines = [line.split() for line in said("ss", "-Hlntu").splitlines()]
            return {(words[0], words[4].rpartition(":")[2]) for words in lines}

        before = by_ss()
        found: tuple[PortFigures, ...] = collected("ports")
        bare = subprocess.run(
            ["sh", "-c", COLLECTORS["ports"].argv[2].replace("command -v ss", "false")], capture_output=True
        )
        without = COLLECTORS["ports"].read(CommandResult(bare.returncode, bare.stdout.decode(), "")).value
        after = by_ss()
    assert isinstance(without, tuple)
    ours = {(one.protocol, str(one.port)) for one in found}
    plain = {(one.protocol, str(one.port)) for one in without if isinstance(one, PortFigures)}
    return [
        Row("listening ports", "ss -lntu", len(before), len(ours), len(after)),
        Row("the same from /proc/net", "ss -lntu", len(before), len(plain), len(after)),
        Row("a port of our own", "bind(2)", 1, float(("tcp", str(mine)) in ours & plain), 1),
    ]


def session_rows() -> list[Row]:
    found = collected("sessions")
    if found is None or not shutil.which("who"):
        return []
    count = len(said("who").splitlines())
    return [Row("sessions", "who", count, len(found), count)]


def service_rows() -> list[Row]:
    found = collected("services")
    if found is None or not os.path.isdir("/run/systemd/system"):
        return []
    count = len(said("systemctl", "--failed", "--all", "--no-legend", "--plain").splitlines())
    return [Row("failed units", "systemctl --failed", count, sum(one.failed for one in found), count)]


PARTS: dict[str, Callable[[], list[Row]]] = {
    "frame of python3": lambda: frame_rows(force_sh=False),
    "frame of sh": lambda: frame_rows(force_sh=True),
    "cpu": cpu_rows,
    "processes": process_rows,
    "ports": port_rows,
    "sessions": session_rows,
    "services": service_rows,
}


def settled(part: Callable[[], list[Row]]) -> list[Row]:
    """Each figure as of the first round in which it agreed, else of the last."""
    kept: dict[str, Row] = {}
    for _ in range(ROUNDS):
        now = {f"{place} rss" if row.name.startswith("rss of") else row.name: row for place, row in enumerate(part())}
        kept = {name: kept[name] if name in kept and kept[name].agrees else row for name, row in now.items()}
        if all(row.agrees for row in kept.values()):
            break
    return list(kept.values())


def main() -> int:
    """Print the table; exit status 1 where a figure does not agree."""
    print(f"{'figure':34} {'tool':22} {'tool before':>22} {'ours':>22} {'tool after':>22}  agrees")
    wrong = 0
    for name, part in PARTS.items():
        rows = settled(part)
        print(f"-- {name}" + ("" if rows else ": this machine has no such tool, or no such thing"))
        for row in rows:
            print(row.line())
            wrong += not row.agrees
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
