"""Which slow collectors run where, from settings and inventory; what is odd is said once and stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.collectors.catalog import COLLECTORS
from core.collectors.collector import Collector
from core.config import ApplicationSettings, MonitoringSettings
from core.live_state import LiveState
from core.models import Host
from core.polling.inspector import Inspection
from core.polling.pace import Pace
from core.ports import Clock

OFF = "off"
_SOON_S = 3.0
Say = Callable[[str], None]


class Choice:
    """The collectors of each host: those that the host names, else those of the settings, else all."""

    def __init__(self, known: Mapping[str, Collector], monitoring: MonitoringSettings, say: Say) -> None:
        self._say, self._told = say, set[str]()
        intervals = dict(word.split("=", 1) for word in monitoring.collector_intervals)
        self._known = {
            name: replace(one, interval_s=float(intervals[name])) if name in intervals else one
            for name, one in known.items()
        }
        self._standard = self._named(monitoring.collectors, "JUMPWATCH_MONITORING_COLLECTORS") or tuple(known)
        if OFF in monitoring.collectors:
            self._standard = ()
        self._check(intervals, "JUMPWATCH_MONITORING_COLLECTOR_INTERVALS")

    def __call__(self, host: Host) -> Sequence[Collector]:
        """Return the collectors that run on the host."""
        names = self._standard
        if host.collectors is not None:
            names = self._named(host.collectors, f"collectors of {host.name}")
        self._check([name for name in host.sudo if name != "all"], f"sudo of {host.name}")
        return tuple(self._known[name] for name in names)

    def _named(self, names: Sequence[str], where: str) -> tuple[str, ...]:
        self._check([name for name in names if name != OFF], where)
        return tuple(dict.fromkeys(name for name in names if name in self._known))

    def _check(self, names: Sequence[str] | Mapping[str, str], where: str) -> None:
        unknown = [name for name in names if name not in self._known]
        if unknown and where not in self._told:
            self._told.add(where)
            self._say(f"{where}: no collector is called {', '.join(unknown)} (there are {', '.join(self._known)})")


def make_inspection(settings: ApplicationSettings, live: LiveState, clock: Clock, say: Say) -> Inspection:
    """Return what the inspectors share, as the settings say."""
    monitoring = settings.monitoring
    choice = Choice(COLLECTORS, monitoring, say)
    pace = Pace(clock, per_s=monitoring.commands_per_s, at_once=monitoring.commands_at_once)

    def spread() -> float:
        """As long as the first commands of all hosts take at that pace."""
        return max(_SOON_S, live.host_count * len(COLLECTORS) / monitoring.commands_per_s)

    return Inspection(choice, pace, spread)
