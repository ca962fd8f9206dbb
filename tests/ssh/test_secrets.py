"""Logins that ask: a question is queued, answered once, kept in memory, and never tried again by itself."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretStr

from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.exceptions import ConfigurationError, ResourceNotFoundError, SSHAuthenticationError, ValidationError
from core.models import Host, Reason, SecretRequest
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.keyring import system_keyring
from core.ssh.pool import AsyncSSHFactory
from core.ssh.prompts import Prompt
from core.ssh.secrets import Secrets
from tests.ssh.asking import Asker, asking, trust
from tests.ssh.sshd import RealSshd, make_key


class Bench:
    """A factory over one folder, with its secrets."""

    def __init__(self, folder: Path, secrets: Secrets | None = None) -> None:
        self.folder, self.secrets = folder, secrets or Secrets()
        self.known = folder / "known"
        self.config = folder / "config"
        settings = SSHSettings(config_file=self.config, known_hosts=self.known, connect_timeout_s=10)
        self.factory = AsyncSSHFactory(settings, HostKeyReviews(self.known), loop_calls(1 << 18), secrets=self.secrets)

    async def asks(self, host: Host) -> SSHAuthenticationError:
        with pytest.raises(SSHAuthenticationError) as caught:
            await self.factory.connect(host)
        assert reason_of(caught.value) is Reason.LOGIN and caught.value.message.startswith("login: ")
        return caught.value

    async def works(self, host: Host) -> None:
        session = await self.factory.connect(host)
        try:
            assert (await session.run(["echo", "in"])).stdout == "in\n"
        finally:
            await session.close()

    async def answer(self, text: str, number: int = 0) -> tuple[str, ...]:
        return await self.secrets.answer(self.secrets.pending()[number], SecretStr(text))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Bench(tmp_path)


async def test_a_password_is_asked_once(bench: Bench) -> None:
    async with asking(Asker(password="right")) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        exc = await bench.asks(host)
        assert exc.message.startswith(f"login: a password is asked for by ann@[127.0.0.1]:{server.port}")
        (request,) = bench.secrets.pending()
        assert (request.kind, request.echo, request.lasting, request.hosts) == ("password", False, True, ("h",))
        logins = server.logins
        await bench.asks(server.host("again", bench.known))
        assert server.logins == logins  # while it waits, nobody knocks there
        assert await bench.answer("right") == ("h", "again")
        await bench.works(host)
        await bench.works(host)
        assert server.seen == ["right", "right"] and not bench.secrets.pending()


async def test_a_wrong_password_is_forgotten_and_asked_for_again(bench: Bench) -> None:
    async with asking(Asker(password="right")) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("wrong")
        exc = await bench.asks(host)
        assert "refused" in exc.message and "wrong" not in exc.message
        assert server.seen == ["wrong"]  # once, for each try counts against the login
        (request,) = bench.secrets.pending()
        assert request.refused
        await bench.answer("right")
        await bench.works(host)


async def test_a_password_and_a_code_that_is_good_once(bench: Bench) -> None:
    codes = itertools.count(100)
    server = Asker(
        rounds=[([("Password: ", False)], ["right"]), ([("Verification code: ", True)], [""])],
        codes=lambda: str(next(codes)),
    )
    async with asking(server):
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        (request,) = bench.secrets.pending()
        assert (request.kind, request.text, request.instruction) == (
            "answer", "Password:", "Company login Have your key ready[31m",
        )  # fmt: skip
        await bench.answer("right")
        await bench.asks(host)
        (request,) = bench.secrets.pending()
        assert (request.text, request.echo, request.lasting) == ("Verification code:", True, False)
        await bench.answer("100")
        await bench.works(host)
        await bench.asks(host)  # the code is used up, the password is not
        assert [each.text for each in bench.secrets.pending()] == ["Verification code:"]
        await bench.answer("101")
        await bench.works(host)
        await bench.asks(host)
        await bench.answer("bad")
        assert "refused" in (await bench.asks(host)).message


async def test_two_questions_in_one_round(bench: Bench) -> None:
    server = Asker(rounds=[([("Password: ", False), ("Token: ", False)], ["p", "t"])])
    async with asking(server):
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("p")
        await bench.asks(host)
        await bench.answer("t")
        await bench.works(host)


async def test_a_jump_host_that_asks_and_a_host_behind_it_that_asks_too(bench: Bench) -> None:
    gate, inner = Asker(rounds=[([("Password: ", False)], ["gate"])]), Asker(password="inner")
    async with asking(gate), asking(inner):
        trust(bench.known, gate, inner)
        bench.config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User ann\n"
            f"Host in*\n  HostName 127.0.0.1\n  Port {inner.port}\n  User bob\n  ProxyJump gate\n"
            f"Host *\n  UserKnownHostsFile {bench.known}\n"
        )
        bench.config.chmod(0o600)
        results = await asyncio.gather(
            *(bench.factory.connect(Host(f"in{n}")) for n in range(5)), return_exceptions=True
        )
        assert all(isinstance(each, SSHAuthenticationError) for each in results)
        (request,) = bench.secrets.pending()
        assert request.place == f"ann@[127.0.0.1]:{gate.port}" and gate.logins == 1
        await bench.answer("gate")
        await bench.asks(Host("in0"))
        (request,) = bench.secrets.pending()
        assert request.place == f"bob@[127.0.0.1]:{inner.port}"
        await bench.answer("inner")
        await bench.works(Host("in0"))
        await bench.works(Host("in1"))


def lock(path: Path, form: str = "PKCS8") -> None:
    """Encrypt a key in place; OpenSSH's own form can be opened with the package bcrypt alone."""
    make_key(path, "ecdsa")
    words = ["-p", "-P", "", "-N", "secret", "-m", form, "-f", str(path)]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert b"ENCRYPTED" in path.read_bytes() or form == "RFC4716"


@pytest.mark.parametrize("form", ["PKCS8", "PEM", "RFC4716"])
async def test_an_encrypted_key_is_unlocked_once_for_all(
    sshd: RealSshd, bench: Bench, tmp_path: Path, form: str
) -> None:
    lock(sshd.login_key, form)
    sshd.authorize()
    if form == "RFC4716":  # ssh-keygen's word for its own form
        pytest.importorskip("bcrypt", reason="encrypted keys in OpenSSH's form need the package bcrypt")
    hosts = [sshd.host(name, simulated=False) for name in ("a", "b")]
    for host in hosts:
        exc = await bench.asks(host)
        assert str(sshd.login_key) in exc.message
    (request,) = bench.secrets.pending()
    assert (request.kind, request.place, request.hosts) == ("passphrase", str(sshd.login_key), ("a", "b"))
    with pytest.raises(ValidationError):
        await bench.answer("guess")
    assert bench.secrets.pending() == (request,)
    assert await bench.answer("secret") == ("a", "b")
    for host in hosts:
        await bench.works(host)
    make_key(sshd.login_key, "ed25519")  # another key in the same place, and in the clear
    sshd.authorize()
    await bench.works(hosts[0])


async def test_a_locked_key_that_is_not_needed_asks_nothing(sshd: RealSshd, bench: Bench, tmp_path: Path) -> None:
    lock(tmp_path / "locked", "RFC4716")
    await bench.works(sshd.host(simulated=False, identity_files=(str(tmp_path / "locked"), str(sshd.login_key))))
    assert not bench.secrets.pending()


async def test_batch_mode_and_forbidden_methods_ask_nothing(bench: Bench) -> None:
    async with asking(Asker(password="right")) as server:
        trust(bench.known, server)
        for line in ("BatchMode yes", "PasswordAuthentication no", "PreferredAuthentications publickey"):
            bench.config.write_text(
                f"Host h\n  HostName 127.0.0.1\n  Port {server.port}\n  {line}\n  UserKnownHostsFile {bench.known}\n"
            )
            with pytest.raises(SSHAuthenticationError) as caught:
                await bench.factory.connect(Host("h"))
            assert "try: ssh h" in caught.value.message
        assert not server.seen and not bench.secrets.pending()


async def test_what_does_not_wait_takes_no_answer(bench: Bench) -> None:
    async with asking(Asker(password="right")) as server:
        trust(bench.known, server)
        await bench.asks(server.host("h", bench.known))
        (request,) = bench.secrets.pending()
        with pytest.raises(ValidationError):
            await bench.answer("")
        bench.secrets.dismiss(request)
        with pytest.raises(ResourceNotFoundError):
            await bench.secrets.answer(request, SecretStr("x"))
        await bench.asks(server.host("h", bench.known))  # and is asked for anew
        assert bench.secrets.pending()[0].same_as(request)


async def test_hostile_words_are_made_harmless(bench: Bench) -> None:
    server = Asker(rounds=[([("\x1b]0;owned\x07 \u202epass\nword" + "x" * 5000, False)], ["p"])])
    async with asking(server):
        trust(bench.known, server)
        exc = await bench.asks(server.host("h", bench.known))
        (request,) = bench.secrets.pending()
        assert len(request.text) <= 120 and request.text.isprintable() and "\x1b" not in exc.message


class FakeKeyring(ModuleType):
    """The package keyring as far as it is called; the real one wants a desktop session."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, name: str) -> str | None:
        if self.broken:
            raise RuntimeError("locked")
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        if self.broken:
            raise RuntimeError("locked")
        self.kept[service, name] = secret


async def test_the_keyring_keeps_what_it_is_told_to(
    bench: Bench, sshd: RealSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as where the package is missing
    with pytest.raises(ConfigurationError, match="JUMPWATCH_SSH_KEYRING"):
        system_keyring()
    backend = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", backend)
    lock(sshd.login_key)
    sshd.authorize()
    async with asking(Asker(password="right")) as server:
        with_keyring = Bench(tmp_path, Secrets(keyring=system_keyring()))
        trust(bench.known, server)
        asked, locked = server.host("h", bench.known), sshd.host(simulated=False)
        for host, secret in ((asked, "right"), (locked, "secret")):
            await with_keyring.asks(host)
            await with_keyring.secrets.answer(with_keyring.secrets.pending()[0], SecretStr(secret), keep=True)
        assert sorted(backend.kept.values()) == ["right", "secret"]
        later = Bench(tmp_path, Secrets(keyring=system_keyring()))  # another day
        await later.works(asked)
        await later.works(locked)
        server.password = "new"
        await later.asks(asked)
        (request,) = later.secrets.pending()
        backend.broken = True
        with pytest.raises(ConfigurationError, match="keyring"):
            await later.secrets.answer(request, SecretStr("new"), keep=True)
        assert await later.secrets.answer(request, SecretStr("new")) == ("h",)
        await later.works(asked)
        broken = Bench(tmp_path, Secrets(keyring=system_keyring()))
        await broken.asks(locked)  # a keyring that fails is a question to the person


@pytest.mark.parametrize(
    ("text", "echo", "lasting"),
    [("Password: ", False, True), ("Passwort:", False, True), ("Password: ", True, False), ("OTP Password", 0, False),
     ("Verification code:", False, False), ("Duo two-factor, passcode or option (1-3):", True, False),
     ("One-time password (OATH) for `ann':", False, False), ("New password:", False, False)],
)  # fmt: skip
def test_which_answers_are_good_again(text: str, echo: bool, lasting: bool) -> None:
    assert Prompt("answer", "a@h", text, echo).lasting is lasting


def test_a_secret_is_in_no_repr() -> None:
    secrets = Secrets()
    secrets._known["password", "a@h", ""] = SecretStr("hush")
    assert "hush" not in repr(secrets._known) and "hush" not in repr(SecretRequest("password", "a@h", "Password:"))
