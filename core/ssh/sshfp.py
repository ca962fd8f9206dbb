"""SSHFP records (RFC 4255, 6594, 7479): what DNS says of a host key. A hint for the person at the review, no more.

Whether the resolver validated the answer (its AD bit) is told too; it decides nothing, for the way to the resolver is
seldom secure itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from asyncssh import SSHKey

_SSHFP, _OPT, _IN = 44, 41, 1
_SHA256 = 2
_WAIT_S = 2.0
_RESOLV = Path("/etc/resolv.conf")
_ALGORITHMS = {"ssh-rsa": 1, "ssh-dss": 2, "ssh-ed25519": 4, "ssh-ed448": 6}
Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """The SHA-256 records of one name as (algorithm, fingerprint), and whether the resolver validated them."""

    records: tuple[tuple[int, bytes], ...] = ()
    validated: bool = False


def nameservers(path: Path = _RESOLV) -> list[Server]:
    """The resolvers of resolv.conf(5), three at the most; blocking."""
    found: list[Server] = []
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            found.append((words[1], 53))
    return found[:3]


async def hint(host: str, key: SSHKey, servers: Sequence[Server] | None = None) -> str:
    """Say in words what the SSHFP records of a host make of a key; never raises, waits two seconds a resolver."""
    if servers is None:
        servers = await asyncio.to_thread(nameservers)
    for server in servers:
        try:
            answer = await ask(host, server)
        except (OSError, TimeoutError, ValueError):
            continue
        return _words(answer, key)
    return "SSHFP: no resolver answered"


def _words(answer: Answer, key: SSHKey) -> str:
    name = key.get_algorithm()
    number = 3 if name.startswith("ecdsa-") else _ALGORITHMS.get(name)
    mine = hashlib.sha256(key.public_data).digest()
    said = [fingerprint for algorithm, fingerprint in answer.records if algorithm == number]
    how = "validated by the resolver (DNSSEC)" if answer.validated else "not validated (no DNSSEC)"
    if not said:
        return "SSHFP: no record for this type of key"
    return f"SSHFP: {'MATCHES' if mine in said else 'DOES NOT MATCH'} this key, {how}"


async def ask(host: str, server: Server) -> Answer:
    """Ask one resolver; raises OSError, TimeoutError, or ValueError for an answer that is none."""
    number = secrets.randbelow(1 << 16)
    question = _name(host) + struct.pack("!HH", _SSHFP, _IN)
    # RD and AD set: we want to know whether it validated; OPT with DO, 1232 bytes (DNS flag day 2020)
    opt = b"\0" + struct.pack("!HHIH", _OPT, 1232, 0x8000, 0)
    query = struct.pack("!HHHHHH", number, 0x0120, 1, 0, 0, 1) + question + opt
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Question(number, question), remote_addr=server)
    try:
        transport.sendto(query)
        async with asyncio.timeout(_WAIT_S):
            return parse(await protocol.answer, len(question))
    finally:
        transport.close()


def _name(host: str) -> bytes:
    labels = host.rstrip(".").encode("idna").split(b".")
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{host!r} is no name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class _Question(asyncio.DatagramProtocol):
    """Waits for the answer to one question; anything else that comes is passed over."""

    def __init__(self, number: int, question: bytes) -> None:
        self._number, self._question = number, question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        known = data[:2] == self._number.to_bytes(2, "big") and len(data) >= 12 and bool(data[2] & 0x80)
        if known and data[12 : 12 + len(self._question)].lower() == self._question.lower() and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def parse(data: bytes, question: int) -> Answer:
    """Read an answer (RFC 1035, section 4) whose question takes so many bytes; raises ValueError."""
    try:
        _, flags, _, answers, _, _ = struct.unpack_from("!HHHHHH", data)
        code = flags & 0xF
        if code not in (0, 3) or flags & 0x0200:  # 3: no such name; TC: cut off
            raise ValueError("the resolver gives no whole answer")
        place, found = 12 + question, []
        for _ in range(answers):
            place = _skip_name(data, place)
            kind, net, _, size = struct.unpack_from("!HHIH", data, place)
            place += 10
            body = data[place : place + size]
            if len(body) != size:
                raise ValueError("a record is cut off")
            place += size
            if (kind, net) == (_SSHFP, _IN) and size == 34 and body[1] == _SHA256:
                found.append((body[0], body[2:]))
    except (struct.error, IndexError):
        raise ValueError("the answer is cut off") from None
    return Answer(tuple(found), bool(flags & 0x0020))


def _skip_name(data: bytes, place: int) -> int:
    while (size := data[place]) != 0:
        if size & 0xC0 == 0xC0:
            return place + 2
        place += 1 + size
    return place + 1
