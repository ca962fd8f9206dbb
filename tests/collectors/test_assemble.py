"""Frames into samples: rates over uptime, reboots, sections that are missing or broken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.collectors.assemble import SampleAssembler
from core.collectors.frame import build_frame
from core.exceptions import DataCollectionError
from core.models import HostSample, SectionStatus

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NET_HEAD = "Inter-|   Receive  |  Transmit\n face |bytes    packets|bytes    packets\n"
DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 40 60 40% /\n"


def sections(n: int) -> dict[str, tuple[str, str]]:
    """Plausible text with counters that grew n times."""
    return {
        "stat": ("ok", f"cpu  {n * 100} 0 0 {n * 300} 0 0 0 0 0 0\ncpu0\ncpu1\nbtime 1000\nprocs_running 3"),
        "meminfo": ("ok", "MemTotal:  1000 kB\nMemAvailable:  400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB"),
        "loadavg": ("ok", "0.50 0.40 0.30 1/200 3000"),
        "pressure_cpu": ("ok", "some avg10=1.50 avg60=0.00 avg300=0.00 total=0"),
        "pressure_io": ("forbidden", ""),
        "diskstats": ("ok", f" 8 0 sda {n} 0 {n * 100} 0 0 0 0 0 0 {n * 1000} 0"),
        "netdev": ("ok", f"{NET_HEAD} eth0: {n * 1000} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"),
    }


class Feeder:
    def __init__(self) -> None:
        self.assembler, self.seq = SampleAssembler("web-1"), -1

    def __call__(
        self,
        n: int,
        uptime: float | None,
        *,
        boot: str | None = "b1",
        clock: float = 1_700_000_000.0,
        **changes: tuple[str, str] | None,
    ) -> HostSample:
        self.seq += 1
        merged = {**sections(n), **changes}
        frame = build_frame(
            "ab" * 16,
            self.seq,
            boot_id=boot,
            uptime_s=uptime,
            clock=clock,
            sections=[(name, *given) for name, given in merged.items() if given is not None],
        )
        return self.assembler.feed(frame, AT)


@pytest.fixture
def feed() -> Feeder:
    return Feeder()


def rates(sample: HostSample) -> tuple[float | None, float | None, float | None]:
    assert sample.disks is not None and sample.interfaces is not None
    return sample.system.cpu_pct, sample.disks[0].read_bps, sample.interfaces[0].rx_bps


def test_the_first_frame_has_no_rates_and_the_second_has(feed: Feeder) -> None:
    first, second = feed(1, 100.0), feed(2, 110.0)
    assert rates(first) == (None, None, None) and first.interval_s is None
    assert rates(second) == (25.0, 100 * 512 / 10, 100.0) and second.interval_s == 10.0
    assert (second.host, second.ts, second.seq, second.boot_id, second.uptime_s) == ("web-1", AT, 1, "b1", 110.0)
    assert second.host_clock == datetime.fromtimestamp(1_700_000_000, UTC)
    system = second.system
    assert (system.cpus, system.load1, system.mem_total, system.mem_pct) == (2, 0.5, 1_024_000, 60.0)
    assert (system.psi_cpu, system.psi_memory, system.psi_io) == (1.5, None, None)
    assert (system.procs_running, system.procs_blocked) == (3, None)
    assert second.sections["pressure_io"] is SectionStatus.FORBIDDEN
    assert second.filesystems is None


@pytest.mark.parametrize(("uptime", "boot"), [(5.0, "b2"), (500.0, "b2"), (5.0, "b1"), (5.0, None)])
def test_a_reboot_gives_no_rates(feed: Feeder, uptime: float, boot: str | None) -> None:
    feed(1, 100.0)
    assert rates(feed(9, uptime, boot=boot)) == (None, None, None)
    assert rates(feed(10, uptime + 10, boot=boot)) == (25.0, 5120.0, 100.0)


@pytest.mark.parametrize("clock", [0.0, 1_700_000_000.0 - 3 * 365 * 86400, 1_700_000_000.0 + 3 * 365 * 86400])
def test_a_wall_clock_that_jumps_harms_no_rate(feed: Feeder, clock: float) -> None:
    feed(1, 100.0)
    sample = feed(2, 110.0, clock=clock)
    assert rates(sample) == (25.0, 5120.0, 100.0)
    assert sample.ts == AT and sample.host_clock == datetime.fromtimestamp(clock, UTC)


def test_a_cpu_that_comes_or_goes_costs_one_interval(feed: Feeder) -> None:
    feed(1, 100.0)
    three = sections(2)["stat"][1].replace("cpu1\n", "cpu1\ncpu2\n")
    sample = feed(2, 110.0, stat=("ok", three))
    assert sample.system.cpus == 3 and rates(sample) == (None, 5120.0, 100.0)
    assert feed(3, 120.0, stat=("ok", sections(3)["stat"][1].replace("cpu1\n", "cpu1\ncpu2\n"))).system.cpu_pct == 25.0
    assert feed(4, 130.0).system.cpu_pct is None
    assert feed(5, 140.0).system.cpu_pct == 25.0


def test_a_counter_that_wraps_or_is_reset_costs_one_interval_of_its_device(feed: Feeder) -> None:
    feed(1, 100.0, netdev=("ok", f"{NET_HEAD} eth0: {2**32 - 10} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"))
    assert rates(feed(2, 110.0, netdev=("ok", f"{NET_HEAD} eth0: 500 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"))) == (
        25.0,
        5120.0,
        None,
    )
    assert rates(feed(3, 120.0)) == (25.0, 5120.0, 250.0)
    assert rates(feed(4, 130.0, diskstats=("ok", " 8 0 sda 0 0 0 0 0 0 0 0 0 0 0"))) == (25.0, None, 100.0)
    assert rates(feed(5, 140.0)) == (25.0, 500 * 51.2, 100.0)


def test_without_uptime_there_are_no_rates_but_shares_of_the_cpu(feed: Feeder) -> None:
    feed(1, None)
    assert rates(feed(2, None)) == (25.0, None, None)


def test_a_frame_without_a_section_does_not_stretch_the_interval(feed: Feeder) -> None:
    feed(1, 100.0)
    assert feed(2, 110.0, diskstats=None).disks is None
    assert rates(feed(3, 120.0)) == (25.0, None, 100.0)


def test_a_broken_section_is_told_and_harms_no_other(feed: Feeder) -> None:
    sample = feed(1, 100.0, meminfo=("ok", "hello"), netdev=("ok", "eth0 what"))
    assert sample.sections["meminfo"] is sample.sections["netdev"] is SectionStatus.BROKEN
    assert sample.system.mem_total is None and sample.interfaces is None
    assert sample.system.load1 == 0.5


def test_filesystems_where_df_came(feed: Feeder) -> None:
    sample = feed(1, 100.0, df=("ok", DF), mounts=("ok", "/dev/sda1 / xfs rw 0 0"), dfi=("absent", ""))
    assert sample.filesystems is not None
    assert [(f.mount, f.fstype, f.used_pct, f.inodes) for f in sample.filesystems] == [("/", "xfs", 40.0, None)]


def test_df_in_time_trouble_keeps_what_is_local(feed: Feeder) -> None:
    sample = feed(1, 100.0, df=("timeout", DF))
    assert sample.filesystems and sample.sections["df"] is SectionStatus.TIMEOUT
    assert feed(2, 110.0, df=("timeout", "")).filesystems is None


@pytest.mark.parametrize(
    ("status", "words"),
    [("absent", "no /proc on this host"), ("forbidden", "may not read /proc"), ("ok", "cannot be read")],
)
def test_nothing_to_read_is_an_error(feed: Feeder, status: str, words: str) -> None:
    text = "?" if status == "ok" else ""
    with pytest.raises(DataCollectionError, match=words):
        feed(1, None, stat=(status, text), meminfo=(status, text), loadavg=(status, text), df=("ok", DF))


def test_the_clock_of_the_sh_loop_comes_from_the_boot_time() -> None:
    given = [(name, *value) for name, value in sections(1).items()]
    frame = build_frame("ab" * 16, 0, boot_id="b", uptime_s=50.0, clock=None, sections=given)
    assert SampleAssembler("h").feed(frame, AT).host_clock == datetime.fromtimestamp(1050, UTC)
