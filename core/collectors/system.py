"""/proc/stat, meminfo, loadavg and pressure (proc(5), kernel Documentation/accounting/psi.rst)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from core.collectors.text import unreadable

_CPU = re.compile(rb"^cpu +(\d{1,20}) (\d{1,20}) (\d{1,20}) (\d{1,20})((?: \d{1,20})*) *$", re.MULTILINE)
_CPU_N = re.compile(rb"^cpu[^ \n]+", re.MULTILINE)
_COUNT = re.compile(rb"^(btime|procs_running|procs_blocked) (\d{1,18})$", re.MULTILINE)
_MEMORY = re.compile(rb"^(MemTotal|MemAvailable|SwapTotal|SwapFree): +(\d{1,15}) kB$", re.MULTILINE)
_LOAD = re.compile(rb"(\d{1,7}\.\d{1,4}) (\d{1,7}\.\d{1,4}) (\d{1,7}\.\d{1,4}) \d+/\d+ \d+\n?")
_PRESSURE = re.compile(rb"^some avg10=(\d{1,3}\.\d{2})(?: |$)", re.MULTILINE)


class CpuCounters(NamedTuple):
    """Ticks since boot over all CPUs; guest time is within user and nice. ``btime`` is the boot's Unix time."""

    user: int
    nice: int
    system: int
    idle: int
    iowait: int
    irq: int
    softirq: int
    steal: int
    cpus: int | None
    btime: int | None
    procs_running: int | None
    procs_blocked: int | None


class CpuShares(NamedTuple):
    """Shares of the interval in percent of all CPUs; ``busy`` is all but idle and iowait."""

    busy: float
    user: float
    system: float
    iowait: float
    steal: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; None for what the kernel does not tell (MemAvailable came with 3.14)."""

    total: int | None
    available: int | None
    swap_total: int | None
    swap_free: int | None


def parse_stat(text: bytes) -> CpuCounters:
    """Read /proc/stat, whole or as the loop shortens it; raise DataCollectionError without its cpu line."""
    lines = _CPU.findall(text)
    if not lines or len(lines) != text.count(b"cpu "):
        raise unreadable("stat", text)
    line = lines[-1]
    rest = [int(word) for word in line[4].split()[:4]]
    iowait, irq, softirq, steal = rest + [0] * (4 - len(rest))  # older kernels have fewer fields
    counts = {name: int(value) for name, value in _COUNT.findall(text)}
    cpus = len(set(_CPU_N.findall(text)))
    return CpuCounters(
        int(line[0]), int(line[1]), int(line[2]), int(line[3]), iowait, irq, softirq, steal,
        cpus=cpus or None,
        btime=counts.get(b"btime"),
        procs_running=counts.get(b"procs_running"),
        procs_blocked=counts.get(b"procs_blocked"),
    )  # fmt: skip


def cpu_shares(before: CpuCounters, now: CpuCounters) -> CpuShares | None:
    """Return what the CPUs did between two readings; None where the counters do not compare.

    idle and iowait may go back a little on a healthy kernel (proc(5) says so of iowait) and count as nothing then.
    After a CPU came or went the kernel's idle counter jumps, so that interval stays unknown.
    """
    if before.cpus != now.cpus:
        return None
    user = now.user + now.nice - before.user - before.nice
    system = now.system + now.irq + now.softirq - before.system - before.irq - before.softirq
    steal = now.steal - before.steal
    if user < 0 or system < 0 or steal < 0:
        return None
    idle, iowait = max(0, now.idle - before.idle), max(0, now.iowait - before.iowait)
    total = user + system + steal + idle + iowait
    if total <= 0:
        return None
    part = 100.0 / total
    busy = (user + system + steal) * part
    return CpuShares(
        busy if busy <= 100.0 else 100.0,  # rounding may go over
        min(100.0, user * part),
        min(100.0, system * part),
        min(100.0, iowait * part),
        min(100.0, steal * part),
    )


def parse_meminfo(text: bytes) -> Memory:
    """Read /proc/meminfo; raise DataCollectionError where it has no MemTotal."""
    found = {name: int(value) * 1024 for name, value in _MEMORY.findall(text)}
    total, available = found.get(b"MemTotal"), found.get(b"MemAvailable")
    if not total:
        raise unreadable("meminfo", text)
    if available is not None and available > total:
        available = None  # some containers see their own total and the machine's available
    return Memory(total, available, found.get(b"SwapTotal"), found.get(b"SwapFree"))


def parse_loadavg(text: bytes) -> tuple[float, float, float]:
    """Read the load of 1, 5 and 15 minutes."""
    found = _LOAD.fullmatch(text)
    if found is None:
        raise unreadable("loadavg", text)
    return float(found[1]), float(found[2]), float(found[3])


def parse_pressure(text: bytes, section: str = "pressure") -> float:
    """Read ``some avg10`` of a pressure file, in percent."""
    found = _PRESSURE.search(text)
    if found is None or float(found[1]) > 100.0:
        raise unreadable(section, text)
    return float(found[1])
