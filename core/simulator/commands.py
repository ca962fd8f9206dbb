"""The few fixed commands that the simulator answers by itself; it never runs anything that a client sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Kernel(Protocol):
    """What a host can tell: the texts of /proc, None where it has no such file; brief as the loop sends them."""

    boot_id: str

    @property
    def uptime(self) -> float: ...
    def advance(self, elapsed: float) -> None: ...
    def stat(self, *, brief: bool = False) -> str | None: ...
    def meminfo(self, *, brief: bool = False) -> str | None: ...
    def loadavg(self) -> str | None: ...
    def uptime_file(self) -> str | None: ...
    def vmstat(self) -> str | None: ...
    def pressure(self, kind: str, *, brief: bool = False) -> str | None: ...
    def diskstats(self) -> str | None: ...
    def netdev(self, *, brief: bool = False) -> str | None: ...
    def mounts(self) -> str | None: ...
    def df(self, *, inodes: bool = False) -> str | None: ...


_RELEASE = "6.1.0-demo"
_FILES: dict[str, Callable[[Kernel], str | None]] = {
    "/proc/stat": lambda kernel: kernel.stat(),
    "/proc/meminfo": lambda kernel: kernel.meminfo(),
    "/proc/loadavg": lambda kernel: kernel.loadavg(),
    "/proc/uptime": lambda kernel: kernel.uptime_file(),
    "/proc/vmstat": lambda kernel: kernel.vmstat(),
    "/proc/diskstats": lambda kernel: kernel.diskstats(),
    "/proc/net/dev": lambda kernel: kernel.netdev(),
    "/proc/pressure/cpu": lambda kernel: kernel.pressure("cpu"),
    "/proc/pressure/memory": lambda kernel: kernel.pressure("memory"),
    "/proc/pressure/io": lambda kernel: kernel.pressure("io"),
    "/proc/mounts": lambda kernel: kernel.mounts(),
    "/proc/sys/kernel/random/boot_id": lambda kernel: kernel.boot_id + "\n",
}


def answer(command: str, kernel: Kernel, name: str, user: str) -> str | None:
    """Return what an allowed command prints; None where it is not one of the few."""
    words = command.split()
    match words:
        case ["true"] | [":"]:
            return ""
        case ["uname"] | ["uname", "-s"]:
            return "Linux\n"
        case ["uname", "-a"]:
            return f"Linux {name} {_RELEASE} #1 SMP simulated x86_64 GNU/Linux\n"
        case ["uname", "-r"]:
            return f"{_RELEASE}\n"
        case ["uname", "-n"] | ["hostname"]:
            return f"{name}\n"
        case ["id", "-un"] | ["whoami"]:
            return f"{user}\n"
        case ["df", "-P"] | ["df", "-P", "-k"] | ["df", "-Pk"]:
            return kernel.df()
        case ["df", "-P", "-i"] | ["df", "-Pi"]:
            return kernel.df(inodes=True)
        case ["cat", *paths] if paths and all(path in _FILES for path in paths):
            texts = [_FILES[path](kernel) for path in paths]
            return None if None in texts else "".join(text for text in texts if text)
    return None
