"""What asyncssh is told for one host: the user's ssh_config, the inventory's own words, our order of algorithms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.config import SSHConfig
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from core.models import Host
from core.ssh.known_hosts import DEFAULT_PORT, SYSTEM_FILE, Trust

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
    options: asyncssh.SSHClientConnectionOptions
    host: str
    port: int
    key_name: str  # the name and port that its key is stored under
    key_port: int
    known_hosts: tuple[Path, ...]  # where its key is looked up; a new one goes to the first; empty: the user's own
    jumps: tuple[Target, ...]


def resolve(target: Target, *, keepalive_s: float) -> Resolved:
    """Read ssh_config (which may run commands) and the key files; blocking, for a thread.

    Raises ValueError or OSError as asyncssh does.
    """
    arguments: dict[str, Any] = {
        "host": target.name,
        "config": [str(target.config)] if target.config is not None and target.config.is_file() else None,
        "keepalive_interval": keepalive_s,
        "keepalive_count_max": 3,
        "compression_algs": ["none"],
        "gss_kex": False,  # it would replace the host key check
        "x509_trusted_certs": None,
        "agent_forwarding": False,
        "x11_forwarding": False,
        "request_pty": False,
        "command": None,
        "env": {},
        "send_env": [],
        "encoding": None,
    }
    if target.port is not None:
        arguments["port"] = target.port
    if target.user is not None:
        arguments["username"] = target.user
    if target.identity_files:
        arguments["client_keys"] = list(target.identity_files)
        arguments["ignore_encrypted"] = True  # an encrypted key comes from the agent: there is nobody to ask here
        public = [f"{name}.pub" for name in target.identity_files if Path(f"{name}.pub").is_file()]
        if len(public) == len(target.identity_files):
            arguments["agent_identities"] = public  # an agent full of other keys would use up the server's tries
    if target.config is None:
        arguments["agent_path"] = None
    options = _options(arguments)
    config = options.config
    return Resolved(
        target=target,
        options=options,
        host=options.host,
        port=options.port or DEFAULT_PORT,
        key_name=options.host_key_alias or options.host,
        key_port=DEFAULT_PORT if options.host_key_alias else options.port or DEFAULT_PORT,  # ssh(1) does the same
        known_hosts=_known_hosts(target, config),
        jumps=_jumps(options.tunnel, target) if options.tunnel and not options.proxy_command else (),
    )


def _known_hosts(target: Target, config: SSHConfig) -> tuple[Path, ...]:
    """The files of ssh_config, or the inventory's own alone."""
    if target.known_hosts is not None:
        return (target.known_hosts,)
    own = config.get("UserKnownHostsFile")
    if not isinstance(own, list) or not own or own[0] == os.devnull:
        return ()
    system = config.get("GlobalKnownHostsFile")
    names = [*own, *(system if isinstance(system, list) else [str(SYSTEM_FILE)])]
    return tuple(Path(name).expanduser() for name in names)


def _options(arguments: dict[str, Any]) -> asyncssh.SSHClientConnectionOptions:
    """Build the options; an IdentityFile of ssh_config that is not there is passed over, as OpenSSH does."""
    try:
        return asyncssh.SSHClientConnectionOptions(**arguments)
    except FileNotFoundError:
        if "client_keys" in arguments:  # named in the inventory: that is worth an error
            raise
    config = asyncssh.SSHClientConnectionOptions(**arguments, client_keys=None).config
    names = config.get("IdentityFile")
    present = [name for name in names if Path(name).expanduser().exists()] if isinstance(names, list) else []
    return asyncssh.SSHClientConnectionOptions(**arguments, client_keys=present, ignore_encrypted=True)


def _jumps(text: object, target: Target) -> tuple[Target, ...]:
    """Take ProxyJump apart: [user@]host[:port] with commas between (ssh_config(5))."""
    if not isinstance(text, str) or text.lower() == "none":
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


def algorithms(resolved: Resolved, trust: Trust) -> dict[str, Any]:
    """Return the algorithm arguments: types of known keys first as OpenSSH does, so that none looks unknown."""
    config = resolved.options.config
    chosen: dict[str, Any] = {}
    if config.get("Ciphers") is None:
        chosen["encryption_algs"] = f"^{_CIPHER}"
    if config.get("HostKeyAlgorithms") is None:
        order: list[bytes] = list(get_default_certificate_algs()) if trust.authorities else []
        known = [name for key in trust.keys for name in key.sig_algorithms]
        defaults: Sequence[bytes] = get_default_public_key_algs()
        order += [name for name in known if name in defaults] + list(defaults)
        chosen["server_host_key_algs"] = [name.decode("ascii") for name in dict.fromkeys(order)]
    return chosen
