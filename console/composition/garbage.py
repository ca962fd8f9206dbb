"""Python's collector of cycles, tuned to a program that makes much and lets nearly all of it go by count."""

from __future__ import annotations

import gc

_YOUNG = 5_000  # containers more than were let go: not the default's 700, nor so many that one look delays a key


def settle() -> None:
    """Leave what is there now, which stays, out of every look, and look seldom: a full one stops the loop."""
    gc.freeze()
    gc.set_threshold(_YOUNG, 3, 130)  # the middle often, while it is small; all of it as seldom as may be
    gc.enable()
