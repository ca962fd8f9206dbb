"""What the plain console says: whole sentences or one line a thing, no drawing, no columns. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from console.formatting import age, clean, count, long_bytes, moment, percent, rate, ratio, seconds_between, span
from console.panes.hostfilter import disk_pct, failed_units, net_bps, pending_updates
from console.widgets.severity import STATE_RANK
from core.models import HostState

if TYPE_CHECKING:
    from core.models import FleetView, HostView

UNKNOWN = "not known"


def summary(view: FleetView, *, read_only: bool, utc: bool) -> list[str]:
    """Return how all stands, in a few sentences."""
    counts = Counter(each.state for each in view.hosts)
    states = ", ".join(f"{counts[state]} {state.value}" for state in sorted(counts, key=lambda s: STATE_RANK[s]))
    database = view.database
    lines = [
        f"{moment(view.at, utc)} {'UTC' if utc else 'local time'}. {count(len(view.hosts))} hosts: {states or 'none'}.",
        f"Database: {database.state.value}{': ' + clean(database.detail) if database.detail else ''}. "
        f"This console is {view.role.value}, {'read-only' if read_only else 'in write mode'}.",
    ]
    changed = sum(review.changed for review in view.reviews)
    if changed:
        lines.append(f"{changed} host keys CHANGED: jumpwatch hosts check.")
    if len(view.reviews) > changed:
        lines.append(f"{len(view.reviews) - changed} new host keys wait for review: jumpwatch hosts check.")
    if view.secrets:
        lines.append(f"{len(view.secrets)} logins ask for a passphrase, password or code: jumpwatch hosts check.")
    return lines + [f"Note: {clean(notice)}" for notice in view.notices]


def host_line(view: HostView, now: datetime) -> str:
    """Return one host in one line, what is wrong first."""
    parts = [f"{clean(view.host.name)}: {view.state.value}"]
    reason = ": ".join(part for part in (view.reason.value, clean(view.detail)) if part)
    if reason:
        parts.append(reason)
    if view.sample is not None:
        seconds = seconds_between(now, view.sample.ts)
        if view.state in (HostState.ONLINE, HostState.DEGRADED):
            system = view.sample.system
            parts.append(
                f"CPU {_known(percent(system.cpu_pct))}, memory {_known(percent(system.mem_pct))}, "
                f"fullest disk {_known(percent(disk_pct(view)))}"
            )
        if failed := failed_units(view):
            parts.append(f"{failed} failed units")
        parts.append(f"data {age(seconds)} old")
    return "; ".join(parts)


def fleet(hosts: Iterable[HostView], now: datetime) -> list[str]:
    """Return the hosts, worst first."""
    ordered = sorted(hosts, key=lambda each: (STATE_RANK[each.state], each.host.name))
    return [host_line(each, now) for each in ordered] or ["No host."]


def host(view: HostView, now: datetime, utc: bool) -> list[str]:
    """Return one host in full, one line a figure."""
    lines = [host_line(view, now)]
    place = f"{clean(view.host.user)}@" if view.host.user else ""
    lines.append(f"Address: {place}{clean(view.host.address)}")
    sample = view.sample
    if sample is None:
        return [*lines, "No sample has come yet."]
    system = sample.system
    received, sent = net_bps(view)
    lines += [
        f"Last sample: {moment(sample.ts, utc)}",
        f"Up for: {_known(span(sample.uptime_s))}",
        f"CPU: {_known(percent(system.cpu_pct))}",
        f"Load: {UNKNOWN if system.load1 is None else f'{system.load1:.2f}'}",
        f"Memory: {_known(percent(system.mem_pct))}",
        f"Network: receives {_known(rate(received))}, sends {_known(rate(sent))}",
    ]
    for each in sample.filesystems or ():
        lines.append(f"File system {clean(each.mount)}: {_known(percent(each.used_pct))} used")
    units, updates = failed_units(view), pending_updates(view)
    lines.append(f"Failed units: {UNKNOWN if units is None else units}")
    lines.append(f"Updates that wait: {UNKNOWN if updates is None else updates}")
    for kind, found in sorted(view.findings.items()):
        finding = found.finding
        if finding.severity != "info" or finding.detail:
            lines.append(f"{clean(kind)}: {finding.status.value}, {finding.severity}. {clean(finding.detail)}".rstrip())
    return lines


def database(view: FleetView) -> list[str]:
    """Return what is known of the database."""
    found = view.database
    lines = [f"Database: {found.state.value}. {clean(found.detail)}".rstrip(". ") + "."]
    for table in found.hypertables:
        lines.append(
            f"{clean(table.name)}: {count(table.chunks)} chunks, {long_bytes(table.total_bytes)}, "
            f"compression {_known(ratio(table.ratio))}"
        )
    for check in found.health:
        verdict = UNKNOWN if check.ok is None else "ok" if check.ok else "NOT OK"
        lines.append(f"{clean(check.name)}: {verdict}. {clean(check.text)}")
    return lines


def events(view: FleetView, utc: bool, most: int = 20) -> list[str]:
    """Return the newest events, newest last."""
    return [
        f"{moment(each.ts, utc, '%H:%M:%S')} {each.severity}: {clean(each.source)}: {clean(each.text)}"
        for each in view.events[-most:]
    ] or ["No event yet."]


def news(before: Mapping[str, HostState], hosts: Iterable[HostView], now: datetime, utc: bool) -> list[str]:
    """Return a line for each host whose state is another one than before; a first look is no news."""
    stamp = moment(now, utc, "%H:%M:%S")
    return [
        f"{stamp} {host_line(each, now)}; was {before[each.host.name].value}"
        for each in hosts
        if each.host.name in before and before[each.host.name] is not each.state
    ]


def _known(text: str) -> str:
    return UNKNOWN if text in ("–", "–/s") else text
