"""The remote loop's side of the wire: what a request looks like and how a frame is written."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.simulator.commands import Kernel
from core.simulator.fleet import HostSpec

HEAD_LIMIT = 64 << 10
_NONCE = re.compile(rb"\bNONCE=([0-9a-f]{8,64})\b")
_INTERVAL = re.compile(rb"\bINTERVAL=(\d{1,4}(?:\.\d{1,3})?)\b")
_SECTIONS: tuple[tuple[str, Callable[[Kernel], str | None]], ...] = (
    ("stat", lambda kernel: kernel.stat()),
    ("meminfo", lambda kernel: kernel.meminfo()),
    ("loadavg", lambda kernel: kernel.loadavg()),
    ("vmstat", lambda kernel: kernel.vmstat()),
    ("diskstats", lambda kernel: kernel.diskstats()),
    ("netdev", lambda kernel: kernel.netdev()),
    ("df", lambda kernel: kernel.df()),
    ("dfi", lambda kernel: kernel.df(inodes=True)),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked of the loop: the word that marks its frames, and seconds between them."""

    nonce: str
    interval_s: float


def is_loop(command: str) -> bool:
    """Say whether the command starts the pushing loop."""
    return "NONCE=" in command


def parse_request(command: str, head: bytes) -> Request | None:
    """Return what the client asks for, from its command and the head of its stdin; None while it is not known."""
    text = command.encode("utf-8", "replace") + b"\n" + head
    nonce, interval = _NONCE.search(text), _INTERVAL.search(text)
    if nonce is None or interval is None:
        return None
    return Request(nonce[1].decode(), min(3600.0, max(0.05, float(interval[1]))))


class Frames:
    """Writes the frames of one stream."""

    def __init__(self, spec: HostSpec, request: Request) -> None:
        self._mark = f"@{request.nonce}"
        self._seq = 0
        self._forbidden = frozenset(spec.forbidden)

    def write(self, kernel: Kernel) -> bytes:
        """Return the next frame of that kernel as it is now."""
        mark = self._mark
        self._seq += 1
        parts = [f"{mark} F 1 {self._seq} {kernel.boot_id} {kernel.uptime:.2f} {time.time():.3f}\n"]
        for name, read in _SECTIONS:
            if name in self._forbidden:
                parts.append(f"{mark} S {name} forbidden\n")
                continue
            text = read(kernel)
            parts.append(f"{mark} S {name} absent\n" if text is None else f"{mark} S {name} ok\n{text}")
        parts.append(f"{mark} E {self._seq}\n")
        return "".join(parts).encode()
