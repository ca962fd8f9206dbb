"""Python's collector of cycles, tuned to a program that makes much and lets nearly all of it go by count.

Frames of hosts hold no cycles, frames of the screen some hundred objects in cycles a second. A look goes over all that
came since the last one, and stops the loop meanwhile: by Python's own count it would be the latest frame of all hosts
when one comes at last. So the looks come by the clock, while there is little to look at.
"""

from __future__ import annotations

import asyncio
import gc

_EVERY_S, _MIDDLE = 2.0, 10  # each tenth look goes over what the nine before it left, too
_BY_COUNT = (200_000, 5, 20)  # where much is made at once


def settle() -> None:
    """Leave what is there now, which stays, out of every look."""
    gc.freeze()
    gc.enable()


async def tidy() -> None:
    """Look by the clock until cancelled."""
    before, turn = gc.get_threshold(), 0
    gc.set_threshold(*_BY_COUNT)
    try:
        while True:
            await asyncio.sleep(_EVERY_S)
            turn += 1
            gc.collect(0 if turn % _MIDDLE else 1)
    finally:
        gc.set_threshold(*before)
