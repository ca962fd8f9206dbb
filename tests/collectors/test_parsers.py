"""The parsers on odd and broken text: right, unknown, or an error; never a wrong number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collectors import disk, io, net, system
from core.collectors.rates import Devices, deltas, interval
from core.exceptions import DataCollectionError

STAT = b"cpu  100 10 50 1000 20 1 2 3 40 5\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nprocs_running 2\nprocs_blocked 1\nbtime 5\n"
NET_HEAD = b"Inter-|   Receive  |  Transmit\n face |bytes    packets|bytes    packets\n"
PARSERS: list[Callable[[bytes], Any]] = [
    system.parse_stat,
    system.parse_meminfo,
    system.parse_loadavg,
    system.parse_pressure,
    io.parse_diskstats,
    net.parse_netdev,
    disk.parse_df,
    disk.parse_mounts,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.binary(max_size=200))
def test_garbage_is_an_error_or_nothing(parse: Callable[[bytes], Any], text: bytes) -> None:
    try:
        parse(text)
    except DataCollectionError as exc:
        assert len(exc.message) < 400
        assert exc.message.isprintable()


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (system.parse_stat, b""),
        (system.parse_stat, b"cpu  1 2 3\n"),
        (system.parse_stat, b"cpu  1_0 2 3 4\n"),
        (system.parse_stat, "cpu  ١ 2 3 4\n".encode()),
        (system.parse_stat, b"cpu  -1 2 3 4\n"),
        (system.parse_meminfo, b"MemTotal: 0 kB\n"),
        (system.parse_meminfo, b"MemTotal: 12 MB\n"),
        (system.parse_meminfo, b"MemFree: 12 kB\n"),
        (system.parse_loadavg, b"0.1 0.2\n"),
        (system.parse_loadavg, b"nan inf 0.1 1/2 3\n"),
        (system.parse_loadavg, b"0,10 0,20 0,30 1/2 3\n"),
        (system.parse_pressure, b"some avg10=1000.00 avg60=0 \n"),
        (system.parse_pressure, b"full avg10=1.00 avg60=0\n"),
        (io.parse_diskstats, b"   8 0 sda 1 2 3\n"),
        (io.parse_diskstats, b"   8 0 sda 1 2 3 4 5 6 7 8 9 10 11\nand something\n"),
        (io.parse_diskstats, b""),
        (net.parse_netdev, b""),
        (net.parse_netdev, NET_HEAD + b"  eth0: 1 2 3\n"),
        (net.parse_netdev, NET_HEAD + b"  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"),
        (disk.parse_df, b"df: invalid option -- 'P'\n"),
        (disk.parse_df, b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 x y z 3% /\nmore\n"),
        (disk.parse_mounts, b"proc\n"),
    ],
)
def test_what_is_not_in_the_format_is_refused(parse: Callable[[bytes], Any], text: bytes) -> None:
    with pytest.raises(DataCollectionError):
        parse(text)


def cpu(**fields: int | None) -> system.CpuCounters:
    values: dict[str, Any] = {
        **dict.fromkeys(("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"), 0),
        **{"cpus": 2, "btime": None, "procs_running": None, "procs_blocked": None},
        **fields,
    }
    return system.CpuCounters(**values)


def test_cpu_shares() -> None:
    shares = system.cpu_shares(
        cpu(user=100, idle=100), cpu(user=120, nice=5, system=10, irq=3, softirq=2, steal=10, iowait=10, idle=140)
    )
    assert shares is not None
    assert (shares.user, shares.system, shares.steal, shares.iowait) == (25.0, 15.0, 10.0, 10.0)
    assert shares.busy == 50.0


def test_guest_time_is_not_counted_twice() -> None:
    before = system.parse_stat(b"cpu  0 0 0 0 0 0 0 0 0 0\n")
    now = system.parse_stat(b"cpu  50 0 0 50 0 0 0 0 50 0\n")
    shares = system.cpu_shares(before, now)
    assert shares is not None and shares.busy == 50.0


@pytest.mark.parametrize(
    "now",
    [
        cpu(user=50, idle=200),  # a counter went back
        cpu(user=100, idle=100),  # no time went by
        cpu(user=150, idle=200, cpus=3),  # a CPU came
        cpu(user=150, idle=200, cpus=1),
    ],
)
def test_cpu_counters_that_do_not_compare(now: system.CpuCounters) -> None:
    assert system.cpu_shares(cpu(user=100, idle=100), now) is None


def test_iowait_may_go_back() -> None:
    shares = system.cpu_shares(cpu(iowait=10), cpu(iowait=8, user=10, idle=10))
    assert shares is not None and (shares.busy, shares.iowait) == (50.0, 0.0)


def test_an_old_kernel_has_fewer_fields() -> None:
    counters = system.parse_stat(b"cpu  1 2 3 4\ncpu0 1 2 3 4\n")
    assert (counters.user, counters.idle, counters.iowait, counters.steal) == (1, 4, 0, 0)
    assert counters.procs_running is None
    assert system.parse_meminfo(b"MemTotal: 100 kB\nMemFree: 5 kB\n").available is None


def test_available_above_total_is_unknown() -> None:
    assert system.parse_meminfo(b"MemTotal:  100 kB\nMemAvailable:  200 kB\n").available is None


def test_deltas_and_intervals() -> None:
    assert deltas((1, 2), (3, 2)) == [2, 0]
    assert deltas((1, 2**32 - 1), (3, 5)) is None
    assert interval(10.0, 20.5) == 10.5
    assert interval(None, 1.0) is interval(1.0, None) is interval(5.0, 4.0) is interval(5.0, 5.0) is None


def disk_line(name: str, *numbers: int) -> str:
    reads, sectors, writes, written, busy = numbers or (0, 0, 0, 0, 0)
    return f"   8       0 {name} {reads} 0 {sectors} 0 {writes} 0 {written} 0 0 {busy} 0"


def test_which_disks_are_real() -> None:
    names = (
        *("loop0", "ram0", "zram0", "sr0", "fd0", "sda", "sda1", "sda15", "nvme0n1", "nvme0n1p1", "mmcblk0"),
        *("mmcblk0p1", "mmcblk0boot0", "md0", "md0p1", "dm-0", "xvdb1", "vdc", "cciss!c0d0", "cciss!c0d0p1", "nvme1n1"),
    )
    assert io.real_disks(names) == (
        "sda", "nvme0n1", "mmcblk0", "md0", "xvdb1", "vdc", "cciss!c0d0", "nvme1n1",
    )  # fmt: skip
    assert io.real_disks(("dm-0", "dm-1", "loop0")) == ("dm-0", "dm-1")
    assert io.real_disks(()) == ()


def test_disk_lines_of_every_kernel() -> None:
    text = "\n".join(
        [
            "   8    0 sda 1 2 3 4 5 6 7 8 9 10 11",  # 2.6
            "   8    1 sda1 1 2 3 4",  # a partition before 2.6.25
            " 259    0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",  # 4.18
            " 254    0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",  # 5.5
        ]
    )
    found = io.parse_diskstats(text.encode())
    assert found == dict.fromkeys(("sda", "nvme0n1", "vda"), (1, 3, 5, 7, 10))


def devices() -> Devices[Any, Any, Any]:
    return Devices(io.disk_rows, io.disk_counters, io.real_disks, io.disk_figures)


def test_disk_rates_over_reset_wrap_and_replug() -> None:
    disks = devices()

    def read(*lines: str, seconds: float | None = 10.0) -> Any:
        return disks.read("\n".join(lines).encode(), seconds)[-1]

    assert read(disk_line("sda", 10, 100, 10, 100, 1000)).read_bps is None
    figures = read(disk_line("sda", 20, 300, 30, 500, 6000))
    assert (figures.read_bps, figures.write_bps) == (200 * 51.2, 400 * 51.2)
    assert (figures.read_iops, figures.write_iops, figures.busy_pct) == (1.0, 2.0, 50.0)
    assert read(disk_line("sda", 1, 1, 1, 1, 1)).busy_pct is None
    assert read(disk_line("sda", 2, 2, 2, 2, 10**6)).busy_pct == 100.0
    assert read(disk_line("sda", 2, 2, 2, 2, 10**6), seconds=None).busy_pct is None
    assert read(disk_line("sdb", 5, 5, 5, 5, 5)).read_bps is None
    assert read(disk_line("sda", 9, 9, 9, 9, 10**7)).read_bps is None, "it was away in between"


def test_interface_lines() -> None:
    text = NET_HEAD + (
        b"    lo: 1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0\n"
        b"docker0: 1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0\n"
        b"veth12ab:1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0\n"
        b"  eth0:18446744073709551615 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
        b"eth0.100: 1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0\n"
    )
    found = net.parse_netdev(text)
    assert found["eth0"] == (2**64 - 1, 2, 3, 4, 5, 6, 7, 8)
    assert net.shown_interfaces(list(found)) == ("eth0", "eth0.100", "docker0")


def test_interface_rates() -> None:
    figures = net.interface_figures("eth0", (0,) * 8, (1000, 10, 1, 2, 2000, 20, 3, 4), 10.0)
    assert (figures.rx_bps, figures.tx_bps, figures.rx_pps, figures.tx_pps) == (100.0, 200.0, 1.0, 2.0)
    assert (figures.errors_ps, figures.drops_ps) == (0.4, 0.6)
    assert net.interface_figures("eth0", None, (0,) * 8, 10.0).rx_bps is None
    assert net.interface_figures("eth0", (2**32 - 1,) + (0,) * 7, (5,) + (0,) * 7, 10.0).rx_bps is None


DF = b"""Filesystem     1024-blocks     Used Available Capacity Mounted on
udev               1000000        0   1000000       0% /dev
tmpfs               200000      100    199900       1% /run
/dev/sda1         10000000  4000000   5000000      45% /
/dev/sda1         10000000  4000000   5000000      45% /var/lib/bind
/dev/sdb1            -        -         -          -   /broken
/dev/loop3           65536    65536         0     100% /snap/core/1
overlay           10000000  4000000   5000000      45% /var/lib/docker/overlay2/ab/merged
nas:/export/my files 50000000 10 49999990       1% /mnt/my files
//server/share one  700 100 600 15% /mnt/cifs
/dev/mapper/a-very-long-name-of-a-volume-group-and-of-its-volume
                       100       40        60      40% /long
tank/data              900      300       600      34% /tank
/dev/full             1000     1010       -10     101% /full
"""
MOUNTS = rb"""udev /dev devtmpfs rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sda1 / ext4 rw 0 0
nas:/export/my\040files /mnt/my\040files nfs4 rw 0 0
tank/data /tank zfs rw 0 0
overlay /var/lib/docker/overlay2/ab/merged overlay rw 0 0
"""


def test_df_rows() -> None:
    found = {f.mount: f for f in disk.filesystems(disk.parse_df(DF), None, disk.parse_mounts(MOUNTS))}
    assert set(found) == {"/", "/mnt/my files", "/mnt/cifs", "/long", "/tank", "/full"}
    assert found["/"].size == 10000000 * 1024 and found["/"].fstype == "ext4"
    assert found["/mnt/my files"].device == "nas:/export/my files"
    assert found["/mnt/my files"].fstype == "nfs4"
    assert found["/long"].device == "/dev/mapper/a-very-long-name-of-a-volume-group-and-of-its-volume"
    assert found["/full"].available == -10 * 1024
    assert found["/full"].used_pct == pytest.approx(101.0)


def test_units_of_df() -> None:
    row = b"/dev/sda1 100 40 60 40% /\n"
    for head, scale in ((b"1024-blocks", 1024), (b"1K-blocks", 1024), (b"512-blocks", 512)):
        assert (
            disk.parse_df(b"Filesystem " + head + b" Used Available Capacity Mounted on\n" + row)[0].size == 100 * scale
        )


def test_inodes() -> None:
    text = b"""Filesystem      Inodes  IUsed   IFree IUse% Mounted on
/dev/sda1       655360 120000  535360   19% /
/dev/sdb1            0      0       0     - /btrfs
"""
    inodes = disk.parse_df(text, "dfi")
    rows = [disk.DfRow("/dev/sda1", "ext4", 10, 5, 5, "/"), disk.DfRow("/dev/sdb1", "btrfs", 10, 5, 5, "/btrfs")]
    root, btrfs = disk.filesystems(rows, inodes)
    assert (root.inodes, root.inodes_used) == (655360, 120000)
    assert (btrfs.inodes, btrfs.inodes_used) == (None, None)


def test_names_are_made_safe() -> None:
    text = b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9 1 8 12% /mnt/\x1b[2J\xff\n"
    (row,) = disk.parse_df(text)
    assert row.mount == "/mnt/?[2J\ufffd"
    assert disk.parse_mounts(rb"x /a\040b\134c\303\274 ext4 rw 0 0") == {"/a b\\cü": "ext4"}
