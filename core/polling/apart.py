"""Work in a thread that nobody waits for at the program's end: what is foreign may never return."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def apart(work: Callable[[], _T], within_s: float) -> _T:
    """Return what the work returns, or raise what it raises; TimeoutError after so many seconds (it is left alone)."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def deliver(set_it: Callable[[], None]) -> None:
        if not outcome.done():
            set_it()

    def run() -> None:
        try:
            value = work()
        except Exception as exc:  # noqa: BLE001 - handed to the waiter
            error = exc
            later = lambda: deliver(lambda: outcome.set_exception(error))  # noqa: E731
        else:
            later = lambda: deliver(lambda: outcome.set_result(value))  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(later)

    threading.Thread(target=run, name="apart", daemon=True).start()
    async with asyncio.timeout(within_s):
        return await outcome
