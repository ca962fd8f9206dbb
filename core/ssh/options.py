"""What asyncssh is told for one host: the user's ssh_config, the inventory's own words, our order of algorithms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from core.models import Host
from core.ssh.config import HostConfig, read_config
from core.ssh.config_lines import ConfigFiles
from core.ssh.identities import Identities, KeyFiles, read_identities
from core.ssh.known_hosts import DEFAULT_PORT, Trust, pattern

_CIPHER = "aes128-gcm@openssh.com"  # takes about half the CPU of asyncssh's first choice


@dataclass(frozen=True, slots=True)
class Target:
    """One place to connect to, before ssh_config has had its say."""

    name: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[str, ...] = ()
    known_hosts: Path | None = None
    config: Path | None = None

    @classmethod
    def of(cls, host: Host, *, config: Path, default_user: str | None) -> Target:
        """The target of an inventory line; a simulated host is kept apart from the user's ssh_config."""
        return cls(
            name=host.target,
            port=host.port,
            user=host.user or default_user,
            identity_files=tuple(os.path.expanduser(name) for name in host.identity_files),
            known_hosts=Path(host.known_hosts).expanduser() if host.known_hosts else None,
            config=None if host.simulated else config,
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    """A target as ssh_config maps it. ``jumps`` are the ProxyJump hops, nearest first."""

    target: Target
    config: HostConfig
    options: asyncssh.SSHClientConnectionOptions
    identities: Identities
    host: str
    port: int
    key_name: str  # the name and port that its key is stored under
    key_port: int
    known_hosts: tuple[Path, ...]  # where its key is looked up; a new one goes to the first; empty: the user's own
    revoked: tuple[asyncssh.SSHKey, ...]
    jumps: tuple[Target, ...]

    @property
    def place(self) -> str:
        """Whom a question to a person names: USER@HOST, with the port where it is not 22."""
        return f"{self.config.user}@{pattern(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class Sources:
    """Files that many targets share, each read once as long as it does not change."""

    config: ConfigFiles = field(default_factory=ConfigFiles)
    keys: KeyFiles = field(default_factory=KeyFiles)


def resolve(target: Target, *, keepalive_s: float, sources: Sources | None = None) -> Resolved:
    """Read ssh_config (which may run commands) and the key files; blocking, for a thread.

    Raises ValueError or OSError.
    """
    sources = sources or Sources()
    config = read_config(target.name, user=target.user, port=target.port, file=target.config, files=sources.config)
    alias = config.key_alias
    return Resolved(
        target=target,
        config=config,
        options=asyncssh.SSHClientConnectionOptions(**_arguments(config, keepalive_s)),
        identities=_identities(target, config, sources.keys),
        host=config.host,
        port=config.port,
        key_name=alias or config.host,
        key_port=DEFAULT_PORT if alias else config.port,  # ssh(1) does the same
        known_hosts=_known_hosts(target, config),
        revoked=_revoked(config),
        jumps=_jumps(config.jumps, target),
    )


def _arguments(config: HostConfig, keepalive_s: float) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "host": config.host,
        "port": config.port,
        "username": config.user,
        "config": None,  # it is read already, and by rules of its own
        "family": config.family,
        "keepalive_interval": keepalive_s,
        "keepalive_count_max": 3,
        "compression_algs": ["none"],
        "gss_kex": False,  # it would replace the host key check
        "gss_auth": config.yes("gssapiauthentication", default=False),
        "gss_host": config.host if config.yes("gssapiauthentication", default=False) else None,
        "host_key_alias": config.key_alias or None,
        "public_key_auth": config.text("pubkeyauthentication") != "no",
        "password_auth": config.yes("passwordauthentication", default=True),
        "kbdint_auth": config.yes("kbdinteractiveauthentication", default=True),
        "client_keys": None,  # asked for at the login, in ssh's order
        "x509_trusted_certs": None,
        "agent_forwarding": False,
        "x11_forwarding": False,
        "request_pty": False,
        "command": None,
        "env": {},
        "send_env": [],
        "encoding": None,
    }
    if address := config.text("bindaddress"):
        arguments["local_addr"] = (address, 0)
    if methods := config.text("preferredauthentications"):
        arguments["preferred_auth"] = methods
    for keyword, name, known in (
        ("ciphers", "encryption_algs", asyncssh.encryption.get_encryption_algs),
        ("kexalgorithms", "kex_algs", asyncssh.kex.get_kex_algs),
        ("macs", "mac_algs", asyncssh.mac.get_mac_algs),
        ("pubkeyacceptedalgorithms", "signature_algs", _signature_algorithms),
    ):
        if chosen := _known_algorithms(config.text(keyword), known()):
            arguments[name] = chosen
    return arguments


def _signature_algorithms() -> list[bytes]:
    return [*get_default_public_key_algs(), b"ssh-rsa"]


def _known_algorithms(text: str, known: Sequence[bytes]) -> str:
    """A list of ssh_config without the names that this program lacks; raises ValueError where none is left."""
    if not text or text == "none":
        return ""
    sign = text[0] if text[0] in "+-^" else ""
    words = text.removeprefix(sign).split(",")
    names = [name.decode("ascii") for name in known]
    kept = [word for word in words if any(fnmatchcase(name, word) for name in names)]
    if not kept and not sign:
        raise ValueError(f"none of {text} is known here")
    return sign + ",".join(kept) if kept else ""


def _identities(target: Target, config: HostConfig, files: KeyFiles) -> Identities:
    given = tuple(Path(name) for name in target.identity_files)
    if target.config is None:
        return read_identities(files, given, (), agent="", only=True, required=True)
    return read_identities(
        files,
        given or config.identities,
        config.certificates,
        agent=config.agent,
        # An agent full of other keys would use up the server's tries: what the inventory names is enough.
        only=bool(given) or config.yes("identitiesonly", default=False),
        required=bool(given),
    )


def _known_hosts(target: Target, config: HostConfig) -> tuple[Path, ...]:
    """The inventory's own file alone, or those of ssh_config; none: the one of the settings."""
    if target.known_hosts is not None:
        return (target.known_hosts,)
    if not config.own_known_hosts or config.known_hosts[:1] in ((), (Path(os.devnull),)):
        return ()
    return config.known_hosts


def _revoked(config: HostConfig) -> tuple[asyncssh.SSHKey, ...]:
    """The keys of RevokedHostKeys; like ssh, nobody is trusted where the file cannot be read."""
    name = config.text("revokedhostkeys")
    if not name or name.lower() == "none":
        return ()
    path = Path(name).expanduser()
    data = path.read_bytes()
    if data.startswith(b"SSHKRL"):
        raise ValueError(f"{path}: a binary revocation list is not supported: list the public keys as text")
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    return tuple(asyncssh.import_public_key(line) for line in lines if line and not line.startswith("#"))


def _jumps(text: str, target: Target) -> tuple[Target, ...]:
    """Take ProxyJump apart: [user@]host[:port] with commas between (ssh_config(5))."""
    if not text:
        return ()
    hops: list[Target] = []
    for word in text.split(","):
        user, _, place = word.strip().removeprefix("ssh://").rpartition("@")
        name, port = place, None
        head, colon, tail = place.rpartition(":")
        if colon and tail.isdigit() and (":" not in head or head.endswith("]")):
            name, port = head, int(tail)
        hops.append(
            replace(target, name=name.strip("[]"), port=port, user=user or None, identity_files=(), known_hosts=None)
        )
    return tuple(hops)


def _host_key_algorithms() -> list[bytes]:
    return [*get_default_certificate_algs(), *get_default_public_key_algs()]


def algorithms(resolved: Resolved, trust: Trust) -> dict[str, Any]:
    """Return the algorithm arguments: types of known keys first as OpenSSH does, so that none looks unknown."""
    config = resolved.config
    chosen: dict[str, Any] = {}
    if not config.text("ciphers"):
        chosen["encryption_algs"] = f"^{_CIPHER}"
    if wanted := _known_algorithms(config.text("hostkeyalgorithms"), _host_key_algorithms()):
        chosen["server_host_key_algs"] = wanted
    else:
        order: list[bytes] = list(get_default_certificate_algs()) if trust.authorities else []
        known = [name for key in trust.keys for name in key.sig_algorithms]
        defaults: Sequence[bytes] = get_default_public_key_algs()
        order += [name for name in known if name in defaults] + list(defaults)
        chosen["server_host_key_algs"] = [name.decode("ascii") for name in dict.fromkeys(order)]
    return chosen


def allowed_authorities(resolved: Resolved, trust: Trust) -> tuple[asyncssh.SSHKey, ...]:
    """The authorities whose signatures CASignatureAlgorithms allows."""
    chosen = _known_algorithms(resolved.config.text("casignaturealgorithms"), _signature_algorithms())
    if not chosen:
        return trust.authorities
    sign = chosen[0] if chosen[0] in "+-^" else ""
    words = chosen.removeprefix(sign).split(",")
    if sign in ("+", "^"):  # they add to what is allowed anyhow
        return trust.authorities
    return tuple(
        key
        for key in trust.authorities
        if any(fnmatchcase(name.decode("ascii"), word) for name in key.sig_algorithms for word in words)
        != (sign == "-")
    )


def too_weak(resolved: Resolved, connection: asyncssh.SSHClientConnection) -> str:
    """Say why the host's key breaks RequiredRSASize; empty where it does not."""
    wanted = resolved.config.number("requiredrsasize")
    key = connection.get_server_host_key()
    if not wanted or key is None or not key.get_algorithm().startswith(("ssh-rsa", "rsa-")):
        return ""
    bits = int.from_bytes(_rsa_modulus(key.public_data), "big").bit_length()
    return f"an RSA key of {bits} bits, ssh_config asks for {wanted} (RequiredRSASize)" if bits < wanted else ""


def _rsa_modulus(wire: bytes) -> bytes:
    """The modulus of an ssh-rsa public key (RFC 4253, section 6.6: name, exponent, modulus)."""
    part = b""
    for _ in range(3):
        size = int.from_bytes(wire[:4], "big")
        part, wire = wire[4 : 4 + size], wire[4 + size :]
    return part
