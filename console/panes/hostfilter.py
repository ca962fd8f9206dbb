"""The filter of the fleet: words, ``!word``, ``state:offline``, ``tag:web``, ``cpu>80``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable

from core import models
from core.models import HostView

Predicate = Callable[[HostView], bool]

_COMPARE = re.compile(r"^(?P<name>[a-z]+)(?P<sign>>=|<=|>|<|=)(?P<value>-?\d+(?:\.\d+)?)(?P<unit>[kmgt%]?)$")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}
_UNITS = {"": 1, "%": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def disk_pct(view: HostView) -> float | None:
    """Return how full the fullest filesystem is, in percent."""
    if view.sample is None or view.sample.filesystems is None:
        return None
    known = [each.used_pct for each in view.sample.filesystems if each.used_pct is not None]
    return max(known, default=None)


def net_bps(view: HostView) -> tuple[float | None, float | None]:
    """Return received and sent bytes/s over all interfaces but the loopback."""
    if view.sample is None or view.sample.interfaces is None:
        return None, None
    cards = [each for each in view.sample.interfaces if each.interface != "lo"]
    return _total(each.rx_bps for each in cards), _total(each.tx_bps for each in cards)


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _net(view: HostView) -> float | None:
    return _total(net_bps(view))


def failed_units(view: HostView) -> int | None:
    """Return how many units have failed; None where that is not known."""
    found = view.findings.get("services")
    if found is None or not isinstance(found.finding.value, tuple):
        return None
    return sum(isinstance(one, models.ServiceFigures) and one.failed for one in found.finding.value)


def pending_updates(view: HostView) -> int | None:
    """Return how many packages wait to be updated; None where that is not known."""
    found = view.findings.get("updates")
    value = found.finding.value if found else None
    return value.pending if isinstance(value, models.UpdateFigures) else None


FIGURES: dict[str, Callable[[HostView], float | None]] = {
    "cpu": lambda view: view.sample.system.cpu_pct if view.sample else None,
    "mem": lambda view: view.sample.system.mem_pct if view.sample else None,
    "disk": disk_pct,
    "load": lambda view: view.sample.system.load1 if view.sample else None,
    "net": _net,
    "up": lambda view: view.sample.uptime_s if view.sample else None,
    "failed": failed_units,
    "updates": pending_updates,
    "fails": lambda view: float(view.failures),
}
TEXTS: dict[str, Callable[[HostView], Iterable[str]]] = {
    "state": lambda view: (view.state.value,),
    "reason": lambda view: (view.reason.value,),
    "tag": lambda view: view.host.tags,
    "group": lambda view: view.host.groups,
    "host": lambda view: (view.host.name,),
    "addr": lambda view: (view.host.target,),
}


def parse(text: str) -> tuple[Predicate, str]:
    """Return what keeps a host, and a remark on a term that is not understood (empty where all are)."""
    terms: list[Predicate] = []
    remark = ""
    for word in text.lower().split():
        wanted = not word.startswith("!")
        bare = word if wanted else word[1:]
        if not bare:
            continue
        test, note = _term(bare)
        remark = remark or note
        terms.append(test if wanted else _negated(test))
    return (lambda view: all(term(view) for term in terms)), remark


def _negated(test: Predicate) -> Predicate:
    return lambda view: not test(view)


def _term(word: str) -> tuple[Predicate, str]:
    if match := _COMPARE.match(word):
        name = match["name"]
        if figure := FIGURES.get(name):
            bound, sign = float(match["value"]) * _UNITS[match["unit"]], _SIGNS[match["sign"]]
            return (lambda view: (value := figure(view)) is not None and sign(value, bound)), ""
        return _plain(word), f"no figure {name}: {', '.join(FIGURES)}"
    name, colon, rest = word.partition(":")
    if colon and name.isalpha():
        if texts := TEXTS.get(name):
            return (lambda view: any(rest in value.lower() for value in texts(view))), ""
        return _plain(word), f"no field {name}: {', '.join(TEXTS)}"
    return _plain(word), ""


def _plain(word: str) -> Predicate:
    def test(view: HostView) -> bool:
        host = view.host
        return (
            word in host.name.lower()
            or word in view.state.value
            or word in host.address.lower()
            or any(word in tag.lower() for tag in host.tags)
            or any(word in group.lower() for group in host.groups)
        )

    return test
