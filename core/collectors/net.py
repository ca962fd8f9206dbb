"""/proc/net/dev (proc(5)): which interfaces count, and their counters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.collectors.rates import deltas
from core.collectors.text import name_of, unreadable
from core.models import InterfaceFigures
from core.models.making import maker

_make = maker(InterfaceFigures)
_N = rb"(\d{1,20}) +"
_SKIP = rb"\d{1,20} +"
_LINE = re.compile(
    rb"^ *(\S+): *" + _N + _N + _N + _N + _SKIP * 4 + _N + _N + _N + rb"(\d{1,20})(?: +\d{1,20}){4} *$",
    re.MULTILINE,
)
WIDTH = 8  # counters of an interface
_HEADER_LINES = 2
# The host's own end of a container's cable, and what the kernel makes by itself for each tunnel type.
_HIDDEN = re.compile(
    r"lo$|veth|cali|lxc[0-9a-f]|vnet\d|ifb\d|dummy\d|(?:sit|gre|gretap|erspan|tunl|ip6tnl|ip6gre|ip_vti|ip6_vti)0$"
)
_VIRTUAL = re.compile(
    r"docker|br-|br\d|virbr|tap|tun|wg|flannel|cni|vxlan|podman|ppp|kube|nodelocaldns|zt|tailscale|macvtap"
)

Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
Counters = tuple[int, int, int, int, int, int, int, int]
"""Received bytes, packets, errors, drops, then the same of sent; since the interface came up."""


def net_rows(text: bytes) -> list[Row]:
    """Return the raw fields of every interface, in the file's order; raise DataCollectionError on a foreign line."""
    rows: list[Row] = _LINE.findall(text)
    headers = _HEADER_LINES if b"|" in text else 0  # the loop sends none
    if len(rows) + headers != text.count(b"\n") + (not text.endswith(b"\n")):
        lines = [line for line in text.splitlines() if line.strip() and b"|" not in line]
        if len(rows) != len(lines) or not text.strip():
            raise unreadable("netdev", text)
    return rows


def net_counters(row: Row) -> Counters:
    """Return the numbers of one row."""
    _, a, b, c, d, e, f, g, h = row
    return int(a), int(b), int(c), int(d), int(e), int(f), int(g), int(h)


def parse_netdev(text: bytes) -> dict[str, Counters]:
    """Return the counters of every interface by name; raise DataCollectionError on a foreign line."""
    return {name_of(row[0]): net_counters(row) for row in net_rows(text)}


def shown_interfaces(names: Sequence[str]) -> tuple[str, ...]:
    """Return the interfaces to show, physical ones first: no loopback, no host end of a container's cable."""
    kept = [name for name in names if not _HIDDEN.match(name)]
    return tuple(sorted(kept, key=lambda name: _VIRTUAL.match(name) is not None))


def interface_figures(name: str, before: Counters | None, now: Counters, seconds: float | None) -> InterfaceFigures:
    """Return the rates over the interval; all None where they cannot be known."""
    grown = deltas(before, now) if before is not None and seconds else None
    if grown is None or not seconds:
        return InterfaceFigures(name)
    rx, rx_packets, rx_errors, rx_drops, tx, tx_packets, tx_errors, tx_drops = grown
    return _make(
        name,
        rx / seconds,
        tx / seconds,
        rx_packets / seconds,
        tx_packets / seconds,
        (rx_errors + tx_errors) / seconds,
        (rx_drops + tx_drops) / seconds,
    )
