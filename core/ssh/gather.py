"""Reads many connections together: one turn of the event loop for all that came within some milliseconds.

A wake-up of the loop costs about as much as reading a frame, and a fleet's frames come one by one. So the sockets of
streams are watched by an epoll of their own; the loop watches that one, and once anything is there it waits a moment
for more: the longer, the more comes, and never so long that a screen is drawn later. Where there is no epoll, or the
loop is not asyncio's own, each connection is read by itself as ever.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeGuard

_MOST_S, _AT_RATE = 0.02, 2000.0  # the longest wait, and the reads a second that it takes; with fewer it is shorter
_LEAST_S = 0.001  # a shorter wait is none
_COUNTED_S = 0.25  # how long reads are counted for a rate
_AT_ONCE = 16  # connections read before others have a turn of the loop: some 5 ms


class Gather:
    """Owned by whoever owns the connections; holds a descriptor only while it watches any."""

    def __init__(self) -> None:
        self._epoll: Any = None
        self._watched: dict[int, asyncio.ReadTransport] = {}  # by descriptor
        self._wait_s, self._reads, self._since = 0.0, 0, 0.0

    def watch(self, transport: object) -> Callable[[], None] | None:
        """Read a transport from here on until the answer is called; None where it goes on to read by itself.

        The answer may be called late, and of a transport that is closed.
        """
        if not self._can_be_watched(transport):
            return None
        if self._epoll is None:
            self._epoll = getattr(select, "epoll")()  # noqa: B009 - there is none outside Linux
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._some)
        fd = int(transport.get_extra_info("socket").fileno())
        transport.pause_reading()
        self._epoll.register(fd, getattr(select, "EPOLLIN"))  # noqa: B009
        self._watched[fd] = transport
        return partial(self._release, fd, transport)

    @staticmethod
    def _can_be_watched(transport: object) -> TypeGuard[asyncio.ReadTransport]:
        return (
            hasattr(select, "epoll")
            and type(transport).__name__ == "_SelectorSocketTransport"
            and isinstance(transport, asyncio.ReadTransport)
            and callable(getattr(transport, "_read_ready", None))
            and not transport.is_closing()
            and transport.is_reading()
        )

    def _release(self, fd: int, transport: asyncio.ReadTransport) -> None:
        if self._watched.get(fd) is transport:
            del self._watched[fd]
            self._unregister(fd)
            if not self._watched:
                self._end()
        if not transport.is_closing():
            transport.resume_reading()

    def _unregister(self, fd: int) -> None:
        with suppress(OSError):  # closed: the kernel has forgotten it
            if self._epoll is not None:
                self._epoll.unregister(fd)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._epoll = None

    def _some(self) -> None:
        """Something is there: look for all of it in a moment, or at once where little comes."""
        if self._wait_s < _LEAST_S:
            self._read()
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._epoll.fileno())
        loop.call_later(self._wait_s, self._gathered, self._epoll)

    def _gathered(self, epoll: Any) -> None:
        if epoll is not self._epoll:  # ended meanwhile
            return
        full = self._read() == _AT_ONCE
        if epoll is not self._epoll:
            return
        loop = asyncio.get_running_loop()
        if full:  # there is more: others first, but no wait
            loop.call_soon(self._gathered, epoll)
        else:
            loop.add_reader(epoll.fileno(), self._some)

    def _read(self) -> int:
        """Read from every connection that has something, or from as many as a turn takes; return how many it was."""
        ready = self._epoll.poll(0, _AT_ONCE)
        for fd, _ in ready:
            transport: Any = self._watched.get(fd)
            if transport is None or transport.is_closing():
                self._unregister(fd)
            else:
                transport._read_ready()
        self._count(len(ready))
        return len(ready)

    def _count(self, reads: int) -> None:
        self._reads += reads
        now = asyncio.get_running_loop().time()
        if (passed := now - self._since) >= _COUNTED_S:
            self._wait_s = _MOST_S * min(1.0, self._reads / passed / _AT_RATE)
            self._reads, self._since = 0, now
