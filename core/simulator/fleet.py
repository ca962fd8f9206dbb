"""Who is in the demo fleet: the hardware and the temper of each host, from a name and a seed."""

from __future__ import annotations

import re
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

GIB = 1 << 30
MIB = 1 << 20
TAG_LOCAL = "this-machine"
TAG_DEMO = "demo"
LOGIN = "demo"
WATCHED: dict[str, tuple[str, ...]] = {"web": ("nginx.service",), "db": ("postgresql.service",)}  # units, by kind


@dataclass(frozen=True, slots=True)
class FilesystemSpec:
    """One mounted filesystem: size in bytes, used fraction now, growth in fractions a day."""

    mount: str
    device: str
    fstype: str
    size: int
    used: float
    growth: float = 0.0
    fills: bool = False  # fills up and is cleaned, as the story tells


@dataclass(frozen=True, slots=True)
class HostSpec:
    """What does not change of one host; CPU figures in percent of all CPUs, rates in bytes/s at full activity."""

    name: str
    kind: str
    groups: tuple[str, ...]
    tags: tuple[str, ...]
    key: int  # of its own noise
    cpus: int
    memory: int
    swap: int
    idle_cpu: float  # user percent at no activity
    day_cpu: float  # added at full activity
    iowait: float
    memory_used: float  # fraction at no activity
    memory_day: float
    read_bps: float
    write_bps: float
    rx_bps: float
    tx_bps: float
    filesystems: tuple[FilesystemSpec, ...]
    disks: tuple[str, ...]
    interfaces: tuple[str, ...]
    uptime_s: float  # when the story starts
    pressure: bool = True
    forbidden: tuple[str, ...] = ()  # names of sections that its login may not read
    local: bool = False
    drops: bool = False  # leaves the network and returns

    @property
    def boot_id(self) -> str:
        """A boot id in the kernel's form, the same in every run with the same seed."""
        word = f"{self.key:08x}"
        return f"{word}-{word[:4]}-4{word[4:7]}-8{word[1:4]}-{word}{word[:4]}"


def _root(size_gib: int, used: float, growth: float = 0.002, device: str = "/dev/vda2") -> FilesystemSpec:
    return FilesystemSpec("/", device, "ext4", size_gib * GIB, used, growth)


def _template(kind: str, **changes: object) -> HostSpec:
    base = HostSpec(
        name="", kind=kind, groups=("production",), tags=(), key=0,
        cpus=4, memory=8 * GIB, swap=2 * GIB, idle_cpu=3.0, day_cpu=40.0, iowait=0.5,
        memory_used=0.35, memory_day=0.2, read_bps=0.4e6, write_bps=1.5e6, rx_bps=2e6, tx_bps=6e6,
        filesystems=(_root(40, 0.42), FilesystemSpec("/var", "/dev/vda3", "ext4", 60 * GIB, 0.37, 0.004)),
        disks=("vda",), interfaces=("eth0",), uptime_s=32 * 86400.0,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


_SDA = "/dev/sda2"
_TEMPLATES: dict[str, HostSpec] = {
    "web": _template("web"),
    "db": _template(
        "db", cpus=8, memory=32 * GIB, idle_cpu=6.0, day_cpu=35.0, iowait=9.0, memory_used=0.66, memory_day=0.08,
        read_bps=60e6, write_bps=90e6, rx_bps=8e6, tx_bps=14e6,
        filesystems=(
            _root(60, 0.31, device="/dev/nvme0n1p2"),
            FilesystemSpec("/var/lib/postgresql", "/dev/nvme1n1", "xfs", 500 * GIB, 0.61, 0.006),
        ),
        disks=("nvme0n1", "nvme1n1"), interfaces=("eth0", "eth1"), uptime_s=118 * 86400.0,
    ),
    "fill": _template(
        "fill", groups=("production",), cpus=8, memory=16 * GIB, idle_cpu=5.0, day_cpu=22.0, iowait=3.0,
        memory_used=0.55, memory_day=0.1, read_bps=8e6, write_bps=25e6, rx_bps=5e6, tx_bps=4e6,
        filesystems=(
            _root(40, 0.36), FilesystemSpec("/var", "/dev/vda3", "ext4", 120 * GIB, 0.62, fills=True),
        ),
    ),
    "cache": _template(
        "cache", cpus=2, memory=16 * GIB, swap=0, idle_cpu=4.0, day_cpu=25.0, memory_used=0.78, memory_day=0.06,
        read_bps=0.1e6, write_bps=0.6e6, rx_bps=12e6, tx_bps=40e6,
    ),
    "batch": _template(
        "batch", groups=("production", "batch"), cpus=16, memory=64 * GIB, idle_cpu=2.0, day_cpu=10.0,
        memory_used=0.2, memory_day=0.1, read_bps=20e6, write_bps=12e6,
    ),
    "nas": _template(
        "nas", groups=("storage",), memory=16 * GIB, idle_cpu=3.0, day_cpu=8.0, iowait=4.0, memory_used=0.5,
        memory_day=0.05, read_bps=70e6, write_bps=30e6, rx_bps=30e6, tx_bps=70e6,
        filesystems=(
            _root(30, 0.27, device=_SDA), FilesystemSpec("/srv", "/dev/md0", "xfs", 8000 * GIB, 0.79, 0.011),
        ),
        disks=("sda", "sdb"), uptime_s=204 * 86400.0,
    ),
    "ci": _template(
        "ci", groups=("build",), cpus=12, memory=24 * GIB, idle_cpu=2.0, day_cpu=12.0, memory_used=0.25,
        memory_day=0.15, read_bps=5e6, write_bps=20e6, forbidden=("diskstats",), uptime_s=13 * 86400.0,
    ),
    "edge": _template(
        "edge", groups=("edge",), cpus=2, memory=2 * GIB, swap=0, idle_cpu=6.0, day_cpu=18.0, memory_used=0.45,
        memory_day=0.1, rx_bps=0.8e6, tx_bps=0.5e6, pressure=False, drops=True,
        filesystems=(_root(14, 0.55, device="/dev/mmcblk0p2"),
                     FilesystemSpec("/boot", "/dev/mmcblk0p1", "vfat", 512 * MIB, 0.21)),
        disks=("mmcblk0",), uptime_s=41 * 86400.0,
    ),
    "docker": _template(
        "docker", cpus=6, memory=16 * GIB, idle_cpu=7.0, day_cpu=20.0, memory_used=0.48, memory_day=0.08,
        read_bps=3e6, write_bps=9e6, interfaces=("eth0", "docker0"),
    ),
    # For benchmarks: the host that the aims speak of, and every figure of it moves from second to second.
    "even": _template(
        "even", groups=("benchmark",),
        filesystems=tuple(
            FilesystemSpec(mount, f"/dev/vda{number}", "ext4", 400 * GIB, 0.1 + 0.05 * number, 20.0)
            for number, mount in enumerate(("/", "/var", "/srv", "/home"), 2)
        ),
        disks=("vda", "vdb"), interfaces=("eth0", "eth1"),
    ),
}  # fmt: skip

# The first twelve, in the order of the list: this very machine leads.
_CAST: tuple[tuple[str, str], ...] = (
    ("web-01", "web"), ("web-02", "web"), ("web-03", "web"), ("db-01", "db"), ("db-02", "fill"),
    ("cache-01", "cache"), ("batch-01", "batch"), ("nas-01", "nas"), ("ci-01", "ci"), ("edge-01", "edge"),
    ("docker-01", "docker"),
)  # fmt: skip
_EXTRAS = ("web", "web", "db", "cache", "batch")


def local_name(raw: str | None = None) -> str:
    """Return this machine's host name as an inventory name, ``this-machine`` where nothing is left of it."""
    short = (socket.gethostname() if raw is None else raw).split(".")[0].lower()
    name = re.sub(r"[^a-z0-9-]+", "-", short).strip("-")[:40]
    taken = {cast for cast, _ in _CAST}
    return name if name and name != "localhost" and name not in taken else "this-machine"


def spec_of(name: str, kind: str, seed: int) -> HostSpec:
    """Return the host of that name and kind; the same for the same seed."""
    key = zlib.crc32(f"{seed}/{name}".encode())
    template = _TEMPLATES[kind]
    tilt = (key >> 4) % 100 / 100.0 - 0.5  # no two hosts of a kind are quite alike
    filesystems = tuple(
        one if one.fills else replace(one, used=round(one.used * (1.0 + 0.2 * tilt), 3)) for one in template.filesystems
    )
    return replace(
        template,
        name=name,
        key=key,
        tags=(TAG_DEMO, kind),
        uptime_s=template.uptime_s + key % 86400 + (key % 97) / 100.0,
        day_cpu=template.day_cpu * (1.0 + 0.35 * tilt),
        memory_used=template.memory_used + 0.06 * tilt,
        tx_bps=template.tx_bps * (1.0 + 0.5 * tilt),
        filesystems=filesystems,
    )


def build_fleet(count: int, seed: int, local: HostSpec) -> list[HostSpec]:
    """Return ``count`` hosts: this machine, the named cast, then as many plain ones as are asked for."""
    fleet = [local]
    fleet += [spec_of(name, kind, seed) for name, kind in _CAST[: count - 1]]
    for number in range(len(fleet) + 1, count + 1):
        kind = _EXTRAS[number % len(_EXTRAS)]
        fleet.append(spec_of(f"{kind}-{number:04d}", kind, seed))
    return fleet[:count]


def even_fleet(count: int, seed: int) -> list[HostSpec]:
    """Return ``count`` hosts that differ in nothing but their figures, for benchmarks."""
    return [spec_of(f"even-{number:04d}", "even", seed) for number in range(1, count + 1)]


def local_spec(
    *, cpus: int, memory: int, swap: int, filesystems: Sequence[FilesystemSpec], disks: Sequence[str],
    interfaces: Sequence[str], uptime_s: float, seed: int = 0, name: str | None = None,
) -> HostSpec:  # fmt: skip
    """Return this machine as a host; its live figures are real, the story only writes its past."""
    own = local_name() if name is None else name
    return replace(
        _TEMPLATES["web"], name=own, kind="local", groups=("local",), tags=(TAG_DEMO, TAG_LOCAL),
        key=zlib.crc32(f"{seed}/{own}".encode()), cpus=cpus, memory=memory, swap=swap, day_cpu=25.0,
        filesystems=tuple(filesystems), disks=tuple(disks), interfaces=tuple(interfaces), uptime_s=uptime_s,
        local=True,
    )  # fmt: skip
