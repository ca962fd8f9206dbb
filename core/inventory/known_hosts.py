"""Host names out of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT); the keys stay where they are."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from core.inventory.reading import FORGES, Reading
from core.models import Host

KEY_LINE = re.compile(r"(?:@\S+\s+)?(?P<names>\S+)\s+(?P<type>(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+)\s+(?P<key>AAAA\S+)")
_PLACE = re.compile(r"\[(?P<host>[^\[\]]+)\]:(?P<port>[0-9]{1,5})")


@dataclass(slots=True)
class _Entries:
    """What the lines name, put together: a host stands there once for each of its keys."""

    where: dict[tuple[str, int], str] = field(default_factory=dict)
    keys: dict[tuple[str, int], set[str]] = field(default_factory=dict)


def read_known_hosts(text: str, name: str) -> Reading:
    """Return the hosts that a known_hosts text names in plain; hashed names are counted and said."""
    reading, entries = Reading("known_hosts"), _Entries()
    hashed: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = KEY_LINE.match(line)
        if line.startswith("@"):
            marker = line.split(maxsplit=1)[0]
            why = {"@revoked": "a revoked key names no host", "@cert-authority": "an authority names no single host"}
            reading.skip(marker, where, why.get(marker, "is no marker that known_hosts has"))
        elif match is None:
            reading.skip(line.split()[0], where, "is no line of known_hosts: NAMES TYPE KEY")
        elif match["names"].startswith("|"):
            hashed.append(where)
        else:
            _line(match["names"], match["key"], where, entries, reading)
    if hashed:
        count = f"{len(hashed)} hashed line" + ("s" if len(hashed) > 1 else "")
        reading.skip(count, hashed[0], "names that are hashed (HashKnownHosts) cannot be read back: add them by name")
    _take(entries, reading)
    return reading


def _line(names: str, key: str, where: str, entries: _Entries, reading: Reading) -> None:
    """Note the first name of a line; the others are the same machine's, often its address."""
    places = []
    for word in names.split(","):
        if any(sign in word for sign in "*?!"):
            reading.skip(word, where, "is a pattern: add its hosts by name")
            continue
        match = _PLACE.fullmatch(word)
        places.append((match["host"], int(match["port"])) if match else (word, 22))
    place = next((place for place in places if not _is_address(place[0])), places[0] if places else None)
    if place is not None:
        entries.where.setdefault(place, where)
        entries.keys.setdefault(place, set()).add(key)


def _take(entries: _Entries, reading: Reading) -> None:
    owners: dict[tuple[str, int], tuple[str, int]] = {}  # key and port -> the named place
    for place in entries.where:
        if not _is_address(place[0]):
            for key in entries.keys[place]:
                owners.setdefault((key, place[1]), place)
    for place, where in entries.where.items():
        host, port = place
        same = {owners[key, port] for key in entries.keys[place] if (key, port) in owners}
        if host in FORGES:
            reading.skip(host, where, "is a code forge, which gives no shell")
        elif _is_address(host) and same:
            owner = min(same)
            reading.skip(host, where, f"has the key of {owner[0]} ({entries.where[owner]}): the same machine")
        else:
            _host(host, port, where, reading)


def _host(host: str, port: int, where: str, reading: Reading) -> None:
    if host in reading.found:  # the same name at a second port is another server
        reading.take(Host(name=f"{host}-{port}", address=host, port=port), where)
    else:
        reading.take(Host(name=host, port=None if port == 22 else port), where)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
