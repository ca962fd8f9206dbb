"""The small languages inside ssh_config(5): patterns, %-tokens, ${VARIABLES}, networks."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

_SIOCGIFADDR = 0x8915


@lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(sign) or re.escape(sign) for sign in text), re.DOTALL)


def like(text: str, pattern: str) -> bool:
    """Hold a text against one pattern, where * and ? stand for any signs."""
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return _pattern(pattern).fullmatch(text) is not None


def like_list(text: str, patterns: str) -> bool:
    """Hold a text against patterns with commas between; one negated match is a no."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if like(text, pattern[1:]):
                return False
        elif like(text, pattern):
            found = True
    return found


def on_network(patterns: str) -> bool:
    """Whether an interface of this machine has an address in one of the networks."""
    networks = [ip_network(pattern, strict=False) for pattern in patterns.split(",")]
    return any(address in network for network in networks for address in _local_addresses())


def _local_addresses() -> Iterator[IPv4Address | IPv6Address]:
    """Yield the addresses of this machine's interfaces (netdevice(7), if_inet6 of proc(5))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # it has no IPv4 address
                continue
            yield IPv4Address(answer[20:24])
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        yield IPv6Address(bytes.fromhex(line.split()[0]))


_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")


def expand(text: str, tokens: dict[str, str]) -> str:
    """Put in the %-tokens; raises ValueError for one that has no meaning here."""

    def value(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        if found[1] not in tokens:
            raise ValueError(f"{text!r}: %{found[1]} has no meaning here")
        return tokens[found[1]]

    return _TOKEN.sub(value, text)


def expand_environment(text: str) -> str:
    """Put in ${VARIABLES}; raises ValueError for one that is not set."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ValueError(f"{text!r}: the variable {found[1]} is not set")
        return os.environ[found[1]]

    return _ENVIRONMENT.sub(value, text)


def patterns_of(pairs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the (name, target) pattern lists of CanonicalizePermittedCNAMEs."""
    for pair in pairs:
        name, colon, target = pair.partition(":")
        if colon:
            yield name.lower(), target.lower()
