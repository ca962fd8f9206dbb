"""What the clients of the poll benchmark share: each is a process of its own that measures when it is told to.

A job comes as the first line on stdin, then one order a line; each is answered by one line of JSON. Standard library
alone, for a peer may live in another environment.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any


def order(line: str | None = None) -> dict[str, Any]:
    """Read the next order, or what a line of JSON says; ends the process when there is none."""
    line = sys.stdin.readline() if line is None else line
    if not line:
        sys.exit(0)
    return dict(json.loads(line))


def answer(**figures: Any) -> None:
    """Answer an order."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def rss() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def huge() -> int:
    """Bytes of it that lie in huge pages."""
    found = re.search(r"AnonHugePages: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text())
    return 1024 * int(found[1]) if found else 0


def allow_files() -> None:
    """Take as many open files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def spread(times: list[float]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds."""
    times.sort()
    if not times:
        return {"p50_ms": 0.0, "p99_ms": 0.0}
    return {"p50_ms": times[len(times) // 2] * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}
