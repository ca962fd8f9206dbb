"""Connections read together: nothing lost or out of order, and no descriptor kept once none is watched."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from core.ssh import gather as gathering
from core.ssh.gather import Gather


class Taken(asyncio.Protocol):
    """Notes what is read, in the log that it came, and how it ended."""

    def __init__(self, log: list[Taken]) -> None:
        self.log = log
        self.data = b""
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.log.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


class Peer:
    """One watched connection and its far end."""

    def __init__(self, far: socket.socket, transport: Any, protocol: Taken, release: Callable[[], None] | None) -> None:
        self.far, self.transport, self.protocol, self.release = far, transport, protocol, release


async def connect(gather: Gather, log: list[Taken]) -> Peer:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    transport, protocol = await asyncio.get_running_loop().create_connection(lambda: Taken(log), sock=near)
    release = gather.watch(transport)
    assert release is not None
    return Peer(far, transport, protocol, release)


def close(peers: list[Peer]) -> None:
    for peer in peers:
        peer.transport.close()
        peer.far.close()


def epolls() -> int:
    """How many epoll descriptors this process holds."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum("eventpoll" in link for link in links)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.002)


async def test_a_few_are_read_at_once_and_many_together() -> None:
    gather, log = Gather(), list[Taken]()
    peers = [await connect(gather, log) for _ in range(5)]
    turns: list[int] = []
    whole = gather._read
    gather._read = lambda: (turns.append(whole()), turns[-1])[1]  # type: ignore[method-assign]
    for number, peer in enumerate(peers):
        peer.far.send(b"a%d" % number)
        await asyncio.sleep(0.005)
    assert turns == [1] * 5
    assert [peer.protocol.data for peer in peers] == [b"a0", b"a1", b"a2", b"a3", b"a4"]
    gather._wait_s, gather._since = 0.5, asyncio.get_running_loop().time() + 60  # as after many
    for peer in peers:
        peer.far.send(b"b")
        await asyncio.sleep(0.001)
    await until(lambda: len(log) == 10)
    assert turns[5:] == [5]
    close(peers)


async def test_the_wait_follows_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    gather, log = Gather(), list[Taken]()
    peers = [await connect(gather, log)]
    now = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    waits = []
    for reads in (0, 250, 25, 2500, 0):
        gather._count(reads)
        now += 0.5
        gather._count(0)
        waits.append(gather._wait_s)
    monkeypatch.undo()
    assert waits == pytest.approx([0, 0.005, 0.0005, 0.02, 0])
    close(peers)


@pytest.mark.parametrize("wait_s", [0.0, 0.005])
async def test_more_than_one_turn_takes(monkeypatch: pytest.MonkeyPatch, wait_s: float) -> None:
    monkeypatch.setattr(gathering, "_AT_ONCE", 3)
    monkeypatch.setattr(gathering, "_COUNTED_S", 60)
    gather, log = Gather(), list[Taken]()
    peers = [await connect(gather, log) for _ in range(20)]
    gather._wait_s, gather._since = wait_s, asyncio.get_running_loop().time()
    loop, sending = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    for number, peer in enumerate(peers):
        sending.append(loop.create_task(loop.sock_sendall(peer.far, b"%02d" % number * 200_000)))  # many reads each
    await until(lambda: all(len(peer.protocol.data) == 400_000 for peer in peers))
    assert all(peer.protocol.data == b"%02d" % number * 200_000 for number, peer in enumerate(peers))
    await asyncio.gather(*sending)
    close(peers)


async def test_an_end_is_noticed_and_a_number_given_anew_is_not_mixed_up() -> None:
    before = epolls()
    gather, log = Gather(), list[Taken]()
    first = await connect(gather, log)
    number = first.transport.get_extra_info("socket").fileno()
    first.far.close()
    async with asyncio.timeout(5):
        assert await first.protocol.ended is None
    kept = []
    while True:  # the first one was not released, and its number is given to another
        second = await connect(gather, log)
        if second.transport.get_extra_info("socket").fileno() == number:
            break
        kept.append(second)
        assert len(kept) < 20
    assert first.release is not None and second.release is not None
    first.release()
    second.far.send(b"still read")
    await until(lambda: second.protocol.data == b"still read")
    second.release()
    second.far.send(b", and by itself")
    await until(lambda: second.protocol.data == b"still read, and by itself")
    for peer in kept:
        assert peer.release is not None
        peer.release()
    close([*kept, second])
    assert epolls() == before


async def test_a_failing_reader_does_not_stop_the_others() -> None:
    gather, log = Gather(), list[Taken]()
    bad, good = await connect(gather, log), await connect(gather, log)

    def fail(_: bytes) -> None:
        raise RuntimeError("planted")

    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    bad.protocol.data_received = fail  # type: ignore[method-assign]
    bad.far.send(b"x")
    good.far.send(b"y")
    await until(lambda: good.protocol.data == b"y")
    async with asyncio.timeout(5):
        assert isinstance(await bad.protocol.ended, RuntimeError)
    good.far.send(b"z")
    await until(lambda: good.protocol.data == b"yz")
    assert [str(exc) for exc in told] == ["planted"]
    good.transport.close()
    bad.far.close()
    good.far.close()


async def test_what_cannot_be_watched_reads_by_itself() -> None:
    gather = Gather()
    assert gather.watch(None) is None
    near, far = socket.socketpair()
    transport, protocol = await asyncio.get_running_loop().create_connection(lambda: Taken([]), sock=near)
    transport.pause_reading()  # by somebody else
    assert gather.watch(transport) is None
    transport.resume_reading()
    far.send(b"x")
    await until(lambda: protocol.data == b"x")
    transport.close()
    far.close()
