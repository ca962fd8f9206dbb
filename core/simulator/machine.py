"""A simulated host's kernel: counters that only grow, moved along by the story, in real /proc formats."""

from __future__ import annotations

from core.simulator.fleet import HostSpec
from core.simulator.shape import (
    cpu_pressure,
    disk_shares,
    inode_count,
    inodes_used,
    interface_shares,
    io_pressure,
    memory_pressure,
)
from core.simulator.story import Levels, fade, levels, used_fraction

_HZ = 100.0
_SECTOR = 512
_STEP_S = 2.0  # the story is followed in steps no longer than this, for some seconds back
_STEPS = 16


class Machine:
    """One host between two frames. ``advance`` moves it in time; the other methods write what /proc would hold."""

    def __init__(self, spec: HostSpec, epoch: float) -> None:
        self.spec = spec
        self.boot_id = spec.boot_id
        self._epoch = epoch
        self.deeds: dict[str, tuple[str, float]] = {}  # of units and containers: what was done last, and when
        self._boots = 0
        self._booted = -spec.uptime_s  # seconds into the story
        self._elapsed = 0.0
        self._level = level = levels(spec, epoch, 0.0)
        self._jiffies = [0.0] * 5  # user, system, idle, iowait, steal
        self._sectors = [[0.0] * 5 for _ in spec.disks]  # reads, read sectors, writes, written sectors, busy ms
        self._packets = [[0.0] * 4 for _ in spec.interfaces]  # rx bytes, rx packets, tx bytes, tx packets
        self._switches = self._forks = self._faults = 0.0
        self._stalls = [0.0] * 3  # total us of cpu, memory, io
        busy = level.cpu * spec.cpus / 100.0
        self._loads = [busy, busy * 0.95, busy * 0.9]
        aims = self._pressure_aims()
        self._averages = [[aim, aim * 0.9, aim * 0.8] for aim in aims]
        self._disk_shares, self._link_shares = disk_shares(spec), interface_shares(spec)
        self._disk_heads = [_disk_head(name, number) for number, name in enumerate(spec.disks)]
        self._cpu_names = "".join(f"cpu{number}\n" for number in range(spec.cpus))
        self._mounts = _PSEUDO + "".join(f"{f.device} {f.mount} {f.fstype} rw,relatime 0 0\n" for f in spec.filesystems)
        self._move(spec.uptime_s, 0.6)

    @property
    def uptime(self) -> float:
        """Seconds since its boot."""
        return self._elapsed - self._booted

    @property
    def epoch(self) -> float:
        """When the story began, in epoch seconds."""
        return self._epoch

    def reboot(self) -> None:
        """Start anew: another boot id, no uptime, and every unit as it is at a start."""
        self._boots += 1
        self._booted = self._elapsed
        self.boot_id = f"{self._boots:08x}{self.spec.boot_id[8:]}"
        self.deeds.clear()

    @property
    def elapsed(self) -> float:
        """Seconds into the story."""
        return self._elapsed

    @property
    def level(self) -> Levels:
        """What it is busy with now."""
        return self._level

    def advance(self, elapsed: float) -> None:
        """Move on to ``elapsed`` seconds into the story; going back does nothing."""
        gap = elapsed - self._elapsed
        if gap <= 0:
            return
        steps = min(_STEPS, int(gap / _STEP_S) + 1)
        for _ in range(steps):
            self._elapsed += gap / steps
            self._level = levels(self.spec, self._epoch + self._elapsed, self._elapsed)
            self._move(gap / steps, 1.0)
            self._average(gap / steps)

    def _move(self, seconds: float, share: float) -> None:
        """Count ``seconds`` at ``share`` of the present level."""
        level, spec = self._level, self.spec
        unit = seconds * _HZ * spec.cpus * share / 100.0
        user, system, waiting, steal = (
            level.user * unit, level.system * unit, level.iowait * unit, level.steal * unit,
        )  # fmt: skip
        jiffies = self._jiffies
        jiffies[0] += user
        jiffies[1] += system
        jiffies[2] += max(0.0, seconds * _HZ * spec.cpus - user - system - waiting - steal)
        jiffies[3] += waiting
        jiffies[4] += steal
        span = seconds * share
        for counters, (_, part) in zip(self._sectors, self._disk_shares, strict=True):
            read, written = level.read_bps * part * span, level.write_bps * part * span
            counters[0] += read / 24576
            counters[1] += read / _SECTOR
            counters[2] += written / 16384
            counters[3] += written / _SECTOR
            counters[4] += level.busy * (1.0 if part >= 0.5 else 0.3) * 10.0 * span
        for counters, (_, part) in zip(self._packets, self._link_shares, strict=True):
            received, sent = level.rx_bps * part * span, level.tx_bps * part * span
            counters[0] += received
            counters[1] += received / 820
            counters[2] += sent
            counters[3] += sent / 1050
        self._switches += span * (900 + 320 * level.cpu * spec.cpus)
        self._forks += span * (0.6 + 0.05 * level.cpu)
        self._faults += span * (400 + 90 * level.cpu)
        for number, aim in enumerate(self._pressure_aims()):
            self._stalls[number] += aim * 1e4 * span

    def _average(self, seconds: float) -> None:
        aim = self._level.cpu * self.spec.cpus / 100.0 + self._level.blocked
        self._loads = [fade(old, aim, seconds, span) for old, span in zip(self._loads, (60, 300, 900), strict=True)]
        for averages, now in zip(self._averages, self._pressure_aims(), strict=True):
            averages[:] = [fade(old, now, seconds, span) for old, span in zip(averages, (10, 60, 300), strict=True)]

    def _pressure_aims(self) -> tuple[float, float, float]:
        level = self._level
        return cpu_pressure(level.cpu), memory_pressure(level.memory), io_pressure(level.iowait)

    def stat(self, *, brief: bool = False) -> str:
        """Write /proc/stat."""
        user, system, idle, waiting, steal = [int(value) for value in self._jiffies]
        count = self.spec.cpus
        lines = [f"cpu  {user} 0 {system} {idle} {waiting} 0 0 {steal} 0 0"]
        running, blocked = 1 + int(self._level.cpu * count / 100.0), int(self._level.blocked)
        booted = int(self._epoch + self._booted)
        if brief:
            return f"{lines[0]}\n{self._cpu_names}btime {booted}\nprocs_running {running}\nprocs_blocked {blocked}\n"
        share = f"{user // count} 0 {system // count} {idle // count} {waiting // count} 0 0 {steal // count} 0 0"
        lines += [f"cpu{number} {share}" for number in range(count)]
        lines.append(
            f"intr {int(self._switches * 0.6)} 0\nctxt {int(self._switches)}\n"
            f"btime {booted}\nprocesses {int(self._forks)}\n"
            f"procs_running {running}\nprocs_blocked {blocked}\n"
        )
        return "\n".join(lines)

    def meminfo(self, *, brief: bool = False) -> str:
        """Write /proc/meminfo."""
        total, level = self.spec.memory >> 10, self._level
        available = int(total * (1.0 - level.memory))
        cached, swap = int(available * 0.7), self.spec.swap >> 10
        swap_free = int(swap * (1.0 - level.swap))
        if brief:
            return (
                f"MemTotal:       {total:>8} kB\nMemAvailable:   {available:>8} kB\n"
                f"SwapTotal:      {swap:>8} kB\nSwapFree:       {swap_free:>8} kB\n"
            )
        rows = (
            ("MemTotal", total), ("MemFree", available - int(available * 0.78)), ("MemAvailable", available),
            ("Buffers", int(available * 0.06)), ("Cached", cached), ("SwapCached", 0),
            ("Active", int(total * level.memory * 0.6)), ("Inactive", int(total * level.memory * 0.3)),
            ("SwapTotal", swap), ("SwapFree", swap_free),
            ("Dirty", int(level.write_bps / 4096)), ("Writeback", 0), ("Shmem", total // 90),
        )  # fmt: skip
        return "".join([f"{name + ':':<15} {value:>8} kB\n" for name, value in rows])

    def loadavg(self) -> str:
        """Write /proc/loadavg."""
        one, five, fifteen = self._loads
        running = 1 + int(self._level.cpu * self.spec.cpus / 100.0)
        return f"{one:.2f} {five:.2f} {fifteen:.2f} {running}/{180 + 20 * self.spec.cpus} {2000 + int(self._forks)}\n"

    def uptime_file(self) -> str:
        """Write /proc/uptime."""
        return f"{self.uptime:.2f} {self._jiffies[2] / _HZ:.2f}\n"

    def vmstat(self) -> str:
        """Write /proc/vmstat, as far as anybody reads it."""
        read = sum(disk[1] for disk in self._sectors) / 2
        written = sum(disk[3] for disk in self._sectors) / 2
        free = int((self.spec.memory >> 12) * (1.0 - self._level.memory) * 0.22)
        return (
            f"nr_free_pages {free}\npgpgin {int(read)}\npgpgout {int(written)}\npswpin 0\npswpout 0\n"
            f"pgfault {int(self._faults)}\npgmajfault {int(self._faults / 900)}\noom_kill 0\n"
        )

    def pressure(self, kind: str, *, brief: bool = False) -> str | None:
        """Write /proc/pressure/<kind>: cpu, memory or io."""
        if not self.spec.pressure:
            return None
        number = _PRESSURES.index(kind)
        ten, sixty, long = self._averages[number]
        if brief:
            return f"some avg10={ten:.2f}\n"
        stalled = int(self._stalls[number])
        full = 0.0 if kind == "cpu" else 0.6
        return (
            f"some avg10={ten:.2f} avg60={sixty:.2f} avg300={long:.2f} total={stalled}\n"
            f"full avg10={ten * full:.2f} avg60={sixty * full:.2f} avg300={long * full:.2f} "
            f"total={int(stalled * full)}\n"
        )

    def diskstats(self) -> str:
        """Write /proc/diskstats."""
        waiting = int(self._level.blocked)
        lines: list[str] = []
        for head, (reads, got, writes, put, busy) in zip(self._disk_heads, self._sectors, strict=True):
            lines.append(
                f"{head} {int(reads)} 0 {int(got)} {int(reads * 0.8)} {int(writes)} 0 {int(put)} {int(writes * 1.1)} "
                f"{waiting} {int(busy)} {int(busy * 1.3)} 0 0 0 0 0 0\n"
            )
        return "".join(lines)

    def netdev(self, *, brief: bool = False) -> str:
        """Write /proc/net/dev."""
        lines = [_LOOPBACK if brief else _NET_HEAD + _LOOPBACK]
        for name, (received, packets, sent, out) in zip(self.spec.interfaces, self._packets, strict=True):
            lines.append(
                f"{name:>6}: {int(received):>7} {int(packets):>7}    0    0    0     0          0         0 "
                f"{int(sent):>8} {int(out):>7}    0    0    0     0       0          0\n"
            )
        return "".join(lines)

    def mounts(self) -> str:
        """Write /proc/self/mounts."""
        return self._mounts

    def df(self, *, inodes: bool = False) -> str:
        """Write what ``df -P -k`` prints, or ``df -P -i``."""
        head = ("Inodes", "IUsed", "IFree", "IUse%") if inodes else ("1024-blocks", "Used", "Available", "Capacity")
        lines = [f"{'Filesystem':<16} {head[0]:>11} {head[1]:>10} {head[2]:>10} {head[3]:>8} Mounted on\n"]
        for device, mount, _, size, used, free, total, taken in self.filesystems():
            if inodes:
                size, used, free = total, taken, total - taken
            part = f"{-(-100 * used // (used + free))}%" if used + free else "-"
            lines.append(f"{device:<16} {size:>11} {used:>10} {free:>10} {part:>8} {mount}\n")
        return "".join(lines)

    def filesystems(self) -> list[tuple[str, str, str, int, int, int, int, int]]:
        """Return (device, mount, type, size, used, available, inodes, inodes used) of each; sizes in KiB."""
        found = []
        for number, one in enumerate(self.spec.filesystems):
            fraction = used_fraction(self.spec, number, self._elapsed)
            size, used = one.size >> 10, int(one.size * fraction) >> 10
            inodes = inode_count(one.size, one.fstype)
            taken = inodes_used(inodes, fraction) if inodes else 0
            free = max(0, int(size * 0.95) - used)
            found.append((one.device, one.mount, one.fstype, size, used, free, inodes, taken))
        return found


_PRESSURES = ("cpu", "memory", "io")
_PSEUDO = (
    "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"
    "tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,mode=755 0 0\n"
)
_NET_HEAD = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|"
    "bytes    packets errs drop fifo colls carrier compressed\n"
)
_LOOPBACK = (
    "    lo:  884736    9216    0    0    0     0          0         0   "
    "884736    9216    0    0    0     0       0          0\n"
)


def _disk_head(name: str, number: int) -> str:
    major, step = (259, 1) if name.startswith("nvme") else (179, 8) if name.startswith("mmc") else (8, 16)
    return f"{major:>4} {number * step:>7} {name}"
