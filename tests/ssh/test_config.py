"""Our reading of ssh_config against `ssh -G`: real files, a table of odd ones, and many made at random."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.ssh.config import HostConfig, read_config
from tests.parts import need

CAPTURES = Path(__file__).resolve().parents[2].parent / "shared" / "captures"
ONE = (
    "hostname", "port", "user", "proxyjump", "proxycommand", "hostkeyalias", "identitiesonly", "identityagent",
    "hashknownhosts", "verifyhostkeydns", "addressfamily", "bindaddress", "canonicalizehostname",
    "canonicalizemaxdots", "canonicalizefallbacklocal", "passwordauthentication", "kbdinteractiveauthentication",
    "batchmode", "preferredauthentications", "revokedhostkeys", "requiredrsasize",
)  # fmt: skip
DEFAULTS = {
    "proxyjump": "", "proxycommand": "", "hostkeyalias": "", "identitiesonly": "no", "identityagent": "",
    "hashknownhosts": "no", "verifyhostkeydns": "no", "addressfamily": "any", "bindaddress": "",
    "canonicalizehostname": "no", "canonicalizemaxdots": "1", "canonicalizefallbacklocal": "yes",
    "passwordauthentication": "yes", "kbdinteractiveauthentication": "yes", "batchmode": "no",
    "preferredauthentications": "", "revokedhostkeys": "", "requiredrsasize": "1024",
}  # fmt: skip
LISTS = ("identityfile", "certificatefile", "userknownhostsfile", "canonicaldomains")
ONE_A_LINE = ("identityfile", "certificatefile")
LIST_DEFAULTS = {"userknownhostsfile": ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]}


def theirs(path: Path, host: str, *flags: str) -> dict[str, str | list[str]] | str:
    """What ssh makes of it, or what it complains of."""
    done = subprocess.run(
        ["ssh", "-G", "-T", "-F", str(path), *flags, host], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return done.stderr
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        said.setdefault(keyword.lower(), []).append(value)
    picture: dict[str, str | list[str]] = {key: said.get(key, [DEFAULTS.get(key, "")])[0] for key in ONE}
    picture = {key: {"true": "yes", "false": "no"}.get(str(value), value) for key, value in picture.items()}
    words = {key: said.get(key, []) if key in ONE_A_LINE else " ".join(said.get(key, [])).split() for key in LISTS}
    return {**picture, **normal(words)}


def normal(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    """Lists with home folders written out, and nothing for what is not there."""
    full = {key: [os.path.expanduser(word) for word in value] for key, value in lists.items()}
    return {key: value for key, value in full.items() if value not in ([], ["none"])}


def ours(path: Path, host: str, **given: object) -> dict[str, str | list[str]] | str:
    """The same of our reading."""
    try:
        config = read_config(host, file=path, **given)  # type: ignore[arg-type]
    except (ValueError, OSError) as exc:
        return str(exc)
    return picture(config)


def picture(config: HostConfig) -> dict[str, str | list[str]]:
    values: Mapping[str, object] = config.values
    seen: dict[str, str | list[str]] = {}
    for key in ONE:
        value = values.get(key, DEFAULTS.get(key, ""))
        seen[key] = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    if "proxyjump" in values:
        seen["proxyjump"] = str(values["proxyjump"])
    for key in ("proxyjump", "proxycommand"):
        if str(seen[key]).lower() == "none":
            seen[key] = ""
    seen |= {"hostname": config.host, "port": str(config.port), "user": config.user}
    lists = {}
    for key in LISTS:
        value = values.get(key)
        lists[key] = list(value) if isinstance(value, list) else LIST_DEFAULTS.get(key, [])
    if not values.get("identityfile"):
        lists["identityfile"] = [str(path) for path in config.identities]
    return {**seen, **normal(lists)}


@pytest.fixture(autouse=True)
def _ssh() -> None:
    need("ssh", shutil.which("ssh") is not None, "install openssh-client")


def same(path: Path, host: str) -> None:
    path.chmod(0o600)
    wanted, got = theirs(path, host), ours(path, host)
    if isinstance(wanted, dict) and wanted["proxyjump"] == "none":
        wanted["proxyjump"] = ""
    if isinstance(wanted, str):
        assert isinstance(got, str), f"ssh refuses {host}: {wanted}\nwe say {got}\n{path.read_text()}"
    else:
        assert got == wanted, f"{host}\n{path.read_text()}"


@pytest.mark.parametrize("name", ["ssh_config1.out", "ssh_config2.out", "ssh_config3.out"])
def test_real_files(name: str, tmp_path: Path) -> None:
    if not (CAPTURES / name).exists():
        pytest.skip(f"needs {CAPTURES / name}")
    path = tmp_path / "config"
    shutil.copy(CAPTURES / name, path)
    hosts = {"other", "a.b.example.com", "192.168.10.7", "Martell"}
    for line in path.read_text().splitlines():
        words = line.split()
        if words and words[0].lower() == "host":
            hosts |= {word.strip("!").replace("*", "x").replace("?", "y") for word in words[1:]}
    for host in sorted(hosts):
        same(path, host)


TABLE = {
    "first value wins": "Host h\n User a\nHost *\n User b\n Port 2\n",
    "negated pattern": "Host * !h\n User no\nHost *\n User yes\n",
    "only negated": "Host !x\n User no\n",
    "equals and quotes": 'Host=h\n User = "a"\n\tPORT=  22\nIdentityFile "/a b"\n',
    "comment behind": "Host h # x\n User a # b\n",
    "hash inside a word": "Host h\n User a#b\n",
    "escapes": "Host h\n IdentityFile /a\\ b\n CertificateFile '/c d'\n",
    "an open quote": 'Host h\n User "a\n',
    "one word too many": "Host h\n User a b\n",
    "no value": "Host h\n User\n",
    "a port that is none": "Host h\n Port 99999\n",
    "a port by name": "Host h\n Port ssh\n",
    "unknown option": "Host h\n NoSuchOption yes\n",
    "unknown option, ignored": "IgnoreUnknown NoSuch*,UseKeychain\nHost h\n NoSuchOption yes\n UseKeychain yes\n",
    "identity files add up": "Host h\n IdentityFile /a\n IdentityFile /b\n IdentityFile /a\nHost *\n IdentityFile /c\n",
    "identity file none": "Host h\n IdentityFile none\n",
    "proxy jump before command": "Host h\n ProxyJump a,b\n ProxyCommand nc %h %p\n",
    "proxy command before jump": "Host h\n ProxyCommand nc %h %p # x\n ProxyJump a\n",
    "proxy jump none": "Host h\n ProxyJump none\nHost *\n ProxyJump gate\n",
    "proxy command none": "Host h\n ProxyCommand none\nHost *\n ProxyJump gate\n",
    "hostname with token": "Host h\n HostName %h.example.com\n",
    "hostname again": "Host h\n HostName A.Example.COM\n HostName b\n",
    "match host": "Host h\n HostName x.example.com\nMatch host *.example.com\n User m\n",
    "match original host": "Host h\n HostName x\nMatch originalhost h\n User m\nMatch host h\n Port 3\n",
    "match user": "Host h\n User u\nMatch user u,v\n Port 3\nMatch !user u\n Port 4\n",
    "match several": "Match host h user nobody\n Port 3\nMatch host h !user nobody\n Port 4\n",
    "match exec": "Match exec true\n User t\nMatch exec false\n Port 3\nMatch exec \"test %h = h\"\n Port 4\n",
    "match not exec": "Match !exec false host h\n User t\n",
    "match all": "Match host x\n User n\nMatch all\n Port 7\n",
    "match all with more": "Match all host h\n User n\n",
    "match nothing": "Match\n User n\n",
    "match nonsense": "Match moon full\n User n\n",
    "match without a value": "Match host\n User n\n",
    "match final": "Host h\n HostName x.example.com\nMatch final host x.example.com\n User f\nHost x.*\n Port 3\n",
    "match final all": "Host x.*\n Port 3\nMatch final all\n User f\nHost h\n HostName x.y\n",
    "match canonical without": "Match canonical host h\n User c\n",
    "canonical, too many dots": "CanonicalizeHostname yes\nCanonicalDomains invalid\nHost h\n HostName a.b.c\n",
    "canonical, not found": "CanonicalizeHostname yes\nCanonicalDomains invalid\nMatch canonical\n User c\n",
    "canonical, not found, no fallback": "CanonicalizeHostname yes\nCanonicalDomains invalid\n"
    "CanonicalizeFallbackLocal no\n",
    "canonical, behind a jump host": "CanonicalizeHostname yes\nCanonicalDomains invalid\n"
    "CanonicalizeFallbackLocal no\nProxyJump gate\n",
    "canonical, an address": "CanonicalizeHostname yes\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\n"
    "Host h\n HostName 192.0.2.1\n",
    "ipv6 is written one way": "Host h\n HostName 2001:DB8:0:0::1\n",
    "aliases of keywords": "Host h\n ChallengeResponseAuthentication no\n PubkeyAcceptedKeyTypes +ssh-rsa\n",
    "yes and true": "Host h\n IdentitiesOnly TRUE\n BatchMode yes\n",
    "yes or no, neither": "Host h\n IdentitiesOnly perhaps\n",
    "several files": "Host h\n UserKnownHostsFile /a /b\nHost *\n UserKnownHostsFile /c\n",
    "capital name": "Host H\n User big\nHost h\n User small\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("host", ["h", "H"])
def test_the_table(text: str, host: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    same(tmp_path / "config", host)


def test_includes_in_their_order_and_inside_blocks(tmp_path: Path) -> None:
    for name, text in {
        "b.conf": "User b\n", "a.conf": "Port 3\nUser a\nHost x\n Port 9\n", "c.conf": "Host h\n Port 4\n",
        "final.conf": "Match final\n IdentityFile /final\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    for include in (
        f"Include {tmp_path}/*.conf\n",
        f"Include {tmp_path}/b.conf {tmp_path}/a.conf\nUser z\n",
        f"Host x\n Include {tmp_path}/a.conf\nUser z\nHost *\n Port 8\n",
        f"Host h\n Include {tmp_path}/c.conf\n User z\n",
        f"Match host nobody\n Include {tmp_path}/final.conf\nHost *\n HostName x\n",
        f"Include {tmp_path}/none-there.conf\nUser z\n",
    ):
        (tmp_path / "config").write_text(include)
        for host in ("h", "x"):
            same(tmp_path / "config", host)


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"Include {path}\n")
    same(path, "h")


def make(random_: random.Random) -> str:
    """A configuration of the words that decide most."""
    names = ["h", "H", "web1", "web1.example.com", "*.example.com", "web?", "!h", "*", "!*.com", "db"]
    values = {
        "User": ["a", "b", '"c"', "d # x"], "Port": ["22", "2222", "= 77"], "IdentityFile": ["/a", "~/b", "none"],
        "HostName": ["web1.example.com", "%h.example.com", "192.0.2.9", "DB"], "ProxyJump": ["gate", "none", "u@g:3,b"],
        "ProxyCommand": ["nc %h %p", "none"], "IdentitiesOnly": ["yes", "no"], "HostKeyAlias": ["alias"],
        "UserKnownHostsFile": ["/k /l", "~/k"], "AddressFamily": ["inet", "inet6", "any"], "HashKnownHosts": ["yes"],
        "CanonicalizeHostname": ["no", "yes"], "CanonicalizeMaxDots": ["0", "3"], "IdentityAgent": ["none", "/sock"],
    }  # fmt: skip
    conditions = [
        "all", "final", "final all", "canonical", "host web*", "!host web*", "originalhost h,web1", "user a",
        "host=*.example.com", "final host *.example.com", "exec true", "exec false", "!user a host *", "localuser x",
    ]  # fmt: skip
    lines: list[str] = []
    for _ in range(random_.randint(1, 7)):
        kind = random_.random()
        if kind < 0.5:
            lines.append(f"Host {' '.join(random_.sample(names, random_.randint(1, 3)))}")
        elif kind < 0.85:
            lines.append(f"Match {random_.choice(conditions)}")
        for _ in range(random_.randint(0, 3)):
            word = random_.choice(list(values))
            lines.append(f"  {word} {random_.choice(values[word])}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(6))
def test_made_at_random(seed: int, tmp_path: Path) -> None:
    random_ = random.Random(seed)
    path = tmp_path / "config"
    for _ in range(15):
        path.write_text(make(random_))
        for host in ("h", "web1", "web1.example.com"):
            same(path, host)
