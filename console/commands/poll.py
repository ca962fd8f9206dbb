"""jumpwatch poll --once: one look at each host, without a screen or a database."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.commands.output import plain, print_json, print_table
from console.commands.setup import chosen_hosts, command_settings, run
from console.formatting import number, percent, rate
from core.exceptions import ValidationError
from core.models import HostState

if TYPE_CHECKING:
    from core.models import HostView

_AWAY = (HostState.OFFLINE, HostState.UNKNOWN)


def poll(args: argparse.Namespace) -> int:
    """Poll the hosts once; exit 3 where none could be reached."""
    if not args.once:
        raise ValidationError("poll needs --once; `jumpwatch` alone polls for as long as it runs")
    settings = command_settings(args)
    hosts = chosen_hosts(settings, args.names, args.group)
    if args.names:  # who names a host wants to know, in maintenance or not
        hosts = [replace(host, maintenance=False, maintenance_until=None) for host in hosts]
    from console import composition

    views = run(composition.poll_once(settings, hosts))
    if args.json:
        for view in views:
            print_json(as_object(view), indent=None)
    else:
        print_table(
            ("HOST", "STATE", "CPU", "MEM", "DISK", "LOAD", "RX", "TX", "DETAIL"),
            [_row(view) for view in views],
            right=frozenset({2, 3, 4, 5, 6, 7}),
        )
    return 3 if all(view.state in _AWAY for view in views) else 0


def as_object(view: HostView) -> dict[str, Any]:
    """Return all figures of a host as a JSON object; unknown ones are null, sections say why."""
    sample = view.sample
    top: dict[str, Any] = {
        "host": view.host.name,
        "state": view.state,
        "reason": view.reason,
        "detail": view.detail,
    }
    if sample is not None:
        top |= plain(sample)
        top["system"]["mem_pct"] = sample.system.mem_pct
        for table, filesystem in zip(top["filesystems"] or (), sample.filesystems or (), strict=True):
            table["used_pct"] = filesystem.used_pct
    return top


def _row(view: HostView) -> tuple[str, ...]:
    sample = view.sample
    if sample is None:
        return (
            view.host.name,
            view.state.value,
            *(["–"] * 6),
            f"{view.reason.value}: {view.detail}".removeprefix(": "),
        )
    disks = [used for one in sample.filesystems or () if (used := one.used_pct) is not None]
    received = [one.rx_bps for one in sample.interfaces or () if one.rx_bps is not None]
    sent = [one.tx_bps for one in sample.interfaces or () if one.tx_bps is not None]
    return (
        view.host.name,
        view.state.value,
        percent(sample.system.cpu_pct),
        percent(sample.system.mem_pct),
        percent(max(disks, default=None)),
        number(sample.system.load1),
        rate(sum(received) if received else None),
        rate(sum(sent) if sent else None),
        view.detail,
    )
