"""One host as `ssh host` would see it: ssh_config evaluated, made canonical, tokens put in. Blocking: for threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from ipaddress import ip_address
from pathlib import Path

from core.ssh.config_lines import ConfigFiles
from core.ssh.config_match import Evaluation, Identity, Value
from core.ssh.config_text import expand, expand_environment, like_list, patterns_of

DEFAULT_PORT = 22
USER_FILE = Path("~/.ssh/config")
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_OWN_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_CANONICAL_DEFAULTS: Mapping[str, Value] = {
    "canonicalizehostname": "no",
    "canonicalizemaxdots": 1,
    "canonicalizefallbacklocal": True,
}
# What would change the target, the trust or the login, and is not done: refused rather than passed over.
_REFUSED = {
    "bindinterface": "name an address with BindAddress",
    "knownhostscommand": "write the keys into a known_hosts file",
    "pkcs11provider": "load the token into the agent (ssh-add -s) and take the option out for this host",
    "proxyusefdpass": "a ProxyCommand must relay the data itself",
}


@dataclass(frozen=True, slots=True)
class HostConfig:
    """What ssh_config says of one host; paths are absolute, tokens are put in."""

    name: str  # as it was given
    host: str  # to connect to
    port: int
    user: str
    family: int  # socket.AF_*
    jumps: str  # ProxyJump, empty: none
    proxy: str  # ProxyCommand, empty: none
    key_alias: str
    known_hosts: tuple[Path, ...]  # the user's, then the system's
    own_known_hosts: bool  # ssh_config names the user's files
    identities: tuple[Path, ...]
    named_identities: bool  # ssh_config names them; else they are ssh's defaults
    certificates: tuple[Path, ...]
    agent: str  # socket of the agent, empty: none
    values: Mapping[str, Value]

    def text(self, keyword: str) -> str:
        """A text of the configuration by its keyword in lower case; empty where it is not set."""
        value = self.values.get(keyword)
        return value if isinstance(value, str) else ""

    def yes(self, keyword: str, *, default: bool) -> bool:
        """A yes or no of the configuration."""
        value = self.values.get(keyword, default)
        return value if isinstance(value, bool) else default

    def number(self, keyword: str) -> int:
        """A number of the configuration; 0 where it is not set."""
        value = self.values.get(keyword)
        return value if isinstance(value, int) else 0


def read_config(
    name: str,
    *,
    user: str | None = None,
    port: int | None = None,
    file: Path | None = None,
    files: ConfigFiles | None = None,
    me: Identity | None = None,
) -> HostConfig:
    """Evaluate the user's ssh_config for a host; user and port given count more than it.

    As with ssh, the system's file is read behind the user's own, and is left out where ``file`` is another one (as
    with -F); None reads none at all. Raises ValueError with file and line, or OSError.
    """
    me = me or Identity.here()
    found = Evaluation(name, me, files or ConfigFiles(), host=name, tokens=_tokens)
    if user is not None:
        found.values["user"] = user
    if port is not None:
        found.values["port"] = port
    _pass(found, file)
    for keyword, default in _CANONICAL_DEFAULTS.items():  # decided here: a second pass comes too late for them
        found.values.setdefault(keyword, default)
    host = _canonical(found)
    if found.values["canonicalizehostname"] != "no" or found.wants_final:
        found.final, found.host = True, host
        found.values["hostname"] = host
        _pass(found, file)
        host = found.text("hostname")
    for keyword, way_out in _REFUSED.items():
        if found.values.get(keyword) not in (None, False, "none"):
            raise ValueError(f"{found.places[keyword]}: {keyword} is not supported: {way_out}")
    if words := found.text("refuseconnection"):
        raise ValueError(f"{found.places['refuseconnection']}: ssh_config refuses this host: {words}")
    return _host_config(found, host)


def _pass(found: Evaluation, file: Path | None) -> None:
    if file is None:
        return
    base = found.me.home / ".ssh"
    found.read(file, own=file.expanduser() == USER_FILE.expanduser(), base=base)
    if file.expanduser() == USER_FILE.expanduser():
        found.read(SYSTEM_CONFIG, own=False, base=SYSTEM_CONFIG.parent)


def _host_config(found: Evaluation, host: str) -> HostConfig:
    found.values["hostname"] = host
    tokens = _tokens(found)
    proxy, jumps = found.text("proxycommand"), found.text("proxyjump")
    short = {key: tokens[key] for key in "hnpr"}
    named = found.texts("identityfile")
    identities = [_path(text, tokens, found) for text in named if text.lower() != "none"]
    if not named:
        identities = [found.me.home / ".ssh" / text for text in _DEFAULT_IDENTITIES]
    certificates = [_path(text, tokens, found) for text in found.texts("certificatefile") if text.lower() != "none"]
    own = found.texts("userknownhostsfile")
    names = own or [*_OWN_KNOWN_HOSTS]
    names += found.texts("globalknownhostsfile") or [*_SYSTEM_KNOWN_HOSTS]
    alias = found.text("hostkeyalias")
    return HostConfig(
        name=found.original,
        host=host,
        port=found.number("port", DEFAULT_PORT),
        user=found.text("user") or found.me.local_user,
        family={"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(found.text("addressfamily"), socket.AF_UNSPEC),
        jumps="" if jumps.lower() == "none" else expand(jumps, short),
        proxy="" if proxy.lower() == "none" else expand(proxy, short),
        key_alias="" if alias.lower() == "none" else alias.lower(),
        known_hosts=tuple(_path(text, tokens, found) for text in names if text.lower() != "none"),
        own_known_hosts=bool(own),
        identities=tuple(dict.fromkeys(identities)),
        named_identities=bool(named),
        certificates=tuple(certificates),
        agent=_agent(found, tokens),
        values=dict(found.values),
    )


def _agent(found: Evaluation, tokens: dict[str, str]) -> str:
    """The agent's socket (ssh_config(5), IdentityAgent)."""
    text = found.text("identityagent")
    if text == "none":
        return ""
    if not text or text == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "")
    return str(_path(text, tokens, found))


def _path(text: str, tokens: dict[str, str], found: Evaluation) -> Path:
    text = expand_environment(expand(text, tokens))
    if text.startswith("~/"):
        return found.me.home / text[2:]
    return Path(text).expanduser()


def _tokens(found: Evaluation) -> dict[str, str]:
    """The %-tokens of ssh_config(5), TOKENS, as far as they are known now."""
    me, host = found.me, found.hostname()
    port = str(found.number("port", DEFAULT_PORT))
    user = found.text("user") or me.local_user
    jump = found.text("proxyjump")
    whole = me.local_host + host + port + user
    return {
        "C": sha1(whole.encode(), usedforsecurity=False).hexdigest(),
        "d": str(me.home),
        "h": host,
        "i": str(me.uid),
        "j": jump,
        "k": found.text("hostkeyalias") or found.original,
        "L": me.local_host.partition(".")[0],
        "l": me.local_host,
        "n": found.original,
        "p": port,
        "r": user,
        "u": me.local_user,
    }


# Canonical names (ssh_config(5), CanonicalizeHostname)


def _canonical(found: Evaluation) -> str:
    host = found.hostname()
    if (address := _address(host)) is not None:
        return address
    host = host.lower()
    wanted = found.values.get("canonicalizehostname", "no")
    direct = all(found.text(word).lower() in ("", "none") for word in ("proxycommand", "proxyjump"))
    follow = direct or wanted == "always"
    if wanted != "no" and follow:
        resolved = _search(found, host)
        if resolved is not None:
            return _followed(found, *resolved)
    if follow and found.texts("canonicalizepermittedcnames") not in ([], ["none"]) and (cname := _lookup(host)):
        return _followed(found, host, cname)
    return host


def _search(found: Evaluation, host: str) -> tuple[str, str] | None:
    """Try the domains in turn; return the full name and the name that DNS calls it by."""
    if host.endswith("."):
        tries = [host]
    elif host.count(".") > found.number("canonicalizemaxdots", 1):
        return None
    else:
        domains = found.texts("canonicaldomains")
        tries = [f"{host}.{domain.lower()}." for domain in domains if domain.lower() != "none"]
    for full in tries:
        if cname := _lookup(full):
            return full.rstrip("."), cname
    if not found.yes("canonicalizefallbacklocal", default=True):
        raise socket.gaierror(socket.EAI_NONAME, f"no CanonicalDomains has {host}, and CanonicalizeFallbackLocal is no")
    return None


def _lookup(name: str) -> str:
    """The name that DNS calls a name by; empty where it does not resolve."""
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except (OSError, UnicodeError):
        return ""
    return (answers[0][3] or name).rstrip(".").lower()


def _followed(found: Evaluation, name: str, cname: str) -> str:
    for names, targets in patterns_of(found.texts("canonicalizepermittedcnames")):
        if name != cname and like_list(name, names) and like_list(cname, targets):
            return cname
    return name


def _address(host: str) -> str | None:
    """The address in the form that the system writes it, None where the host is a name."""
    plain, percent, scope = host.partition("%")
    try:
        return str(ip_address(plain)) + percent + scope
    except ValueError:
        return None
