"""Python's collector of cycles, tuned to a program that makes much and lets nearly all of it go by count.

Frames of hosts hold no cycles, frames of the screen some hundred objects in cycles a second. A look goes over all that
came since the last one, and stops the loop meanwhile: by Python's own count it would be the latest frame of all hosts
when one comes at last. So the looks come by the clock, while there is little to look at.
"""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter

_EVERY_S, _SHARE = 2.0, 0.005  # of the time, where there is so much that a look takes long
_MIDDLE = 5  # each fifth look goes over what the four before it left, too
_BY_COUNT = (20_000, 2, 200)  # where much is made at once: in slices, so that no look is long


def settle() -> None:
    """Leave what is there now, which stays, out of every look."""
    gc.freeze()
    gc.enable()


async def tidy() -> None:
    """Look by the clock until cancelled. The counts stay: by its own Python would look over everything at the end."""
    turn, took_s = 0, 0.0
    gc.set_threshold(*_BY_COUNT)
    while True:
        await asyncio.sleep(max(_EVERY_S, took_s / _SHARE))
        turn, began = turn + 1, perf_counter()
        gc.collect(0 if turn % _MIDDLE else 1)
        took_s = perf_counter() - began
