"""Host keys: always checked, unknown ones reviewed, changed ones blocked, known_hosts kept in good order."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import stat
import subprocess
from pathlib import Path

import asyncssh
import pytest

from core.exceptions import BusinessLogicError, ConfigurationError, ResourceNotFoundError, SSHHostKeyError
from core.models import Host, HostKeyReview, Reason
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews, public_line
from core.ssh.known_hosts import KnownHostsFiles
from tests.ssh.conftest import MakeFactory
from tests.ssh.following import samples_of
from tests.ssh.sshd import RealSshd, make_key, running


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


async def refused(make_factory: MakeFactory, server: RealSshd, name: str = "real") -> SSHHostKeyError:
    with pytest.raises(SSHHostKeyError) as caught:
        await make_factory().connect(server.host(name))
    return caught.value


async def test_unknown_then_accepted(sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews) -> None:
    sshd.known_hosts.unlink()
    exc = await refused(make_factory, sshd)
    await refused(make_factory, sshd, name="again")
    assert reason_of(exc) is Reason.KEY_UNKNOWN
    (review,) = keys.pending()
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", sshd.host_key().with_suffix(".pub")], capture_output=True, text=True, check=True
    ).stdout
    assert review.fingerprint in shown and review.fingerprint in exc.message
    assert (review.host, review.address, review.port, review.changed) == ("real", "127.0.0.1", sshd.port, False)
    assert not sshd.known_hosts.exists()
    await keys.accept(review)
    assert keys.pending() == ()
    assert sshd.known_hosts.read_text() == f"[127.0.0.1]:{sshd.port} {sshd.public_key()}\n"
    assert stat.S_IMODE(sshd.known_hosts.stat().st_mode) == 0o600
    assert await samples_of(make_factory(), sshd.host(), 1)
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{sshd.port}", "-f", sshd.known_hosts], capture_output=True, check=False
    )
    assert found.returncode == 0  # OpenSSH reads it too


async def test_changed_is_blocked(sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews) -> None:
    old = key()
    before = f"# mine\n[127.0.0.1]:{sshd.port} {public_line(old)}\n"
    sshd.known_hosts.write_text(before)
    exc = await refused(make_factory, sshd)
    assert reason_of(exc) is Reason.KEY_CHANGED
    assert old.get_fingerprint() in exc.message and f"{sshd.known_hosts}:2" in exc.message
    (review,) = keys.pending()
    assert review.changed and review.old_fingerprints == (old.get_fingerprint(),)
    with pytest.raises(BusinessLogicError) as caught:
        await keys.accept(review)
    assert "ssh-keygen -R" in caught.value.message and f"{sshd.known_hosts}:2" in caught.value.message
    assert sshd.known_hosts.read_text() == before
    keys.reject(review)
    assert keys.pending() == ()


async def test_a_revoked_key_is_never_used(sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews) -> None:
    name = f"[127.0.0.1]:{sshd.port}"
    sshd.known_hosts.write_text(f"{name} {sshd.public_key()}\n@revoked {name} {sshd.public_key()}\n")
    exc = await refused(make_factory, sshd)
    assert reason_of(exc) is Reason.KEY_CHANGED and "revoked" in exc.message
    assert keys.pending() == ()


async def test_the_known_type_is_asked_for_first(tmp_path: Path, make_factory: MakeFactory) -> None:
    """A host with several keys must not look unknown because another type is preferred now."""
    for kind in ("ed25519", "rsa", "ecdsa"):
        with running(tmp_path / kind, key_types=("ed25519", "rsa", "ecdsa")) as server:
            server.trust(kind)
            session = await make_factory().connect(server.host())
            await session.close()


async def test_a_new_type_of_key_counts_as_changed(tmp_path: Path, make_factory: MakeFactory) -> None:
    with running(tmp_path / "sshd", key_types=("rsa",)) as server:
        make_key(tmp_path / "old", "ed25519")
        old = " ".join((tmp_path / "old.pub").read_text().split()[:2])
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {old}\n")
        exc = await refused(make_factory, server)
    assert reason_of(exc) is Reason.KEY_CHANGED


async def test_certificates_of_a_known_authority(tmp_path: Path, make_factory: MakeFactory) -> None:
    folder = tmp_path / "sshd"
    make_key(tmp_path / "ca", "ed25519")
    with running(folder, config=[f"HostCertificate {folder}/host_ed25519-cert.pub"]) as server:
        server.stop()
        subprocess.run(
            ["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "h", "-h", "-n", "127.0.0.1",
             server.host_key().with_suffix(".pub")], check=True, capture_output=True,
        )  # fmt: skip
        server.start()
        ca = " ".join((tmp_path / "ca.pub").read_text().split()[:2])
        server.known_hosts.write_text(f"@cert-authority * {ca}\n")
        await (await make_factory().connect(server.host())).close()
        server.trust()  # and without the authority the plain key is used
        await (await make_factory().connect(server.host())).close()


async def test_accept_wants_the_very_key_that_waits(sshd: RealSshd, keys: HostKeyReviews, tmp_path: Path) -> None:
    trust = await keys.trust("h", 22)
    keys.refuse("h", "h", 22, key(), trust)
    (first,) = keys.pending()
    keys.refuse("h", "h", 22, key(), trust)
    assert len(keys.pending()) == 1 and keys.pending()[0] != first
    with pytest.raises(ResourceNotFoundError):
        await keys.accept(first)


async def test_a_key_that_became_known_meanwhile_is_not_replaced(keys: HostKeyReviews) -> None:
    keys.refuse("h", "h", 22, key(), await keys.trust("h", 22))
    keys.known_hosts.parent.mkdir(parents=True, exist_ok=True)
    keys.known_hosts.write_text(f"h {public_line(key())}\n")
    with pytest.raises(BusinessLogicError):
        await keys.accept(keys.pending()[0])


async def test_many_accepted_at_once_and_a_file_without_its_last_newline(keys: HostKeyReviews) -> None:
    keys.known_hosts.parent.mkdir(parents=True, exist_ok=True)
    keys.known_hosts.write_text("# no newline at the end")
    for n in range(20):
        keys.refuse(f"h{n}", f"h{n}", 22, key(), await keys.trust(f"h{n}", 22))
    await asyncio.gather(*(keys.accept(review) for review in keys.pending()))
    lines = keys.known_hosts.read_text().splitlines()
    assert lines[0] == "# no newline at the end"
    assert {line.split()[0] for line in lines[1:]} == {f"h{n}" for n in range(20)}
    assert keys.pending() == ()


async def test_a_file_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keys = HostKeyReviews(tmp_path / "file" / "known_hosts")
    with pytest.raises(ConfigurationError):
        await keys.trust("h", 22)
    keys = HostKeyReviews(tmp_path)  # a folder
    with pytest.raises(ConfigurationError):
        await keys.trust("h", 22)


async def test_the_queue_tells_of_new_keys_once(tmp_path: Path) -> None:
    told: list[HostKeyReview] = []
    keys = HostKeyReviews(tmp_path / "known_hosts", on_queue=told.append)
    one, trust = key(), await keys.trust("h", 22)
    for _ in range(3):
        keys.refuse("h", "h", 22, one, trust)
    assert len(told) == 1


async def test_two_hundred_first_contacts_are_accepted_in_one_go(keys: HostKeyReviews) -> None:
    for number in range(200):
        keys.refuse(f"h{number}", f"10.0.0.{number}", 22, key(), await keys.trust(f"10.0.0.{number}", 22))
    assert len(keys.pending()) == 200
    await asyncio.gather(*(keys.accept(review) for review in keys.pending()))
    assert not keys.pending()
    lines = keys.known_hosts.read_text().splitlines()
    assert [line.split()[0] for line in lines] == [f"10.0.0.{number}" for number in range(200)]


def test_known_hosts_lines(tmp_path: Path) -> None:
    a, b, c, d = key(), key(), key(), key()
    salt = b"0123456789abcdefghij"
    mac = base64.b64encode(hmac.new(salt, b"[hashed]:2222", hashlib.sha1).digest()).decode()
    path = tmp_path / "known_hosts"
    path.write_text(
        "# comment\n\nrubbish\nbad ssh-ed25519 AAAAnotbase64\n|1|broken ssh-ed25519 AAAA\n"
        f"plain,10.0.0.1 {public_line(a)} with a comment\n"
        f"|1|{base64.b64encode(salt).decode()}|{mac} {public_line(b)}\n"
        f"*.example.com,!bad.example.com {public_line(c)}\n"
        f"[plain]:2222 {public_line(d)}\n"
        f"@cert-authority *.corp {public_line(a)}\n@revoked * {public_line(b)}\n"
    )
    files = KnownHostsFiles()

    def keys_of(host: str, port: int = 22) -> tuple[asyncssh.SSHKey, ...]:
        return files.trust([path, tmp_path / "missing"], host, port).keys

    assert keys_of("plain") == keys_of("10.0.0.1") == (a,)
    assert keys_of("plain", 2222) == (d,)
    assert keys_of("hashed", 2222) == (b,) and keys_of("hashed") == ()
    assert keys_of("www.example.com") == (c,) and keys_of("bad.example.com") == ()
    assert keys_of("unknown") == ()
    assert files.trust([path], "x.corp", 22).authorities == (a,)
    assert files.trust([path], "anything", 22).revoked == (b,)
    elsewhere = files.trust([path], "plain", 2200)  # as OpenSSH: the key without a port proves the host elsewhere too
    assert elsewhere.keys == (a,) and not elsewhere.exact
    assert files.trust([path], "plain", 22).places == (f"{path}:6",)
    path.write_text(f"plain {public_line(c)}\n")
    assert keys_of("plain") == (c,)  # read anew


async def test_files_and_alias_of_ssh_config(
    sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (tmp_path / "ssh_config").write_text(
        f"Host h\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.login_key}\n"
        f"  HostKeyAlias the-alias\n  UserKnownHostsFile {one} {two}\n  StrictHostKeyChecking no\n"
    )
    with pytest.raises(SSHHostKeyError):
        await make_factory().connect(Host("h"))
    (review,) = keys.pending()
    await keys.accept(review)
    assert one.read_text() == f"the-alias {sshd.public_key()}\n"  # ssh(1) stores an alias without the port
    one.rename(two)
    await (await make_factory().connect(Host("h"))).close()
