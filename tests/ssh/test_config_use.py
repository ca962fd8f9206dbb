"""What our reading of ssh_config does with what it read: names made canonical, tokens, refusals, trust narrowed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from core.exceptions import ConfigurationError, InfrastructureException, SSHHostKeyError
from core.models import Host, Reason
from core.ssh import config as config_module
from core.ssh.config import read_config
from core.ssh.config_match import Identity
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.options import Sources, Target, resolve
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd, make_key, running

ME = Identity("ann", Path("/home/ann"), "desk.example.com", 1000)
DNS = {
    "web.a.example.": "web.a.example", "web.b.example.": "lb7.cdn.example", "x.y.example.": "x.y.example",
    "plain": "plain.c.example",
}  # fmt: skip


def read(folder: Path, text: str, name: str = "web", **given: object) -> config_module.HostConfig:
    (folder / "config").write_text(text)
    return read_config(name, file=folder / "config", me=ME, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name", "host"),
    [
        ("CanonicalizeHostname yes\nCanonicalDomains none.example a.example b.example\n", "web", "web.a.example"),
        ("CanonicalizeHostname no\nCanonicalDomains a.example\n", "web", "web"),
        ("CanonicalizeHostname yes\nCanonicalDomains b.example\n", "web", "web.b.example"),
        (
            "CanonicalizeHostname yes\nCanonicalDomains b.example\n"
            "CanonicalizePermittedCNAMEs *.b.example:*.cdn.example\n",
            "WEB",
            "lb7.cdn.example",
        ),
        ("CanonicalizeHostname yes\nCanonicalDomains b.example\nCanonicalizePermittedCNAMEs *.b.example:*.x\n",
         "web", "web.b.example"),
        ("CanonicalizeHostname yes\nCanonicalDomains example\nCanonicalizeMaxDots 1\n", "x.y", "x.y.example"),
        ("CanonicalizeHostname yes\nCanonicalDomains example\nCanonicalizeMaxDots 0\n", "x.y", "x.y"),
        ("CanonicalizeHostname yes\nCanonicalDomains a.example\nProxyJump gate\n", "web", "web"),
        ("CanonicalizeHostname always\nCanonicalDomains a.example\nProxyJump gate\n", "web", "web.a.example"),
        ("CanonicalizeHostname yes\nCanonicalDomains a.example\n", "web.a.example.", "web.a.example"),
        ("CanonicalizePermittedCNAMEs plain:*.c.example\n", "plain", "plain.c.example"),
    ],
)  # fmt: skip
def test_names_are_made_canonical(
    text: str, name: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS is a table here: what a resolver would say depends on the machine."""
    monkeypatch.setattr(config_module, "_lookup", lambda name: DNS.get(name, ""))
    assert read(tmp_path, text, name).host == host


def test_blocks_match_the_canonical_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "_lookup", lambda name: DNS.get(name, ""))
    text = (
        "CanonicalizeHostname yes\nCanonicalDomains a.example\nHost web.a.example\n User w\nMatch canonical\n Port 7\n"
    )
    found = read(tmp_path, text)
    assert (found.host, found.user, found.port) == ("web.a.example", "w", 7)
    with pytest.raises(socket.gaierror):
        read(tmp_path, "CanonicalizeHostname yes\nCanonicalDomains z\nCanonicalizeFallbackLocal no\n")


def test_tokens_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/srv")
    found = read(
        tmp_path,
        "Host web\n  HostName %h.example.com\n  User bob\n  Port 2200\n  IdentityFile ~/.ssh/%r@%h-%p-%n-%%\n"
        "  IdentityFile ${PLACE}/%L.%u.%i\n  CertificateFile %d/c-%k\n  UserKnownHostsFile ~/k-%l\n"
        "  ProxyCommand relay %r %h %p %n %%\n  IdentityAgent $AGENT\n  HostKeyAlias Al-%h\n",
    )
    assert found.host == "web.example.com"
    assert [str(path) for path in found.identities] == [
        "/home/ann/.ssh/bob@web.example.com-2200-web-%",
        "/srv/desk.ann.1000",
    ]
    assert [str(path) for path in found.certificates] == ["/home/ann/c-Al-%h"]
    assert str(found.known_hosts[0]) == "/home/ann/k-desk.example.com"
    assert found.proxy == "relay bob web.example.com 2200 web %"
    assert found.agent == "" and found.key_alias == "al-%h"
    assert read(tmp_path, "ProxyJump %r@gate:%p\nUser u\n").jumps == "u@gate:22"
    for text in ("IdentityFile %x\n", "UserKnownHostsFile ${NOT_SET_ANYWHERE}\n"):
        with pytest.raises(ValueError, match=r"no meaning|not set"):
            read(tmp_path, text)


def test_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("OTHER", "/run/other")
    for text, path in (
        ("", "/run/agent"), ("IdentityAgent none\n", ""), ("IdentityAgent SSH_AUTH_SOCK\n", "/run/agent"),
        ("IdentityAgent $OTHER\n", "/run/other"), ("IdentityAgent ${OTHER}.2\n", "/run/other.2"),
        ("IdentityAgent ~/%u.sock\n", "/home/ann/ann.sock"),
    ):  # fmt: skip
        assert read(tmp_path, text).agent == path


@pytest.mark.parametrize(
    ("line", "words"),
    [("KnownHostsCommand /bin/keys %H", "known_hosts file"), ("PKCS11Provider /lib/p11.so", "ssh-add -s"),
     ("BindInterface eth0", "BindAddress"), ("ProxyUseFdpass yes", "relay"),
     ("RefuseConnection not from here", "not from"),
     ("Match localnetwork 10.0.0.0/8,nonsense", "nonsense"),
     ("Match version 10", "version")],
)  # fmt: skip
def test_what_would_change_target_or_trust_is_refused(line: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read(tmp_path, f"Host *\n{line}\n")
    assert "line 2" in str(caught.value)
    if not line.startswith("Match"):
        assert read(tmp_path, f"Host other\n{line}\n").host == "web"
        assert read(
            tmp_path, f"Host *\n{line.split()[0]} {'no' if 'Use' in line else 'none'}\n" if "Ref" not in line else ""
        )


def test_local_networks(tmp_path: Path) -> None:
    assert read(tmp_path, "Match localnetwork 127.0.0.0/8\n User here\n").user == "here"
    assert read(tmp_path, "Match localnetwork 203.0.113.0/24\n User here\n").user == "ann"


def test_a_file_that_others_may_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / ".ssh" / "config"
    own.parent.mkdir()
    own.write_text("User own\n")
    own.chmod(0o600)
    monkeypatch.setattr(config_module, "SYSTEM_CONFIG", tmp_path / "system")
    (tmp_path / "system").write_text("User system\nPort 7\n")
    found = read_config("h", file=own)
    assert (found.user, found.port) == ("own", 7)  # the system's file is read behind it
    assert read_config("h", file=tmp_path / "none").port == 22  # and, as with -F, not behind another
    own.chmod(0o622)
    with pytest.raises(ValueError, match="others"):
        read_config("h", file=own)


def test_a_list_of_a_crypto_policy_is_taken_as_far_as_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "Ciphers aes256-gcm@openssh.com,aes256-weird,aes128-ctr\nMACs hmac-sha2-256-etm@openssh.com,umac-9000\n"
        "KexAlgorithms mlkem-next,curve25519-sha256\nPubkeyAcceptedAlgorithms ssh-ed25519,new-key-type\n"
        "HostKeyAlgorithms ssh-ed25519,new-key-type\nCASignatureAlgorithms ssh-ed25519\nRequiredRSASize 2048\n"
        "GSSAPIKexAlgorithms gss-x\n"
    )
    target = Target("h", config=tmp_path / "config")
    options = resolve(target, keepalive_s=5, sources=Sources()).options
    assert options.encryption_algs == [b"aes256-gcm@openssh.com", b"aes128-ctr"]
    assert options.kex_algs == [b"curve25519-sha256"] and options.signature_algs == [b"ssh-ed25519"]
    (tmp_path / "config").write_text("Ciphers none-of-ours\n")
    with pytest.raises(ValueError, match="none-of-ours"):
        resolve(target, keepalive_s=5, sources=Sources())


def config_of(server: RealSshd, folder: Path, *lines: object) -> None:
    """An ssh_config for a server with more lines."""
    (folder / "ssh_config").write_text(
        f"Host h\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n  IdentityFile {server.login_key}\n"
        f"  UserKnownHostsFile {server.known_hosts}\n" + "".join(f"  {line}\n" for line in lines)
    )


async def test_revoked_host_keys(sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path) -> None:
    revoked = tmp_path / "revoked"
    config_of(sshd, tmp_path, f"RevokedHostKeys {revoked}")
    with pytest.raises(ConfigurationError) as caught:  # like ssh: without the list nobody is trusted
        await make_factory().connect(Host("h"))
    assert str(revoked) in caught.value.message
    revoked.write_text("# none\n")
    await (await make_factory().connect(Host("h"))).close()
    revoked.write_text(f"{sshd.public_key()} gone\n")
    with pytest.raises(SSHHostKeyError) as refused:
        await make_factory().connect(Host("h"))
    assert reason_of(refused.value) is Reason.KEY_CHANGED and "revoked" in refused.value.message.lower()
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", revoked, sshd.host_key().with_suffix(".pub")], check=True)
    with pytest.raises(ConfigurationError, match="list the public keys as text"):
        await make_factory().connect(Host("h"))


async def test_short_rsa_keys_are_refused_where_asked(tmp_path: Path, make_factory: MakeFactory) -> None:
    with running(tmp_path / "s", key_types=("rsa",)) as server:
        config_of(server, tmp_path, "RequiredRSASize 2048")
        await (await make_factory().connect(Host("h"))).close()
        config_of(server, tmp_path, "RequiredRSASize 3072")
        with pytest.raises(SSHHostKeyError, match="2048 bits"):
            await make_factory().connect(Host("h"))


async def test_signatures_of_an_authority_that_is_not_allowed(tmp_path: Path, make_factory: MakeFactory) -> None:
    for name in ("ca", "host"):
        make_key(tmp_path / name, "ed25519")
    words = ["-s", tmp_path / "ca", "-I", "h", "-h", "-n", "127.0.0.1", tmp_path / "host.pub"]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)
    lines = [f"HostKey {tmp_path / 'host'}", f"HostCertificate {tmp_path / 'host-cert.pub'}"]
    with running(tmp_path / "s", config=lines) as server:
        authority = " ".join((tmp_path / "ca.pub").read_text().split()[:2])
        server.known_hosts.write_text(f"@cert-authority * {authority}\n")
        config_of(server, tmp_path, "CASignatureAlgorithms ssh-ed25519")
        await (await make_factory().connect(Host("h"))).close()
        config_of(server, tmp_path, "CASignatureAlgorithms rsa-sha2-512")
        with pytest.raises(InfrastructureException) as caught:
            await make_factory().connect(Host("h"))
        assert reason_of(caught.value) in (Reason.KEY_UNKNOWN, Reason.KEY_CHANGED)


async def test_accepted_keys_are_hashed_where_asked(
    sshd: RealSshd, make_factory: MakeFactory, keys: HostKeyReviews, tmp_path: Path
) -> None:
    sshd.known_hosts.unlink()
    config_of(sshd, tmp_path, "HashKnownHosts yes")
    with pytest.raises(SSHHostKeyError):
        await make_factory().connect(Host("h"))
    await keys.accept(keys.pending()[0])
    assert sshd.known_hosts.read_text().startswith("|1|")
    await (await make_factory().connect(Host("h"))).close()
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{sshd.port}", "-f", sshd.known_hosts], capture_output=True, check=False
    )
    assert found.returncode == 0


async def test_a_proxy_command_that_fails_says_why(sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path) -> None:
    for command, words in (
        ("sh -c 'echo no way through >&2; exit 1'", "no way through"), ("/no/such/relay %h", "/no/such/relay"),
        ("true", "ended"),
    ):  # fmt: skip
        config_of(sshd, tmp_path, f"ProxyCommand {command}")
        with pytest.raises(InfrastructureException) as caught:
            await make_factory().connect(Host("h"))
        assert reason_of(caught.value) is Reason.ROUTE and words in caught.value.message, caught.value.message
