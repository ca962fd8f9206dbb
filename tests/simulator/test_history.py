"""The demo fleet's past: ordered, the same each time, and plausible."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from core.models import Host, HostSample, SectionStatus
from core.simulator.fleet import build_fleet
from core.simulator.history import generate_history
from core.simulator.history_items import generate_looks
from core.simulator.local import read_local_spec

UNTIL = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def fleet() -> list[Host]:
    return [
        Host(spec.name, groups=spec.groups, tags=spec.tags, simulated=True)
        for spec in build_fleet(12, 0, read_local_spec())
    ]


def by_host(samples: list[HostSample]) -> dict[str, list[HostSample]]:
    found: dict[str, list[HostSample]] = defaultdict(list)
    for sample in samples:
        found[sample.host].append(sample)
    return found


def test_ten_days_of_twelve_hosts() -> None:
    hosts = fleet()
    samples = list(generate_history(hosts, until=UNTIL))
    assert 34_000 < len(samples) <= 34_560
    assert all(one.ts <= other.ts for one, other in pairwise(samples))
    assert samples[-1].ts <= UNTIL
    assert samples[-1].ts > UNTIL - timedelta(seconds=301)
    assert timedelta(days=9, hours=23) < samples[-1].ts - samples[0].ts < timedelta(days=10)
    hosted = by_host(samples)
    assert set(hosted) == {host.name for host in hosts}
    for name, told in hosted.items():
        assert (len(told) == 2880) == (name != "edge-01"), name
        busy = [one.system.cpu_pct or 0.0 for one in told]
        assert min(busy) > 0 and max(busy) <= 100
        assert max(busy) - min(busy) > 5
        for one in told[::97]:
            assert one.system.mem_pct is not None and 0 < one.system.mem_pct < 100
            assert one.interval_s == 300
            assert all(fs.used_pct is not None and 0 < fs.used_pct <= 100 for fs in one.filesystems or ())
        uptimes = [one.uptime_s or 0.0 for one in told]
        assert uptimes == sorted(uptimes)


def test_the_stories_are_in_the_past_too() -> None:
    told = by_host(list(generate_history(fleet(), until=UNTIL)))
    var = [one.filesystems[1].used_pct or 0.0 for one in told["db-02"] if one.filesystems]
    assert max(var) > 90 and min(var) < 45
    late = [one.system.iowait_pct or 0.0 for one in told["nas-01"][-288:]]
    early = [one.system.iowait_pct or 0.0 for one in told["nas-01"][:288]]
    assert max(late) > 35 > max(early)
    nights = [one.system.cpu_pct or 0.0 for one in told["web-01"] if one.ts.hour in (3, 4, 5)]
    noons = [one.system.cpu_pct or 0.0 for one in told["web-01"] if one.ts.hour in (15, 16, 17)]
    assert sum(noons) / len(noons) > 1.5 * sum(nights) / len(nights)
    assert told["ci-01"][0].disks is None
    assert told["ci-01"][0].sections["diskstats"] is SectionStatus.FORBIDDEN
    assert told["edge-01"][0].system.psi_cpu is None


def test_the_same_arguments_give_the_same_samples() -> None:
    hosts = fleet()[1:]
    first, second = (list(generate_history(hosts, days=1, until=UNTIL)) for _ in range(2))
    assert first == second
    assert list(generate_history(hosts, days=1, until=UNTIL, seed=1)) != first


def test_containers_have_a_past_with_a_leak_and_a_loop() -> None:
    every = list(generate_looks(fleet(), step_s=600, until=UNTIL))
    looks = [look for look in every if look.containers]
    assert len(looks) == 1440 and {look.host for look in looks} == {"docker-01"} and looks[-1].ts < UNTIL
    assert every == list(generate_looks(fleet(), step_s=600, until=UNTIL))
    assert all(one.ts <= other.ts for one, other in pairwise(every))
    units = [(look.host, one.name) for look in every for one in look.units if one.cpu_pct and one.mem_used]
    assert set(units) == {*((f"web-0{n}", "nginx.service") for n in (1, 2, 3)), ("db-01", "postgresql.service")}
    assert len(units) == 4 * 144
    shop = [one for look in looks for one in look.containers if one.name == "shop"]
    assert len(shop) == 1440 and all(0 < (one.cpu_pct or 0) < 60 and one.mem_used for one in shop)
    assert sorted(one.rx_bytes or 0 for one in shop) == [one.rx_bytes for one in shop]
    leak = [next((one.mem_used for one in look.containers if one.name == "indexer"), None) for look in looks]
    grown = [(b or 0) - (a or 0) for a, b in pairwise(leak[:-40])]
    assert 8 <= sum(step < 0 for step in grown) <= 10 and None not in leak[:-40]  # once a day it is killed
    assert leak[-30:].count(None) > 5  # and now it does not come up
    assert not any(one.name == "migrate" for look in looks for one in look.containers)


def test_only_hosts_of_the_demo_have_a_past() -> None:
    assert list(generate_history([Host("real-01"), Host("x", simulated=True)], days=1, until=UNTIL)) == []
