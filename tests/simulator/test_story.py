"""The story of the demo fleet: counters, curves, and the host that leaves the network, on a clock of our own."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import asyncssh
import pytest

from core.collectors import disk, io, net, system
from core.models import Host
from core.simulator.fleet import HostSpec, build_fleet, local_name, local_spec, spec_of
from core.simulator.fleet_server import FleetServer
from core.simulator.machine import Machine
from core.simulator.process import host_list
from core.simulator.story import filled, is_away, levels
from tests.simulator.client import connect, samples

EPOCH = 1_800_000_000.0


def nobody() -> HostSpec:
    return local_spec(cpus=2, memory=1 << 30, swap=0, filesystems=(), disks=(), interfaces=(), uptime_s=1e6, name="me")


def cast() -> list[HostSpec]:
    return build_fleet(12, 0, nobody())[1:]


def test_counters_only_grow_and_agree_with_the_story() -> None:
    for spec in cast():
        machine = Machine(spec, EPOCH)
        before = system.parse_stat(machine.stat(brief=True).encode())
        disks, links = io.parse_diskstats(machine.diskstats().encode()), net.parse_netdev(machine.netdev().encode())
        for elapsed in range(1, 240):
            machine.advance(float(elapsed))
            now = system.parse_stat(machine.stat(brief=True).encode())
            shares = system.cpu_shares(before, now)
            level = levels(spec, EPOCH + elapsed, float(elapsed))
            assert shares is not None and shares.busy is not None and shares.iowait is not None
            assert shares.busy == pytest.approx(level.cpu, abs=2.5), (spec.name, elapsed)
            assert shares.iowait == pytest.approx(level.iowait, abs=2.0), (spec.name, elapsed)
            now_disks = io.parse_diskstats(machine.diskstats().encode())
            now_links = net.parse_netdev(machine.netdev().encode())
            for name in spec.disks:
                assert all(new >= old for old, new in zip(disks[name], now_disks[name], strict=True))
                assert now_disks[name][4] - disks[name][4] <= 1001
            for name in spec.interfaces:
                assert all(new >= old for old, new in zip(links[name], now_links[name], strict=True))
            before, disks, links = now, now_disks, now_links


def test_a_machine_stands_still_when_time_goes_back_and_catches_up_after_a_long_gap() -> None:
    machine = Machine(spec_of("web-01", "web", 0), EPOCH)
    machine.advance(10.0)
    first = machine.stat()
    machine.advance(5.0)
    assert machine.stat() == first
    before = system.parse_stat(first.encode())
    machine.advance(3610.0)
    shares = system.cpu_shares(before, system.parse_stat(machine.stat().encode()))
    assert shares is not None and shares.busy is not None and 0 < shares.busy < 100


def test_the_texts_are_those_of_proc() -> None:
    for spec in cast():
        machine = Machine(spec, EPOCH)
        memory = system.parse_meminfo(machine.meminfo().encode())
        assert memory.total == spec.memory
        assert system.parse_meminfo(machine.meminfo(brief=True).encode()) == memory
        full = system.parse_stat(machine.stat().encode())
        assert full.cpus == spec.cpus
        assert system.parse_stat(machine.stat(brief=True).encode()).cpus == spec.cpus
        found = disk.filesystems(
            disk.parse_df(machine.df().encode()),
            disk.parse_df(machine.df(inodes=True).encode(), "dfi"),
            disk.parse_mounts(machine.mounts().encode()),
        )
        assert [(one.mount, one.fstype) for one in found] == [(one.mount, one.fstype) for one in spec.filesystems]
        pressure = machine.pressure("io")
        assert (pressure is None) == (not spec.pressure)
        if pressure is not None:
            assert system.parse_pressure(pressure.encode()) is not None


def test_the_same_seed_tells_the_same_story() -> None:
    def told(seed: int) -> list[str]:
        machines = [Machine(spec, EPOCH) for spec in build_fleet(12, seed, nobody())[1:]]
        for machine in machines:
            machine.advance(30.0)
        return [machine.stat() + machine.diskstats() + machine.df() + machine.boot_id for machine in machines]

    assert told(0) == told(0)
    assert told(0) != told(1)


def test_var_fills_within_ten_minutes_is_cleaned_and_fills_again() -> None:
    curve = [filled(float(second), 0.62) for second in range(1300)]
    assert curve[0] == pytest.approx(0.62)
    brim = next(second for second, used in enumerate(curve) if used > 0.9)
    assert brim < 600
    clean = next(second for second in range(brim, 1300) if curve[second] < 0.4)
    assert clean - brim < 120
    assert max(curve[clean:]) > 0.9
    assert filled(-1.0, 0.62) == pytest.approx(filled(0.0, 0.62), abs=0.01)


def test_the_failing_drive_and_the_restart_loop_show() -> None:
    nas, docker = spec_of("nas-01", "nas", 0), spec_of("docker-01", "docker", 0)
    waits = [levels(nas, EPOCH + second, float(second)).iowait for second in range(90)]
    assert max(waits) > 35 and min(waits) < 10
    busy = [levels(docker, EPOCH + second, float(second)).cpu for second in range(40)]
    assert max(busy) - min(busy) > 40


def test_the_edge_host_leaves_after_the_first_minute_and_returns() -> None:
    edge = spec_of("edge-01", "edge", 0)
    away = [second for second in range(900) if is_away(edge, float(second))]
    assert away[0] > 45
    starts = [second for second in away if second - 1 not in away]
    assert len(starts) >= 4
    assert all(120 <= later - earlier <= 180 for earlier, later in pairwise(starts))
    assert all(15 <= sum(start <= second < start + 60 for second in away) <= 21 for start in starts)
    assert not any(is_away(spec, float(second)) for spec in cast() if spec.name != "edge-01" for second in range(600))


def test_big_fleets_have_names_of_their_own() -> None:
    fleet = build_fleet(2000, 0, nobody())
    assert len({spec.name for spec in fleet}) == len({spec.boot_id for spec in fleet}) == 2000
    assert [len(build_fleet(count, 0, nobody())) for count in (1, 2, 12, 13)] == [1, 2, 12, 13]


@pytest.mark.parametrize(
    ("raw", "name"),
    [("Host.example.org", "host"), ("a b!c", "a-b-c"), ("localhost", "this-machine"), ("...", "this-machine"),
     ("web-01", "this-machine"), ("x" * 80, "x" * 40)],
)  # fmt: skip
def test_this_machines_name_is_made_fit(raw: str, name: str) -> None:
    assert local_name(raw) == name


async def test_a_dropped_host_cuts_and_refuses_then_returns(tmp_path: Path) -> None:
    now = 1000.0
    edge = spec_of("edge-01", "edge", 0)
    server = FleetServer([edge], state_dir=tmp_path, clock=lambda: now)
    stopped = asyncio.Event()
    host: Host = host_list(await server.start())[0]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run(stopped))
        try:
            now += 600.0  # nobody logged in yet: its outages have not begun
            kept = await connect(host)
            now += 44.0
            await asyncio.sleep(0.6)
            assert (await kept.run("true")).exit_status == 0
            now += 36.0
            await asyncio.wait_for(kept.wait_closed(), 3)
            with pytest.raises(ConnectionRefusedError):
                await connect(host)
            now += 20.0
            await asyncio.sleep(0.8)
            assert (await samples(host, 2))[0].boot_id == edge.boot_id
        except asyncssh.Error as error:
            pytest.fail(str(error))
        finally:
            stopped.set()
            await server.stop()
