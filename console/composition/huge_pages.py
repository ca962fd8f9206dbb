"""Memory moved into transparent huge pages where a fleet has filled much of it.

What is known of a host lies all over memory and is gone through once an interval: with pages of 4 KiB each look asks
the tables of pages again, and a poller of two thousand hosts spends a twentieth of its time on that. Only pieces that
are nearly full already are moved, so that little grows; where the kernel cannot or may not (before 6.1, no Linux, huge
pages disabled for the process), all stays as it is.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import sys
from collections.abc import Iterator
from pathlib import Path

PIECE = 2 << 20  # bytes of a huge page where a page has 4 KiB; with other pages nothing is found to be full
_EVERY_S = 60.0
_BETWEEN_S = 0.02  # one piece is copied within a millisecond or two, and who touches it meanwhile waits
_WORTH = 64 << 20  # bytes; below, the caches of pages reach
_PAGE, _FULL = 4096, 0.97  # bytes, and the share of a piece's pages that must be there
_MADV_COLLAPSE = 25
_MAPS = Path("/proc/self/maps")


class _RefusedError(Exception):
    """This kernel moves nothing for this process."""


async def enlarge(every_s: float = _EVERY_S) -> None:
    """Move what is full by the clock until cancelled; ends by itself where that is refused."""
    if not sys.platform.startswith("linux"):
        return
    moved: set[int] = set()
    try:
        while True:
            await asyncio.sleep(every_s)
            pieces = await asyncio.to_thread(full_pieces)
            moved &= set(pieces)
            if len(pieces) * PIECE < _WORTH:
                continue
            for start in pieces:
                if start not in moved:
                    await asyncio.to_thread(_collapse, start)
                    moved.add(start)
                    await asyncio.sleep(_BETWEEN_S)
    except (_RefusedError, OSError):
        return


def full_pieces() -> list[int]:
    """Return where the process's own memory has a piece that is nearly full, by address; OSError without /proc."""
    libc = ctypes.CDLL(None, use_errno=True)
    there = ctypes.create_string_buffer(PIECE // _PAGE)
    wanted = _FULL * len(there)
    found = []
    for start, end in own_memory(_MAPS.read_text()):
        for piece in range(-(-start // PIECE) * PIECE, end - PIECE + 1, PIECE):
            known = libc.mincore(ctypes.c_void_p(piece), ctypes.c_size_t(PIECE), there) == 0  # else it is gone
            if known and there.raw.count(b"\1") >= wanted:
                found.append(piece)
    return found


def own_memory(maps: str) -> Iterator[tuple[int, int]]:
    """Yield from and to of each mapping that is private, written to, and of no file."""
    for line in maps.splitlines():
        span, mode, _, _, inode, *name = line.split(maxsplit=5)
        if mode == "rw-p" and inode == "0" and (not name or name[0] == "[heap]"):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)


def _collapse(start: int) -> None:
    """Ask for one piece; that it is gone meanwhile, or that no huge page is free now, is no fault."""
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(PIECE), _MADV_COLLAPSE) != 0
    if refused and ctypes.get_errno() == errno.EINVAL:
        raise _RefusedError
