"""Which slow collectors run where, from settings, inventory and plugins; what is odd is said once and stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.collectors.catalog import COLLECTORS, check, proxies_of, services_of
from core.collectors.collector import Collector
from core.exceptions import ConfigurationError, ValidationError
from core.inventory.checks import Check, load_checks
from core.plugins import load_plugins
from core.polling.inspector import Inspection
from core.polling.pace import Pace

if TYPE_CHECKING:
    from core.config import ApplicationSettings, MonitoringSettings, SWAGSettings
    from core.live_state import LiveState
    from core.models import Host
    from core.ports import Clock

OFF, ALL, PROXIES = "off", "all", "proxies"
_SUDO_WORDS = frozenset({ALL, "actions", "logs"})  # in a host's sudo list, beside the names of collectors
_SOON_S = 3.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user added: collectors of plugins, checks, and what is wrong with them."""

    collectors: Mapping[str, Collector] = field(default_factory=dict)
    checks: tuple[tuple[Check, Collector], ...] = ()
    faults: tuple[str, ...] = ()


def load_extras(settings: ApplicationSettings) -> Extras:
    """Load plugins and checks.toml; blocks, and runs the plugins' code."""
    folder, file = _places(settings)
    plugins = load_plugins(folder)
    faults, checks = list(plugins.faults), list[tuple[Check, Collector]]()
    try:
        for one in load_checks(file):
            argv = ("sudo", "-n", *one.argv) if one.sudo else one.argv
            try:
                made = check(one.name, argv, interval_s=one.interval_s, timeout_s=one.timeout_s)
                checks.append((one, made))
            except ValidationError as exc:
                faults.append(exc.message)
    except ConfigurationError as exc:
        faults.append(f"{exc.message}; no check runs")
    return Extras(plugins.collectors, tuple(checks), tuple(faults))


def _places(settings: ApplicationSettings) -> tuple[Path, Path]:
    return settings.config_dir / "collectors", settings.inventory_file.with_name("checks.toml")


def _stamp(settings: ApplicationSettings) -> tuple[object, ...]:
    """What tells one state of the files from the next; those that cannot be read have none."""
    folder, file = _places(settings)
    found = []
    for path in (file, *sorted(folder.glob("*.py"))):
        with suppress(OSError):
            stat = path.stat()
            found.append((path, stat.st_mtime_ns, stat.st_size, stat.st_mode, stat.st_uid))
    return tuple(found)


async def changed_extras(settings: ApplicationSettings, every_s: float) -> AsyncIterator[Extras]:
    """Yield plugins and checks each time that one of their files has changed; runs the plugins' code in a thread."""
    seen = await asyncio.to_thread(_stamp, settings)
    while True:
        await asyncio.sleep(every_s)
        if (stamp := await asyncio.to_thread(_stamp, settings)) != seen:
            seen = stamp
            yield await asyncio.to_thread(load_extras, settings)


class Choice:
    """The collectors of each host: those that the host names, else those of the settings, else all; and its checks."""

    def __init__(
        self, extras: Extras, monitoring: MonitoringSettings, say: Say, swag: SWAGSettings | None = None
    ) -> None:
        self._say, self._monitoring, self._swag = say, monitoring, swag
        self.renew(extras)

    def renew(self, extras: Extras) -> None:
        """Take what the user added, as it is now, and say what is wrong with it."""
        monitoring, swag = self._monitoring, self._swag
        self._told = set[str]()
        for fault in extras.faults:
            self._say(fault)
        intervals = dict(word.split("=", 1) for word in monitoring.collector_intervals)
        known = {**COLLECTORS, **({} if swag is None else _proxies(swag)), **extras.collectors}
        self._proxy_host = swag.host if swag else None
        self._known = {
            name: replace(one, interval_s=float(intervals[name])) if name in intervals else one
            for name, one in known.items()
        }
        self._checks = extras.checks
        self._standard = self._named(monitoring.collectors, "JUMPWATCH_MONITORING_COLLECTORS")
        if not monitoring.collectors:
            self._standard = tuple(known)
        self._unknown(intervals, "JUMPWATCH_MONITORING_COLLECTOR_INTERVALS")

    def __len__(self) -> int:
        return len(self._known) + len(self._checks)

    def __call__(self, host: Host) -> Sequence[Collector]:
        """Return the collectors that run on the host."""
        names = self._standard
        if self._proxy_host not in (None, host.name):
            names = tuple(name for name in names if name != PROXIES)
        if host.collectors is not None:
            names = self._named(host.collectors, f"collectors of {host.name}")
        self._unknown([name for name in host.sudo if name not in _SUDO_WORDS], f"sudo of {host.name}")
        chosen = {name: self._known[name] for name in names}
        if host.services and (base := chosen.get("services")):
            try:
                chosen["services"] = replace(services_of(host.services), interval_s=base.interval_s)
            except ValidationError as exc:
                self._once(f"services of {host.name}", exc.message)
        return (*chosen.values(), *(made for one, made in self._checks if one.runs_on(host)))

    def _named(self, names: Sequence[str], where: str) -> tuple[str, ...]:
        if OFF in names:
            return ()
        self._unknown(names, where)
        return tuple(dict.fromkeys(name for name in names if name in self._known))

    def _unknown(self, names: Sequence[str] | Mapping[str, str], where: str) -> None:
        if unknown := [name for name in names if name not in self._known]:
            self._once(where, f"no collector is called {', '.join(unknown)} (there are {', '.join(self._known)})")

    def _once(self, where: str, text: str) -> None:
        if where not in self._told:
            self._told.add(where)
            self._say(f"{where}: {text}")


def _proxies(swag: SWAGSettings) -> dict[str, Collector]:
    return {PROXIES: replace(proxies_of(swag.config_dir, swag.expiry_warning), interval_s=swag.interval_s)}


def make_inspection(choice: Choice, monitoring: MonitoringSettings, live: LiveState, clock: Clock) -> Inspection:
    """Return what the inspectors share, as the settings say."""
    pace = Pace(clock, per_s=monitoring.commands_per_s, at_once=monitoring.commands_at_once)

    def spread() -> float:
        """As long as the first commands of all hosts take at that pace."""
        return max(_SOON_S, live.host_count * len(choice) / monitoring.commands_per_s)

    return Inspection(choice, pace, spread)
