"""Frames by the short way are the frames asyncssh would have read, whatever the network does to the bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asyncssh.crypto.cipher import GCMCipher

from core.exceptions import SSHConnectionError
from core.models import Host
from core.ports import FrameStream
from core.ssh.session import AsyncSSHSession
from core.ssh.short_way import ShortWay, next_iv
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd, running

Change = Callable[[bytes], list[bytes]]


@contextlib.asynccontextmanager
async def between(server: RealSshd, change: Change) -> AsyncIterator[int]:
    """A port that leads to the server; what the server says goes through ``change``, piece by piece."""
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: Change) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                for piece in by(data):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(server.address, server.port)
        for one in (pass_on(reader, far_writer, lambda data: [data]), pass_on(far_reader, writer, change)):
            tasks.add(asyncio.create_task(one))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.known_hosts.write_text(f"[{server.address}]:{port} {server.public_key()}\n")
    try:
        yield port
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Watched(ShortWay):
    """Counts the bytes that go the short way, those that asyncssh is left with, and what is sent."""

    short = long = sent = left = 0
    keys: ClassVar[set[bytes]] = set()

    def _packets(self, data: bytes) -> int:
        done = super()._packets(data)
        Watched.short += done
        Watched.long += len(data) - done
        return done

    def send(self, data: bytes) -> bool:
        done = super().send(data)
        Watched.sent += done
        Watched.left += not done
        if done:
            Watched.keys.add(self._connection._send_encryption._cipher._key)
        return done


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Watched.short = Watched.long = Watched.sent = Watched.left = 0
    Watched.keys = set()
    monkeypatch.setattr("core.ssh.stream.ShortWay", Watched)
    yield


@contextlib.asynccontextmanager
async def connected(make_factory: MakeFactory, host: Host) -> AsyncIterator[AsyncSSHSession]:
    """A session that is closed at the end."""
    session = await make_factory(heartbeat_s=0.05).connect(host)
    try:
        yield session
    finally:
        await session.close()


async def follow(session: AsyncSSHSession, count: int, beside: Callable[[], Any] | None = None) -> list[int]:
    """Take frames and return their numbers."""
    numbers: list[int] = []
    enough = asyncio.Event()

    def on_frame(frame: bytes, at: object) -> None:
        assert frame.startswith(b"@"), frame[:80]
        numbers.append(int(frame.split(b" ", 4)[3]))
        if len(numbers) >= count:
            enough.set()

    stream: FrameStream = await session.open_stream(on_frame, interval_s=0.02)
    closed = asyncio.create_task(stream.wait_closed())
    async with asyncio.timeout(15):
        if beside is not None:
            await beside()
        waiting = asyncio.create_task(enough.wait())
        await asyncio.wait((closed, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    if closed.done():
        await closed
    await stream.close()
    await closed
    return numbers


def in_order(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_frames_take_the_short_way(sshd: RealSshd, make_factory: MakeFactory) -> None:
    async with connected(make_factory, sshd.host()) as session:
        assert in_order(await follow(session, 40))
        assert Watched.short > 2 * Watched.long
        assert Watched.sent and not Watched.left
        assert "data_received" not in vars(session._connection)  # left with the stream
        assert in_order(await follow(session, 3))  # and taken again with the next


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: [data[i : i + 1] for i in range(len(data))], id="byte by byte"),
        pytest.param(lambda data: [data[i : i + 7] for i in range(0, len(data), 7)], id="seven bytes at a time"),
        pytest.param(lambda data: [data[: len(data) // 2], data[len(data) // 2 :]], id="in halves"),
    ],
)
async def test_bytes_in_pieces(sshd: RealSshd, make_factory: MakeFactory, change: Change) -> None:
    async with between(sshd, change) as port, connected(make_factory, sshd.host(port=port)) as session:
        assert in_order(await follow(session, 10))


async def test_packets_glued_together(sshd: RealSshd, make_factory: MakeFactory) -> None:
    held: list[bytes] = []
    said = 0

    def glue(data: bytes) -> list[bytes]:
        nonlocal said
        said += 1
        held.append(data)
        if said > 40 and len(held) < 5:
            return []
        glued, held[:] = b"".join(held), []
        return [glued]

    async with between(sshd, glue) as port, connected(make_factory, sshd.host(port=port)) as session:
        assert in_order(await follow(session, 60))


async def test_a_changed_byte_ends_the_connection(sshd: RealSshd, make_factory: MakeFactory) -> None:
    said = 0

    def spoil(data: bytes) -> list[bytes]:
        nonlocal said
        said += len(data)
        return [data[:-20] + bytes([data[-20] ^ 1]) + data[-19:] if said > 30_000 and len(data) > 100 else data]

    async with between(sshd, spoil) as port, connected(make_factory, sshd.host(port=port)) as session:
        with pytest.raises(SSHConnectionError, match=r"(?i)mac"):
            await follow(session, 10_000)
        assert Watched.short


async def test_new_keys_and_commands_in_the_middle(tmp_path: Path, make_factory: MakeFactory) -> None:
    with running(tmp_path / "sshd", config=["RekeyLimit 256K"]) as server:
        async with connected(make_factory, server.host()) as session:

            async def beside() -> None:
                for number in range(10):
                    said = await session.run(["sh", "-c", f"head -c 100000 /dev/zero | tr '\\0' {number}"])
                    assert said.stdout == str(number) * 100_000

            assert in_order(await follow(session, 80, beside))
            assert len(Watched.keys) > 2 and Watched.short and Watched.long


@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"])
async def test_other_ciphers(tmp_path: Path, make_factory: MakeFactory, cipher: str) -> None:
    with running(tmp_path / "sshd", config=[f"Ciphers {cipher}"]) as server:
        async with connected(make_factory, server.host()) as session:
            assert in_order(await follow(session, 10))
            assert bool(Watched.short) is bool(Watched.sent) is ("gcm" in cipher)
            assert bool(Watched.left) is ("gcm" not in cipher)


async def test_behind_a_jump_host(tmp_path: Path, make_factory: MakeFactory) -> None:
    with running(tmp_path / "sshd") as jump, running(tmp_path / "inner") as inner:
        (tmp_path / "ssh_config").write_text(
            f"Host *\n  User {jump.user}\n  HostName 127.0.0.1\n"
            f"Host jump\n  IdentityFile {jump.login_key}\n  Port {jump.port}\n"
            f"Host inner\n  IdentityFile {inner.login_key}\n  Port {inner.port}\n  ProxyJump jump\n"
        )
        with jump.known_hosts.open("a") as known:
            known.write(inner.known_hosts.read_text())
        async with connected(make_factory, Host("inner")) as session:
            assert in_order(await follow(session, 20))
            assert Watched.short > Watched.long


@pytest.mark.parametrize("packets", [0, 1, 0xFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF])
def test_packets_are_counted_as_asyncssh_counts_them(packets: int) -> None:
    cipher = GCMCipher("aes128-gcm", b"k" * 16, b"\xfffix" + packets.to_bytes(8, "big"))
    counted = next_iv(cipher._iv)
    cipher._update_iv()
    assert counted == cipher._iv
