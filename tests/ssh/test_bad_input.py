"""What hosts do wrong, each against a real sshd: failures told apart, output bounded, nothing left waiting."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from core.exceptions import InfrastructureException
from core.models import Host, Reason
from core.ssh.error_mapping import reason_of
from core.ssh.pool import AsyncSSHFactory
from tests.parts import need
from tests.ssh.asking import Asker, asking
from tests.ssh.conftest import MakeFactory
from tests.ssh.following import samples_of
from tests.ssh.sshd import RealSshd, free_port, make_key, running
from tests.ssh.test_connect import listener, plain

Cause = Callable[[Path, pytest.MonkeyPatch], AbstractAsyncContextManager[Host]]


@contextlib.asynccontextmanager
async def no_such_name(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    yield plain(22, "no-such-host.invalid")


@contextlib.asynccontextmanager
async def no_route(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    """Whether an address has a route depends on the machine, so the loop says what the kernel would."""

    async def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "Connect call failed ('192.0.2.1', 22)")

    patch.setattr(asyncio.get_running_loop(), "create_connection", unreachable)
    yield plain(22, "192.0.2.1")


@contextlib.asynccontextmanager
async def port_closed(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    yield plain(free_port())


@contextlib.asynccontextmanager
async def filtered(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
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
        yield plain(server.getsockname()[1])


@contextlib.asynccontextmanager
async def says_nothing(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    async with listener(b"", hang=True) as port:
        yield plain(port)


@contextlib.asynccontextmanager
async def speaks_http(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    async with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n", hang=False) as port:
        yield plain(port)


@contextlib.asynccontextmanager
async def greets_and_stops(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    async with listener(b"SSH-2.0-OpenSSH_9.9\r\n", hang=True) as port:
        yield plain(port)


@contextlib.asynccontextmanager
async def key_unknown(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    with running(folder / "s") as server:
        server.known_hosts.unlink()
        yield server.host()


@contextlib.asynccontextmanager
async def key_changed(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    with running(folder / "s") as server:
        make_key(folder / "old", "ed25519")
        old = " ".join((folder / "old.pub").read_text().split()[:2])
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {old}\n")
        yield server.host()


@contextlib.asynccontextmanager
async def key_refused(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    with running(folder / "s") as server:
        server.authorized_keys.write_text("")
        yield server.host()


@contextlib.asynccontextmanager
async def password_asked(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    async with asking(Asker(password="x")) as server:
        (folder / "known").write_text(f"[127.0.0.1]:{server.port} {server.public_key}\n")
        yield server.host("h", folder / "known", simulated=True)


def forced(command: str, **options: object) -> Cause:
    """A login that ends in this command in place of the loop."""

    @contextlib.asynccontextmanager
    async def cause(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
        with running(folder / "s", config=[f"ForceCommand {command}"], **options) as server:
            yield server.host()

    return cause


HALF = 'eval "$SSH_ORIGINAL_COMMAND" | head -c 300; sleep 60'
CAUSES: dict[str, tuple[Cause, Reason, str]] = {
    "name": (no_such_name, Reason.NAME, "does not resolve"),
    "route": (no_route, Reason.ROUTE, "no route"),
    "port closed": (port_closed, Reason.PORT, "connection refused"),
    "filtered": (filtered, Reason.FILTERED, "no answer within"),
    "accepts and says nothing": (says_nothing, Reason.PROTOCOL, "no SSH greeting"),
    "another protocol": (speaks_http, Reason.PROTOCOL, "other than SSH"),
    "greets and stops": (greets_and_stops, Reason.TIMEOUT, "login took longer"),
    "key unknown": (key_unknown, Reason.KEY_UNKNOWN, "review"),
    "key changed": (key_changed, Reason.KEY_CHANGED, "CHANGED"),
    "key refused": (key_refused, Reason.LOGIN, "login was refused"),
    "password asked": (password_asked, Reason.LOGIN, "a password is asked for"),
    "no shell": (forced("/bin/false"), Reason.SHELL, "does not run"),
    "no such shell": (forced("/no/such/shell"), Reason.SHELL, "/no/such/shell"),
    "half a line, then the end": (forced("printf half-a-line"), Reason.SHELL, "half-a-line"),
    "binary output, then the end": (forced("head -c 300000 /dev/urandom"), Reason.SHELL, "does not run"),
    "stops inside the first sample": (forced(HALF), Reason.SHELL, "no figures came"),
    "writes without end": (forced("exec yes"), Reason.SHELL, "no figures came"),
    "sleeps": (forced("sleep 60"), Reason.SHELL, "no figures came"),
    "asks on its own": (forced("printf 'Password: '; read x; exit 1"), Reason.SHELL, "does not run"),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
async def test_failures_are_told_apart(
    name: str, tmp_path: Path, make_factory: MakeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, reason, words = CAUSES[name]
    slow = reason in (Reason.FILTERED, Reason.PROTOCOL, Reason.TIMEOUT) or "no figures" in words
    factory: AsyncSSHFactory = make_factory(connect_timeout_s=1 if slow else 20, login_timeout_s=1.5 if slow else 20)
    async with cause(tmp_path, monkeypatch) as host:
        with pytest.raises(InfrastructureException) as caught:
            await samples_of(factory, host, 1)
    exc = caught.value
    assert (reason_of(exc), words in exc.message, exc.hostname) == (reason, True, host.name), exc.message
    assert exc.message.isprintable() and len(exc.message) < 600


NOISE = {
    "10 MB before the loop": "head -c 10000000 /dev/zero | tr '\\0' x",
    "10 MB of lines": "yes motd | head -c 10000000",
    "binary": "head -c 200000 /dev/urandom",
    "half a line": "printf half",
    "a false frame": "printf '@0 F 1 0 - - -\\n'",
    "on every start": "echo started; echo started >&2",
    "much on stderr": "head -c 3000000 /dev/zero >&2",
    "terminal codes": "printf '\\033[2J\\033]0;title\\007'",
}  # fmt: skip


@pytest.mark.parametrize("name", NOISE)
async def test_noise_does_no_harm(name: str, tmp_path: Path, make_factory: MakeFactory) -> None:
    banner = tmp_path / "banner"
    banner.write_bytes(b"Authorised use only \x1b[31m\r\n" * 400)
    command = f'ForceCommand {NOISE[name]}; eval "$SSH_ORIGINAL_COMMAND"'
    with running(tmp_path / "s", config=[f"Banner {banner}", command, "PrintMotd yes"]) as server:
        samples = await samples_of(make_factory(login_timeout_s=30), server.host(), 1)
    assert samples[0].system.cpus == os.cpu_count()


async def test_a_login_without_a_process_left_says_so(tmp_path: Path, make_factory: MakeFactory) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: the limit of another user is set")
    need("setpriv", shutil.which("setpriv") is not None and shutil.which("prlimit") is not None, "install util-linux")
    words = "prlimit --nproc=1:1 setpriv --reuid=54321 --clear-groups sh -c 'eval \"$SSH_ORIGINAL_COMMAND\"'"
    with (
        running(tmp_path / "s", config=[f"ForceCommand {words}"]) as server,
        pytest.raises(InfrastructureException) as caught,
    ):
        await samples_of(make_factory(login_timeout_s=20), server.host(), 1)
    assert reason_of(caught.value) is Reason.SHELL and "fork" in caught.value.message


async def test_ten_megabytes_of_one_command_are_cut(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())
    try:
        result = await session.run(["head", "-c", "10000000", "/dev/urandom"], max_output=100_000)
        assert result.truncated and len(result.stdout.encode()) <= 400_000
        assert (await session.run(["printf", "on"])).stdout == "on"
    finally:
        await session.close()
