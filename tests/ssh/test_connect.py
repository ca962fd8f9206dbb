"""How a connection fails: each cause told apart, in bounded time, with a way out."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.exceptions import (
    ConfigurationError,
    InfrastructureException,
    SSHAuthenticationError,
    SSHConnectionError,
    SSHTimeoutError,
)
from core.models import Host, Reason
from core.ssh.error_mapping import reason_of
from tests.parts import need
from tests.ssh.conftest import MakeFactory
from tests.ssh.matrix import agent
from tests.ssh.sshd import RealSshd, free_port, make_key, running


@contextlib.asynccontextmanager
async def listener(answer: bytes, *, hang: bool) -> AsyncIterator[int]:
    """Something on a port that is not SSH."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            if answer:
                await reader.read(100)
                writer.write(answer)
            if hang:
                await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def failure(make_factory: MakeFactory, host: Host, **settings: object) -> InfrastructureException:
    start = time.monotonic()
    with pytest.raises(InfrastructureException) as caught:
        await make_factory(**settings).connect(host)
    assert time.monotonic() - start < 10
    assert caught.value.hostname == host.name
    return caught.value


def plain(port: int, address: str = "127.0.0.1") -> Host:
    return Host("h", address=address, port=port, user="nobody", simulated=True)


async def test_refused(make_factory: MakeFactory) -> None:
    exc = await failure(make_factory, plain(free_port()))
    assert isinstance(exc, SSHConnectionError) and reason_of(exc) is Reason.PORT
    assert "refused" in exc.message


async def test_no_such_name(make_factory: MakeFactory) -> None:
    exc = await failure(make_factory, plain(22, "no-such-host.invalid"))
    assert isinstance(exc, SSHConnectionError) and reason_of(exc) is Reason.NAME


async def test_nothing_answers(make_factory: MakeFactory) -> None:
    """A listener whose queue is full drops our SYN, as a firewall would."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        await asyncio.sleep(0.1)
        exc = await failure(make_factory, plain(server.getsockname()[1]), connect_timeout_s=1)
    assert isinstance(exc, SSHTimeoutError) and reason_of(exc) is Reason.FILTERED
    assert exc.timeout_seconds == 1


async def test_http_on_the_port(make_factory: MakeFactory) -> None:
    async with listener(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html></html>", hang=False) as port:
        exc = await failure(make_factory, plain(port))
    assert isinstance(exc, SSHConnectionError) and reason_of(exc) is Reason.PROTOCOL
    assert "other than SSH" in exc.message


@pytest.mark.parametrize("answer", [b"220 mail ESMTP\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-1.5-old\r\n", b""])
async def test_other_things_on_the_port(make_factory: MakeFactory, answer: bytes) -> None:
    async with listener(answer, hang=False) as port:
        exc = await failure(make_factory, plain(port))
    assert reason_of(exc) is Reason.PROTOCOL


async def test_a_port_that_says_nothing(make_factory: MakeFactory) -> None:
    async with listener(b"", hang=True) as port:
        exc = await failure(make_factory, plain(port), login_timeout_s=1)
    assert isinstance(exc, SSHTimeoutError) and reason_of(exc) is Reason.PROTOCOL


async def test_ssh_that_stops_after_its_greeting(make_factory: MakeFactory) -> None:
    async with listener(b"SSH-2.0-OpenSSH_9.9\r\n", hang=True) as port:
        exc = await failure(make_factory, plain(port), login_timeout_s=1)
    assert isinstance(exc, SSHTimeoutError) and reason_of(exc) is Reason.TIMEOUT


async def test_wrong_key(sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path) -> None:
    make_key(tmp_path / "other", "ed25519")
    exc = await failure(make_factory, sshd.host(identity_files=(str(tmp_path / "other"),)))
    assert isinstance(exc, SSHAuthenticationError) and reason_of(exc) is Reason.LOGIN


async def test_a_key_file_that_is_not_there(sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path) -> None:
    exc = await failure(make_factory, sshd.host(identity_files=(str(tmp_path / "missing"),)))
    assert isinstance(exc, ConfigurationError) and str(tmp_path / "missing") in exc.message


async def test_ssh_config_is_used(sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text(
        f"Host alias\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.login_key}\n  IdentityFile {tmp_path}/missing\n"
    )
    session = await make_factory().connect(Host("alias"))
    assert (await session.run(["echo", "hi"])).stdout == "hi\n"
    assert "OpenSSH" in session.server_version
    await session.close()


async def test_a_broken_ssh_config_is_named(make_factory: MakeFactory, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("Host *\n  Port twentytwo\n")
    exc = await failure(make_factory, Host("alias"))
    assert isinstance(exc, ConfigurationError) and "line 2" in exc.message


async def test_proxyjump_is_shared_and_its_key_checked(make_factory: MakeFactory, tmp_path: Path) -> None:
    with running(tmp_path / "sshd") as bastion, running(tmp_path / "inner") as inner:
        (tmp_path / "ssh_config").write_text(
            f"Host *\n  User {bastion.user}\n  IdentityFile {bastion.login_key}\n"
            f"Host bastion\n  HostName 127.0.0.1\n  Port {bastion.port}\n"
            f"Host inner1 inner2\n  HostName 127.0.0.1\n  Port {inner.port}\n  ProxyJump bastion\n"
            f"  IdentityFile {inner.login_key}\n"
            f"Host dead\n  HostName 127.0.0.1\n  Port {free_port()}\n  ProxyJump bastion\n"
        )
        factory = make_factory()
        with bastion.known_hosts.open("a") as known:
            known.write(inner.known_hosts.read_text())
        one, two = await asyncio.gather(factory.connect(Host("inner1")), factory.connect(Host("inner2")))
        assert (await one.run(["echo", "1"])).stdout == "1\n"
        await one.close()
        assert (await two.run(["echo", "2"])).stdout == "2\n"
        exc = await failure(lambda **_: factory, Host("dead"))
        assert reason_of(exc) is Reason.PORT and "jump host" in exc.message
        await two.close()
        assert not factory._jumps._jumps
        inner.known_hosts.unlink()
        bastion.known_hosts.write_text("")
        exc = await failure(lambda **_: factory, Host("inner1"))
        assert reason_of(exc) is Reason.KEY_UNKNOWN and str(bastion.port) in exc.message


async def test_a_dead_jump_host_fails_all_behind_it_at_once(make_factory: MakeFactory, tmp_path: Path) -> None:
    async with listener(b"", hang=True) as port:
        (tmp_path / "ssh_config").write_text(
            f"Host bastion\n  HostName 127.0.0.1\n  Port {port}\nHost in*\n  ProxyJump bastion\n"
        )
        factory = make_factory(login_timeout_s=1.0)
        start = time.monotonic()
        results = await asyncio.gather(*(factory.connect(Host(f"in{n}")) for n in range(10)), return_exceptions=True)
    assert time.monotonic() - start < 9
    assert {reason_of(r) for r in results if isinstance(r, InfrastructureException)} == {Reason.PROTOCOL}
    assert not factory._jumps._jumps


async def test_jumps_in_a_circle_end(make_factory: MakeFactory, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    exc = await failure(make_factory, Host("a"))
    assert reason_of(exc) is Reason.ROUTE


async def test_a_cancelled_connect_leaves_nothing(sshd: RealSshd, make_factory: MakeFactory) -> None:
    async with listener(b"", hang=True) as port:
        task = asyncio.get_running_loop().create_task(make_factory().connect(plain(port)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_encrypted_key_comes_from_the_agent(
    sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent holds more keys than sshd lets anybody try; only the one that the inventory names is offered."""
    need("ssh-agent", shutil.which("ssh-agent") is not None, "install openssh-client")
    for n in range(8):
        make_key(tmp_path / f"other{n}", "ed25519")
    with agent(tmp_path, *(tmp_path / f"other{n}" for n in range(8)), sshd.login_key) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(sshd.login_key)]
        subprocess.run(change, check=True, stdin=subprocess.DEVNULL)
        host = sshd.host(simulated=False)
        await (await make_factory().connect(host)).close()
        monkeypatch.delenv("SSH_AUTH_SOCK")
        exc = await failure(make_factory, host)
        assert reason_of(exc) is Reason.LOGIN and "ssh-add" in exc.message and str(sshd.login_key) in exc.message
