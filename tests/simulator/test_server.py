"""The demo fleet over real SSH: what it tells, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import asyncssh
import pytest

from core.collectors.loop import HEARTBEAT, LoopRequest
from core.models import Host, SectionStatus
from core.simulator.process import SimulatorProcess
from tests.simulator.client import connect, open_loop, samples


def named(fleet: list[Host], name: str) -> Host:
    return next(host for host in fleet if host.name == name)


async def test_all_twelve_hosts_tell_figures_that_our_collectors_read(fleet: list[Host]) -> None:
    assert len(fleet) == 12
    assert all(host.simulated and host.address == "127.0.0.1" and host.tags and host.groups for host in fleet)
    begun = time.monotonic()
    told = await asyncio.gather(*(samples(host, 4) for host in fleet))
    assert time.monotonic() - begun < 15
    for host, found in zip(fleet, told, strict=True):
        last = found[-1]
        assert [one.seq for one in found] == [0, 1, 2, 3], host.name
        assert last.system.cpu_pct is not None and 0 <= last.system.cpu_pct <= 100, host.name
        assert last.system.mem_pct is not None and 0 < last.system.mem_pct < 100, host.name
        assert last.system.load1 is not None
        assert last.interfaces and last.boot_id
        assert found[0].filesystems, host.name
        assert SectionStatus.BROKEN not in last.sections.values(), host.name
        assert all(one.interval_s and 0.1 < one.interval_s < 2 for one in found[1:])
        if "this-machine" not in host.tags:
            assert all(one.fstype for one in found[0].filesystems or ())
            assert last.interfaces[0].rx_bps
    by_name = {host.name: found[-1] for host, found in zip(fleet, told, strict=True)}
    assert by_name["edge-01"].sections["pressure_io"] is SectionStatus.ABSENT
    assert by_name["edge-01"].system.psi_io is None
    assert by_name["ci-01"].sections["diskstats"] is SectionStatus.FORBIDDEN
    assert by_name["ci-01"].disks is None
    disks = by_name["db-01"].disks
    assert disks and [disk.device for disk in disks] == ["nvme0n1", "nvme1n1"]
    assert disks[1].write_bps and disks[1].busy_pct


async def test_the_first_host_is_this_machine(fleet: list[Host]) -> None:
    if not Path("/proc/sys/kernel/random/boot_id").exists():
        pytest.skip("needs /proc")
    assert "this-machine" in fleet[0].tags
    found = (await samples(fleet[0], 2))[-1]
    assert found.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.system.cpus == sum(
        1 for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu") and line[3] != " "
    )
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert found.system.mem_total == total
    assert found.uptime_s is not None
    assert abs(found.uptime_s - float(Path("/proc/uptime").read_text().split()[0])) < 10


async def test_only_the_key_of_this_run_gets_in(fleet: list[Host]) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    for changes in ({"client_keys": [stranger]}, {"client_keys": None, "password": "demo"}, {"username": "root"}):
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(fleet[1], **changes)


async def test_each_host_has_a_key_of_its_own(fleet: list[Host]) -> None:
    lines = Path(str(fleet[0].known_hosts)).read_text().splitlines()
    assert len({line.split()[2] for line in lines}) == 12
    wrong = asyncssh.import_known_hosts(f"[127.0.0.1]:{fleet[1].port} " + " ".join(lines[2].split()[1:]) + "\n")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await connect(fleet[1], known_hosts=wrong)


async def test_nothing_that_a_client_sends_is_executed(fleet: list[Host], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    request = LoopRequest(1.0)
    async with await connect(fleet[0]) as connection:
        for command in (
            f"touch {mark}",
            f"true; touch {mark}",
            f"uname -a && touch {mark}",
            f"cat /proc/stat $(touch {mark})",
            "cat /etc/passwd",
            "cat /proc/../etc/passwd",
            "cat /proc/self/environ",
            f"touch {mark}; {request.command}",
            request.command.replace("IFS= read", f"touch {mark};IFS= read"),
            LoopRequest(0.0).command,
        ):
            done = await asyncio.wait_for(connection.run(command), 5)
            assert done.exit_status == 126, command
            assert "not on the list" in str(done.stderr)
        other = await open_loop(connection, request, b"touch " + str(mark).encode() + b"\n")
        assert (await asyncio.wait_for(other.wait(), 5)).exit_status == 126
        for line in ("true", "uname -a", "cat /proc/loadavg"):
            assert (await asyncio.wait_for(connection.run(line), 5)).exit_status == 0
    assert not mark.exists()


async def test_no_other_subsystem_and_no_tunnel(fleet: list[Host]) -> None:
    async with await connect(fleet[2]) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await asyncio.wait_for(connection.create_process(subsystem="netconf"), 5)
        with pytest.raises(asyncssh.ChannelOpenError):
            await asyncio.wait_for(connection.open_connection("127.0.0.1", fleet[1].port or 0), 5)
        with pytest.raises(asyncssh.ChannelListenError):
            await asyncio.wait_for(connection.forward_remote_port("", 0, "127.0.0.1", 1), 5)


async def test_the_loop_ends_in_silence_and_at_the_end_of_stdin(fleet: list[Host]) -> None:
    async with await connect(fleet[3]) as connection:
        silent = await open_loop(connection, LoopRequest(0.1, silence_s=0.8))
        heard = await open_loop(connection, LoopRequest(30.0, silence_s=0.8))
        begun = time.monotonic()

        async def beat() -> None:
            while time.monotonic() - begun < 2.0:
                heard.stdin.write(HEARTBEAT)
                await asyncio.sleep(0.2)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(beat())
            out = b""
            while part := await asyncio.wait_for(silent.stdout.read(1 << 16), 30):
                out += part
            assert time.monotonic() - begun > 0.7
            assert out.count(b" E ") >= 5
        assert heard.exit_status is None
        await asyncio.wait_for(heard.wait(), 5)  # nobody beats any more, and its next frame is far away
        ended = await open_loop(connection, LoopRequest(0.1))
        ended.stdin.write_eof()
        await asyncio.wait_for(ended.wait(), 5)


async def test_one_port_can_play_many_hosts(tmp_path: Path) -> None:
    simulator = SimulatorProcess(single_port=True)
    try:
        fleet = await simulator.start(tmp_path / "state", hosts=200)
        assert len({host.name for host in fleet}) == 200
        assert len({host.port for host in fleet}) == 1
        told = await asyncio.gather(*(samples(host, 2) for host in fleet[::20]))
        assert len({found[0].boot_id for found in told}) == len(told)
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(fleet[1], username="nobody-here")
    finally:
        await simulator.stop()
    assert os.listdir(tmp_path / "state") == []
