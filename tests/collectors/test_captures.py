"""Captures of other people's machines: no figure that we read differs from what an independent parser read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.collectors import arrays, disk, io, net, ports, system, zfs
from core.collectors.processes import AWK
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


@pytest.mark.parametrize("name", ["zpool-status-v", "zpool-status-v2"])
def test_zpool_status(name: str) -> None:
    text, expected = capture(name)
    for found, row in zip(zfs.parse_status(text.decode()), expected, strict=True):
        assert (found.name, found.health, found.errors) == (row["pool"], row["state"], row["errors"])
        assert found.scan == row.get("scan", row.get("scrub"))
        assert found.status == " ".join(row.get("status", "").split("\n"))
        for vdev, line in zip(found.vdevs, row["config"], strict=True):
            assert (vdev.name, vdev.state, vdev.note) == (line["name"], line["state"], line.get("errors", ""))
            counts = (vdev.read_errors, vdev.write_errors, vdev.checksum_errors)
            assert counts == (line["read"], line["write"], line["checksum"])


@pytest.mark.parametrize("name", ["mdadm-query-detail", "mdadm-query-raid1-faulty", "mdadm-query-raid1-ok"])
def test_mdadm(name: str) -> None:
    text, expected = capture(name)
    found = arrays.parse_detail(text.decode())
    assert (found.device, found.level, found.state) == tuple(expected[k] for k in ("device", "raid_level", "state"))
    assert found.size == expected["array_size_num"] * 1024
    assert found.members == expected["raid_devices"]
    assert found.working == expected["active_devices"]
    assert found.failed == expected["failed_devices"]


def test_ss() -> None:
    text, expected = capture("ss-wide")
    found = ports.parse_ss(text.decode())
    assert len(found) == len(expected)
    for one, row in zip(found, expected, strict=True):
        assert (one.protocol, one.port) == (row["netid"], row["local_port_num"])
        assert one.address == row["local_address"].strip("[]")
        assert one.interface == row.get("interface")
        users = row.get("opts", {}).get("process_id", {})
        assert str(one.pid) in users or (one.pid is None and not users)
        assert one.process is None or one.process == users[str(one.pid)]["user"]


@pytest.mark.parametrize("name", ["proc-pid_stat", "proc-pid_stat_hack", "proc-pid_stat_w_space_and_nl_in_comm"])
def test_pid_stat(name: str) -> None:
    """What runs on the host: of two readings the growth of utime and stime, whatever the name of the process."""
    text, expected = capture(name)
    line = text.decode().rstrip("\n")
    head, _, rest = line.rpartition(")")
    fields = rest.split(" ")  # the first is empty, the second the state: utime is field 14 of proc(5)
    assert int(fields[12]) == expected["utime"] and int(fields[13]) == expected["stime"]
    fields[12], fields[13] = str(expected["utime"] + 40), str(expected["stime"] + 2)
    later = f"{head}){' '.join(fields)}"
    readings = f"100.00 50.00\n{line}\n@jw\n101.00 50.00\n{later}\n@jw\n"
    done = subprocess.run(
        ["awk", "-v", "h=100", "-v", "N=5", AWK], input=readings, capture_output=True, text=True, timeout=60
    )
    assert f"@jw process {expected['pid']} 42\n" in done.stdout
    assert done.stdout.startswith("@jw uptime 100.00 101.00 100\n")
