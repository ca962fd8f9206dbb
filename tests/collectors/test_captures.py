"""Captures of other people's machines: no figure that we read differs from what an independent parser read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.collectors import disk, io, net, system
from core.collectors.text import unescape

FOLDER = Path(__file__).parents[3] / "shared" / "captures"


def capture(name: str) -> tuple[bytes, Any]:
    if not (FOLDER / f"{name}.out").exists():  # no part that can be installed: a skip everywhere
        pytest.skip("the folder of captures is not beside the repository")
    return (FOLDER / f"{name}.out").read_bytes(), json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["proc-stat", "proc-stat2"])
def test_stat(name: str) -> None:
    text, expected = capture(name)
    counters, cpu = system.parse_stat(text), expected["cpu"]
    for field in ("user", "nice", "system", "idle", "iowait", "irq", "softirq"):
        assert getattr(counters, field) == cpu[field], field
    assert counters.steal == cpu.get("steal", 0)
    assert counters.btime == expected["boot_time"]
    assert counters.procs_running == expected["processes_running"]
    assert counters.procs_blocked == expected["processes_blocked"]
    assert counters.cpus == sum(1 for key in expected if key[:3] == "cpu" and key[3:].isdigit())


def test_meminfo() -> None:
    text, expected = capture("proc-meminfo")
    memory = system.parse_meminfo(text)
    assert memory.total == expected["MemTotal"] * 1024
    assert memory.available == expected["MemAvailable"] * 1024
    assert memory.swap_total == expected["SwapTotal"] * 1024
    assert memory.swap_free == expected["SwapFree"] * 1024


def test_loadavg() -> None:
    text, expected = capture("proc-loadavg")
    assert system.parse_loadavg(text) == (expected["load_1m"], expected["load_5m"], expected["load_15m"])


def test_diskstats() -> None:
    text, expected = capture("proc-diskstats")
    found = io.parse_diskstats(text)
    assert list(found) == [row["device"] for row in expected]
    for row in expected:
        assert found[row["device"]] == (
            row["reads_completed"],
            row["sectors_read"],
            row["writes_completed"],
            row["sectors_written"],
            row["io_time_ms"],
        )


def test_net_dev() -> None:
    text, expected = capture("proc-net_dev")
    found = net.parse_netdev(text)
    assert list(found) == [row["interface"] for row in expected]
    for row in expected:
        keys = ("bytes", "packets", "errs", "drop")
        assert found[row["interface"]] == tuple(row[f"{way}_{key}"] for way in "rt" for key in keys)


def test_df() -> None:
    text, expected = capture("df-long-filesystem")
    rows = disk.parse_df(text)
    for found, row in zip(rows, expected, strict=True):
        assert (found.device, found.fstype, found.mount) == (row["filesystem"], row["type"], row["mounted_on"])
        sizes = (row["1024_blocks"], row["used"], row["available"])
        assert (found.size, found.used, found.available) == tuple(size * 1024 for size in sizes)
        figures = disk.filesystems([found])
        if figures and figures[0].used_pct is not None:
            assert -(-figures[0].used_pct // 1) == row["capacity_percent"]  # df rounds up


def test_mounts_agree_with_mountinfo() -> None:
    """No capture of /proc/mounts is there; mountinfo names the same mounts, with its own columns."""
    text, expected = capture("proc-pid_mountinfo")
    lines = []
    for line in text.decode().splitlines():
        before, _, after = line.partition(" - ")
        lines.append(f"{after.split()[1]} {before.split()[4]} {after.split()[0]} rw 0 0")
    types = disk.parse_mounts("\n".join(lines).encode())
    assert types == {unescape(row["mount_point"]): row["fs_type"] for row in expected}
