"""Memory in huge pages: full pieces alone, and everything stays as it is where the kernel refuses.

In a process of its own, for what is moved stays moved. Whether this kernel can is asked of it without our code.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from console.composition.huge_pages import own_memory

_HEAD = """
import asyncio, ctypes, mmap, sys
from console.composition import huge_pages
MiB = 1 << 20
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
def huge():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("AnonHugePages")) >> 10
def disable(yes):
    assert ctypes.CDLL(None).prctl(41, yes, 0, 0, 0) == 0  # PR_SET_THP_DISABLE
"""
_PLAIN = """
disable(0)
room = mmap.mmap(-1, 4 * MiB, flags=PRIVATE)
room.write(b"x" * len(room))
at = ctypes.addressof(ctypes.c_char.from_buffer(room))
sys.exit(1 if ctypes.CDLL(None).madvise(ctypes.c_void_p(-(-at // (2 * MiB)) * 2 * MiB), 2 * MiB, 25) else 0)
"""
_MOVED = """
disable(0)
kept = [bytes([n % 251]) * 1000 for n in range(100_000)]
holes = mmap.mmap(-1, 64 * MiB, flags=PRIVATE)
for page in range(0, len(holes), 2 * mmap.PAGESIZE):
    holes[page] = 1
async def main():
    task = asyncio.create_task(huge_pages.enlarge(0.05))
    for _ in range(200):
        await asyncio.sleep(0.05)
        if huge() >= 80:
            break
    await asyncio.sleep(0.5)
    assert not task.done()
    task.cancel()
asyncio.run(main())
assert kept == [bytes([n % 251]) * 1000 for n in range(100_000)]
print(huge())
"""
_REFUSED = """
disable(1)
kept = [bytes([n % 251]) * 1000 for n in range(100_000)]
asyncio.run(asyncio.wait_for(huge_pages.enlarge(0.05), 10))
print(huge())
"""


def _told(code: str) -> int:
    done = subprocess.run([sys.executable, "-c", _HEAD + code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture(scope="module")
def kernel() -> None:
    if subprocess.run([sys.executable, "-c", _HEAD + _PLAIN], stderr=subprocess.DEVNULL, timeout=60).returncode:
        pytest.skip("this kernel moves nothing into huge pages when it is asked to (Linux 6.1 does)")


@pytest.mark.usefixtures("kernel")
def test_full_pieces_are_moved_and_what_has_holes_is_not() -> None:
    assert 80 <= _told(_MOVED) < 140  # MiB: of a hundred that are full, beside 64 that are half empty


@pytest.mark.usefixtures("kernel")
def test_it_ends_by_itself_where_huge_pages_are_disabled() -> None:
    assert _told(_REFUSED) == 0


def test_memory_of_files_of_others_and_of_no_use_is_left_alone() -> None:
    maps = """\
55d4a0000000-55d4a1000000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
7f0000400000-7f0000800000 rw-s 00000000 00:01 2048                       /dev/zero (deleted)
7f0000800000-7f0000c00000 r--p 00000000 08:01 1234                       /usr/lib/a b.so
7f0000c00000-7f0001000000 rw-p 00000000 08:01 1234                       /usr/lib/a b.so
7f0001000000-7f0001400000 ---p 00000000 00:00 0
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0                          [stack]
"""
    assert list(own_memory(maps)) == [(0x55D4A0000000, 0x55D4A1000000), (0x7F0000000000, 0x7F0000400000)]
