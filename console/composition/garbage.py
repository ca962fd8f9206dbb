"""Python's collector of cycles, tuned to a program that makes much and lets nearly all of it go by count."""

from __future__ import annotations

import gc

# Frames of hosts hold no cycles, frames of the screen some hundred a second. Each look goes over what came since the
# last, which with a thousand hosts at 1 Hz is their whole latest frame: so looks are few, and the full one is rarest.
_YOUNG, _MIDDLE, _ALL = 50_000, 5, 20


def settle() -> None:
    """Leave what is there now, which stays, out of every look, and look seldom: each look stops the loop."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _ALL)
    gc.enable()
