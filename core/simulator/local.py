"""This very machine as a member of the demo fleet: read, never written."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterable, Sequence

from core.children import end_process
from core.models import Host
from core.simulator.fleet import TAG_LOCAL, FilesystemSpec, HostSpec, local_spec, spec_of

_DF_TIMEOUT_S = 3.0
_WHOLE_DISK = re.compile(r"(?:[hsv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+|md\d+|dm-\d+)\Z")
_PLAIN_LINK = re.compile(r"(?!lo\Z|veth|ifb|dummy|docker|br-|virbr|tun|tap)[A-Za-z0-9_.-]+\Z")
_ONE_CPU = re.compile(r"cpu\d")
_STAT = ("cpu", "btime ", "procs_")
_MEMORY = ("MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:")
_REAL_DEVICE = re.compile(r"/dev/(?!loop|ram|zram)")


def read_text(path: str, limit: int = 1 << 18) -> str | None:
    """Return a small file of /proc as text; None where it is not there or may not be read."""
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return None


def disk_free(*options: str) -> str:
    """Run df on the local filesystems and return what it prints; empty where it is missing or hangs."""
    try:
        done = subprocess.run(
            ["/usr/bin/env", "df", "-P", "-k", "-l", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DF_TIMEOUT_S,
            check=False,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


async def run_here(argv: Sequence[str], timeout_s: float, limit: int) -> tuple[int, bytes, bytes]:
    """Run one of our own constant commands on this machine; its exit code (124: it took too long), output and errors.

    Of each stream ``limit`` bytes are kept. Nothing of it is left running, whatever happens.
    """
    pipe = asyncio.subprocess.PIPE
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
        )
    )
    try:
        child = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio would kill the child alone, and wait for what the child's own children hold
        await end_process(await starting, [])
        raise
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await child.communicate()
            return child.returncode if child.returncode is not None else 1, out[:limit], err[:limit]
    except TimeoutError:
        return 124, b"", b""
    finally:
        await end_process(child, [])


def read_local_spec(seed: int = 0) -> HostSpec:
    """Return this machine's size as it is now; blocks for some milliseconds."""
    memory = _meminfo()
    uptime = (read_text("/proc/uptime") or "86400").split()
    return local_spec(
        cpus=os.cpu_count() or 1,
        memory=memory.get("MemTotal", 4 << 30),
        swap=memory.get("SwapTotal", 0),
        filesystems=_filesystems(disk_free().splitlines()[1:]),
        disks=_disks(),
        interfaces=_interfaces(),
        # It was up for all of the past that is told: a machine just booted would have none.
        uptime_s=max(float(uptime[0]), 11 * 86400.0),
        seed=seed,
    )


def _meminfo() -> dict[str, int]:
    found: dict[str, int] = {}
    for line in (read_text("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _filesystems(lines: Iterable[str]) -> list[FilesystemSpec]:
    types = {words[0]: words[2] for words in map(str.split, (read_text("/proc/self/mounts") or "").splitlines())}
    found: dict[str, FilesystemSpec] = {}
    for line in lines:
        words = line.split(None, 5)
        if len(words) == 6 and _REAL_DEVICE.match(words[0]) and words[1].isdigit() and words[2].isdigit():
            size = int(words[1]) * 1024
            if size and words[0] not in found:
                used = int(words[2]) * 1024 / size
                found[words[0]] = FilesystemSpec(words[5], words[0], types.get(words[0], ""), size, used, 0.001)
    return list(found.values())[:2]


def _disks() -> list[str]:
    names = [line.split()[2] for line in (read_text("/proc/diskstats") or "").splitlines() if len(line.split()) > 3]
    return [name for name in names if _WHOLE_DISK.match(name)][:2]


def _interfaces() -> list[str]:
    lines = (read_text("/proc/net/dev") or "").splitlines()[2:]
    names = [line.partition(":")[0].strip() for line in lines]
    return [name for name in names if _PLAIN_LINK.match(name)][:2]


def specs_for(fleet: Sequence[Host], seed: int = 0) -> list[HostSpec]:
    """Return the simulator's picture of hosts that it handed out earlier with that seed; others are left out."""
    return [
        read_local_spec(seed) if TAG_LOCAL in host.tags else spec_of(host.name, host.tags[1], seed)
        for host in fleet
        if host.simulated and len(host.tags) > 1
    ]


class LocalMachine:
    """This machine behind the same methods as a simulated one; ``refresh`` runs df and may block for seconds."""

    def __init__(self, spec: HostSpec) -> None:
        self.spec = spec
        self.boot_id = (read_text("/proc/sys/kernel/random/boot_id") or "").strip() or spec.boot_id
        self._df: dict[bool, str] = {False: "", True: ""}

    @property
    def uptime(self) -> float:
        """Seconds since its boot."""
        text = read_text("/proc/uptime")
        return float(text.split()[0]) if text else 0.0

    def refresh(self) -> None:
        """Read the filesystems anew, in a thread."""
        self._df = {False: disk_free(), True: disk_free("-i")}

    def advance(self, elapsed: float) -> None:
        """Do nothing: the kernel counts by itself."""

    def stat(self, *, brief: bool = False) -> str | None:
        text = read_text("/proc/stat")
        if text is None or not brief:
            return text
        lines = [line for line in text.splitlines() if line.startswith(_STAT)]
        return "".join([(line.split(None, 1)[0] if _ONE_CPU.match(line) else line) + "\n" for line in lines])

    def meminfo(self, *, brief: bool = False) -> str | None:
        text = read_text("/proc/meminfo")
        if text is None or not brief:
            return text
        return "".join([line + "\n" for line in text.splitlines() if line.startswith(_MEMORY)])

    def loadavg(self) -> str | None:
        return read_text("/proc/loadavg")

    def uptime_file(self) -> str | None:
        return read_text("/proc/uptime")

    def vmstat(self) -> str | None:
        return read_text("/proc/vmstat")

    def pressure(self, kind: str, *, brief: bool = False) -> str | None:
        text = read_text(f"/proc/pressure/{kind}")
        return text if text is None or not brief else " ".join(text.split(None, 2)[:2]) + "\n"

    def diskstats(self) -> str | None:
        return read_text("/proc/diskstats")

    def netdev(self, *, brief: bool = False) -> str | None:
        text = read_text("/proc/net/dev")
        if text is None or not brief:
            return text
        return "".join([line + "\n" for line in text.splitlines() if "|" not in line])

    def mounts(self) -> str | None:
        return read_text("/proc/self/mounts")

    def df(self, *, inodes: bool = False) -> str | None:
        return self._df[inodes] or None
