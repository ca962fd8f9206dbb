"""The remote loop's side of the wire: which request is taken, and how a frame is written."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from core.collectors.loop import PACE, LoopRequest, parse_request
from core.simulator.commands import Kernel
from core.simulator.fleet import HostSpec

_FASTEST_S, _SLOWEST_S = 0.005, 3600.0
_SLOW_KEPT_S = 0.5  # nobody runs df a hundred times a second
SLOW_EVERY_S = 10.0  # filesystems come with every frame that is at least so long after the last that had them
_PACE = re.compile(PACE + rb"(\d{1,6}(?:\.\d{1,6})?)")
_Section = tuple[str, Callable[[Kernel], str | None]]
_FAST: tuple[_Section, ...] = (
    ("stat", lambda kernel: kernel.stat(brief=True)),
    ("meminfo", lambda kernel: kernel.meminfo(brief=True)),
    ("loadavg", lambda kernel: kernel.loadavg()),
    ("pressure_cpu", lambda kernel: kernel.pressure("cpu", brief=True)),
    ("pressure_memory", lambda kernel: kernel.pressure("memory", brief=True)),
    ("pressure_io", lambda kernel: kernel.pressure("io", brief=True)),
    ("diskstats", lambda kernel: kernel.diskstats()),
    ("netdev", lambda kernel: kernel.netdev(brief=True)),
)
_SLOW: tuple[_Section, ...] = (
    ("df", lambda kernel: kernel.df()),
    ("dfi", lambda kernel: kernel.df(inodes=True)),
    ("mounts", lambda kernel: kernel.mounts()),
)
SECTION_NAMES = tuple(name for name, _ in _FAST + _SLOW)


def loop_request(command: str) -> LoopRequest | None:
    """Return the request if the command is to the letter the one that our client sends; None otherwise."""
    request = parse_request(command)
    if request is None or request.command != command:
        return None
    return request if _FASTEST_S <= request.interval_s <= _SLOWEST_S and request.silence_s > 0 else None


def paced(line: bytes) -> float | None:
    """Return the interval that a line on stdin asks for; None where it is a heartbeat or nonsense."""
    found = _PACE.fullmatch(line)
    return min(_SLOWEST_S, max(_FASTEST_S, float(found[1]))) if found else None


class Frames:
    """Writes the frames of one stream, as the remote loop would."""

    def __init__(self, spec: HostSpec, request: LoopRequest, slow_every_s: float = SLOW_EVERY_S) -> None:
        self._mark = f"@{request.nonce}"
        self._seq = 0
        self._slow_due = self._slow_until = 0.0
        self._slow_parts: list[str] = []
        self._slow_every = slow_every_s - 0.5  # a frame that comes a little early has them all the same
        self._headings = {name: f"{self._mark} S {name} ok\n" for name in SECTION_NAMES}
        self._forbidden = {name: f"{self._mark} S {name} forbidden\n" for name in spec.forbidden}

    def write(self, kernel: Kernel) -> bytes:
        """Return the next frame of that kernel as it is now."""
        mark, uptime = self._mark, kernel.uptime
        parts = [f"{mark} F 1 {self._seq} {kernel.boot_id} {uptime:.2f} {time.time():.3f}\n"]
        self._add(parts, _FAST, kernel)
        if uptime >= self._slow_due:
            self._slow_due = uptime + self._slow_every
            if uptime >= self._slow_until:
                self._slow_until, self._slow_parts = uptime + _SLOW_KEPT_S, []
                self._add(self._slow_parts, _SLOW, kernel)
            parts += self._slow_parts
        parts.append(f"{mark} E {self._seq}\n")
        self._seq += 1
        return "".join(parts).encode()

    def _add(self, parts: list[str], sections: tuple[_Section, ...], kernel: Kernel) -> None:
        for name, read in sections:
            forbidden = self._forbidden.get(name)
            if forbidden is not None:
                parts.append(forbidden)
                continue
            text = read(kernel)
            if text is None:
                parts.append(f"{self._mark} S {name} absent\n")
            else:
                parts.append(self._headings[name])
                parts.append(text)
