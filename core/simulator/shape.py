"""What follows from the levels: pressures, inodes, and the shares of each disk and interface."""

from __future__ import annotations

from core.simulator.fleet import HostSpec


def cpu_pressure(busy: float) -> float:
    """Return the percent of time in which tasks wait for a CPU at that many percent busy."""
    return max(0.0, busy - 35.0) * 0.55


def memory_pressure(used: float) -> float:
    """Return the percent of time lost to memory at that used fraction."""
    return max(0.0, used - 0.88) * 60.0


def io_pressure(iowait: float) -> float:
    """Return the percent of time in which some task waits for a disk."""
    return min(99.0, iowait * 1.25)


def inode_count(size: int, fstype: str | None) -> int:
    """Return how many inodes such a filesystem has; 0 for those that have none to count."""
    return 0 if fstype in ("vfat", "btrfs") else size // 16384


def inodes_used(total: int, used_fraction_: float) -> int:
    """Return a plausible number of used inodes."""
    return int(total * 0.12 * used_fraction_) + 11


def disk_shares(spec: HostSpec) -> tuple[tuple[str, float], ...]:
    """Return each disk with its share of the traffic."""
    if len(spec.disks) < 2:
        return tuple((name, 1.0) for name in spec.disks)
    rest = 0.2 / (len(spec.disks) - 1)
    return tuple((name, 0.8 if name == spec.disks[-1] else rest) for name in spec.disks)


def interface_shares(spec: HostSpec) -> tuple[tuple[str, float], ...]:
    """Return each interface with its share of the traffic."""
    if len(spec.interfaces) < 2:
        return tuple((name, 1.0) for name in spec.interfaces)
    rest = 0.25 / (len(spec.interfaces) - 1)
    return tuple((name, 0.75 if name == spec.interfaces[0] else rest) for name in spec.interfaces)
