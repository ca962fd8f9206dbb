"""An SSH server that asks: passwords, questions in rounds, a code that is good once. asyncssh's own, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from core.models import Host
from tests.parts import close_pipes

Prompts = list[tuple[str, bool]]


@dataclass
class Asker:
    """What is asked and what is right; ``seen`` holds what came, ``logins`` how many began."""

    password: str | None = None
    rounds: list[tuple[Prompts, list[str]]] = field(default_factory=list)  # questions and their answers
    seen: list[str] = field(default_factory=list)
    logins: int = 0
    port: int = 0
    public_key: str = ""
    steps: tuple[str, ...] = ()  # methods that have to come one after the other; none: any one is enough
    step_rounds: list[list[tuple[Prompts, list[str]]]] = field(default_factory=list)  # of each keyboard-interactive
    codes: Callable[[], str] | None = None  # the last round's answer, where it changes

    def host(self, name: str, known_hosts: Path, **changes: object) -> Host:
        """An inventory line for it."""
        fields: dict[str, object] = {"address": "127.0.0.1", "port": self.port, "user": "ann", **changes}
        return Host(name, known_hosts=str(known_hosts), **fields)  # type: ignore[arg-type]


class _Server(asyncssh.SSHServer):
    def __init__(self, asker: Asker) -> None:
        self._asker, self._round = asker, 0
        self._left = list(asker.steps)
        self._partial = False
        self._sets = [list(each) for each in asker.step_rounds] or [asker.rounds]

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        tell = conn.send_userauth_failure

        def failure(partial_success: bool) -> None:
            partial, self._partial = self._partial, False
            tell(partial or partial_success)

        conn.send_userauth_failure = failure  # asyncssh's server knows no logins in steps

    def _right(self, kind: str) -> bool:
        """Take a method; False where the next step is still to come, which the client is told."""
        if self._left[:1] == [kind]:
            self._left.pop(0)
            if kind == "keyboard-interactive" and len(self._sets) > 1:
                self._sets.pop(0)
        self._partial = bool(self._left)
        return not self._left

    def _wanted(self, kind: str) -> bool:
        return not self._left or self._left[0] == kind

    def begin_auth(self, username: str) -> bool:
        self._asker.logins += 1
        return True

    def public_key_auth_supported(self) -> bool:
        return "publickey" in self._left[:1]

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._right("publickey")

    def password_auth_supported(self) -> bool:
        return self._asker.password is not None and self._wanted("password")

    def validate_password(self, username: str, password: str) -> bool:
        self._asker.seen.append(password)
        return password == self._asker.password and self._right("password")

    def kbdint_auth_supported(self) -> bool:
        return bool(self._sets[0]) and self._wanted("keyboard-interactive")

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> tuple[str, str, str, Prompts]:
        self._round = 0
        return "Company login", "Have your key ready\x1b[31m", "", self._sets[0][0][0]

    def validate_kbdint_response(self, username: str, responses: list[str]) -> bool | tuple[str, str, str, Prompts]:
        self._asker.seen += responses
        rounds = self._sets[0]
        right = rounds[self._round][1]
        last = self._round == len(rounds) - 1
        if self._asker.codes is not None and last and len(self._left) < 2:
            right = [self._asker.codes()]
        if responses != right:
            return False
        self._round += 1
        return self._right("keyboard-interactive") if last else ("", "", "", rounds[self._round][0])

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True  # it serves as a jump host too


async def _process(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run what is asked for, as sshd would; it ends with its channel."""
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command or "true", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    feeding = asyncio.ensure_future(_pump(process.stdin, child.stdin))
    try:
        while data := await child.stdout.read(65536):
            process.stdout.write(data)
        process.exit(await child.wait())
    except (OSError, asyncssh.Error):
        pass
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.gather(feeding, return_exceptions=True)
        await child.wait()
        close_pipes(child)


async def _pump(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@contextlib.asynccontextmanager
async def asking(asker: Asker) -> AsyncIterator[Asker]:
    """Run the server; its port and key stand in the asker."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: _Server(asker), server_host_keys=[key],
        process_factory=_process, encoding=None,
    )  # fmt: skip
    asker.port = server.sockets[0].getsockname()[1]
    asker.public_key = " ".join(key.export_public_key("openssh").decode().split()[:2])
    try:
        yield asker
    finally:
        server.close()
        await server.wait_closed()


def trust(known_hosts: Path, *askers: Asker) -> None:
    """Write their keys into a known_hosts file."""
    known_hosts.write_text("".join(f"[127.0.0.1]:{one.port} {one.public_key}\n" for one in askers))
