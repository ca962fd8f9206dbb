"""SSHFP: what DNS says of a key is shown at the review and trusts nothing; hostile answers do no harm."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncssh
import pytest

from core.exceptions import SSHHostKeyError
from core.models import Host, Reason
from core.ssh import sshfp
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
Reply = Callable[[bytes], list[bytes]]


@contextlib.asynccontextmanager
async def resolver(reply: Reply) -> AsyncIterator[tuple[str, int]]:
    """A DNS server on loopback that answers as it is told."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            for answer in reply(data):
                self.transport.sendto(answer, addr)  # type: ignore[attr-defined]

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()


def record(key: asyncssh.SSHKey, *, algorithm: int = 4, kind: int = 2) -> bytes:
    digest = hashlib.sha256 if kind == 2 else hashlib.sha1
    return bytes([algorithm, kind]) + digest(key.public_data).digest()


def answering(*bodies: bytes, ad: bool = False, code: int = 0, cut: bool = False) -> Reply:
    def reply(query: bytes) -> list[bytes]:
        end = query.index(b"\0", 12) + 5
        flags = 0x8180 | (0x20 if ad else 0) | code | (0x200 if cut else 0)
        head = query[:2] + struct.pack("!HHHHH", flags, 1, len(bodies), 0, 0)
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 44, 1, 60, len(body)) + body for body in bodies)
        return [b"\0\0rubbish", head[:2] + b"\x01" + head[3:] + query[12:end], head + query[12:end] + records]

    return reply


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answering(record(KEY), ad=True), "MATCHES this key, validated by the resolver"),
        (answering(record(KEY)), "MATCHES this key, not validated"),
        (answering(b"\x04\x02" + bytes(32)), "DOES NOT MATCH"),
        (answering(record(KEY, kind=1)), "no record for this type"),  # SHA-1 proves nothing any more
        (answering(record(KEY, algorithm=1)), "no record for this type"),
        (answering(code=3), "no record"),
        (answering(code=2), "no resolver answered"),
        (answering(record(KEY), cut=True), "no resolver answered"),
    ],
)
async def test_what_is_said(reply: Reply, words: str) -> None:
    async with resolver(reply) as server:
        assert words in await sshfp.hint("host.example.com", KEY, [server])


async def test_nobody_to_ask(tmp_path: Path) -> None:
    assert "no resolver" in await sshfp.hint("h", KEY, [])
    assert sshfp.nameservers(tmp_path / "none") == []
    (tmp_path / "r").write_text("# x\nnameserver 127.0.0.1\nnameserver bad\nnameserver ::1\nsearch a\n")
    assert sshfp.nameservers(tmp_path / "r") == [("127.0.0.1", 53), ("::1", 53)]


def test_mutated_answers_raise_nothing_else() -> None:
    random_ = random.Random(7)
    query = struct.pack("!HHHHHH", 1, 0x120, 1, 0, 0, 1) + b"\x01h\0" + struct.pack("!HH", 44, 1)
    whole = answering(record(KEY), record(KEY, kind=1))(query)[-1]
    for _ in range(3000):
        data = bytearray(whole[: random_.randint(0, len(whole))])
        for _ in range(random_.randint(0, 4)):
            if data:
                data[random_.randrange(len(data))] = random_.randrange(256)
        with contextlib.suppress(ValueError):
            sshfp.parse(bytes(data), 7)


async def test_at_the_review_and_no_further(
    sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sshd.known_hosts.unlink()
    host_key = asyncssh.read_public_key(sshd.host_key().with_suffix(".pub"))
    (tmp_path / "ssh_config").write_text(
        f"Host h\n  HostName localhost\n  Port {sshd.port}\n  AddressFamily inet\n  VerifyHostKeyDNS yes\n"
        f"  IdentityFile {sshd.login_key}\n"
    )
    async with resolver(answering(record(host_key), ad=True)) as server:
        monkeypatch.setattr(sshfp, "nameservers", lambda: [server])
        with pytest.raises(SSHHostKeyError) as caught:
            await make_factory().connect(Host("h"))
    assert reason_of(caught.value) is Reason.KEY_UNKNOWN
    assert "MATCHES this key, validated" in keys.pending()[0].dns
