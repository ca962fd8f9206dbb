"""Sockets that listen: ss(8), or /proc/net/{tcp,udp}{,6} where there is no ss."""

from __future__ import annotations

import ipaddress
import re

from core.collectors.collector import Collector
from core.collectors.output import Section, absent, broken, lines_of, refused, script, sections, whole
from core.collectors.text import clean
from core.models import Finding, PortFigures, SectionStatus
from core.ports import CommandResult

KIND = "ports"
_FILES = ("tcp", "tcp6", "udp", "udp6")
_SCRIPT = (
    "if command -v ss >/dev/null 2>&1; then echo @jw ss; $1 ss -lntup; "
    f"else for f in {' '.join(_FILES)}; do [ -r /proc/net/$f ] || continue; "
    "echo @jw net $f $(uname -m 2>/dev/null); "
    "while IFS= read -r l; do printf '%s\\n' \"$l\"; done </proc/net/$f; done; fi; echo @jw end"
)
_SS = re.compile(
    r"(?:(?P<net>\S+) +)?(?:LISTEN|UNCONN) +\d+ +\d+ +(?P<address>\S*):(?P<port>\d{1,5}) +\S+:\*(?: +(?P<rest>\S.*))? *"
)
_HEAD = re.compile(r"(?:Netid +)?State +Recv-Q +Send-Q +Local Address ?:Port\b.*")
_USER = re.compile(r'users:\(\("((?:[^"\\]|\\.){0,64})",(?:pid=)?(\d{1,10})[,)]')
# sl, local address, remote address, state (0A listens; 07 is an unconnected UDP socket); all in hex.
_PROC = re.compile(r" *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) .*")
_BIG_ENDIAN = frozenset(("s390", "s390x", "ppc", "ppc64", "mips", "mips64", "sparc64", "armeb"))


def parse(result: CommandResult) -> Finding:
    """Read the sockets; raise DataCollectionError where the output is something else."""
    gone = refused(KIND, result, "ss")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    if not parts:
        return absent(KIND, "neither ss nor /proc/net/tcp is there: install iproute2")
    found: dict[PortFigures, None] = {}  # a socket shared by several processes comes once for each
    for part in parts:
        rows = parse_ss(part.text) if part.name == "ss" else _proc(part)
        found.update(dict.fromkeys(rows))
    kept = sorted(found, key=lambda one: (one.protocol, one.port, one.address, one.pid or 0))
    return Finding(KIND, SectionStatus.OK, tuple(kept))


def parse_ss(text: str) -> list[PortFigures]:
    """Read ss's table of listening sockets, in its order; raise DataCollectionError where it is none."""
    lines = lines_of(KIND, text)
    if not lines or _HEAD.fullmatch(lines[0]) is None:
        raise broken(KIND, "\n".join(lines[:2]))
    rows = []
    for line in lines[1:]:
        found = _SS.fullmatch(line)
        if found is None:
            if line.split(None, 1)[0] in ("tcp", "udp"):
                raise broken(KIND, line)
            if re.match(r"[a-z]\S* +[A-Z]", line) is None:
                raise broken(KIND, line)
            continue  # another family of sockets
        if found["net"] not in ("tcp", "udp"):
            continue
        user = _USER.search(found["rest"] or "")
        if user is None and "users:" in (found["rest"] or ""):
            raise broken(KIND, line)
        address, interface = _address(found["address"])
        rows.append(
            PortFigures(
                found["net"],
                address,
                whole(KIND, found["port"], 65535),
                interface,
                clean(user[1]) if user else None,
                whole(KIND, user[2]) if user else None,
            )
        )
    return rows


def _address(text: str) -> tuple[str, str | None]:
    """Return the address without brackets, and the interface after its ``%``; ``*`` is every address."""
    bare, _, interface = text.replace("[", "").replace("]", "").partition("%")
    if bare not in ("*", ""):
        try:
            bare = _shown(ipaddress.ip_address(bare))
        except ValueError:
            raise broken(KIND, text) from None
    return bare or "*", clean(interface) or None


def _shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"::ffff:{mapped}" if mapped else str(address)


def _proc(part: Section) -> list[PortFigures]:
    if part.name != "net" or len(part.words) not in (1, 2) or part.words[0] not in _FILES or not part.lines:
        raise broken(KIND, part.text)
    protocol, order = part.words[0][:3], "big" if part.words[-1] in _BIG_ENDIAN else "little"
    rows = []
    for line in part.lines[1:]:
        found = _PROC.fullmatch(line)
        if found is None:
            raise broken(KIND, line)
        if found[4] != ("0A" if protocol == "tcp" else "07"):
            continue
        raw = bytes.fromhex(found[1])
        if order == "little":  # each 32-bit word stands in the host's own order
            raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
        rows.append(PortFigures(protocol, _shown(ipaddress.ip_address(raw)), int(found[2], 16)))
    return rows


PORTS = Collector(KIND, script(_SCRIPT), parse, interval_s=300.0, wants_root=True)
