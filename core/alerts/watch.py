"""What the engine keeps of one host between two looks: rules by source, running tracks, forecasts, who went silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.alerts.figures import Source
from core.alerts.forecast import Filling

if TYPE_CHECKING:
    from core.alerts.rules import Rule, RuleSet
    from core.alerts.track import Track
    from core.models import FilesystemFigures, Host, HostFinding, HostSample, HostView

_SILENT_TIMES = 5.0  # longer than the longest wait between two answers so far
_SKEWED_KNOWN = 3  # hosts, before their clocks tell something of ours


@dataclass(slots=True)
class Watch:
    """One host, or with an empty name Jumpwatch itself."""

    name: str
    rules: dict[Source, list[Rule]] = field(default_factory=dict)
    host: Host | None = None
    view: HostView | None = None
    sample: HostSample | None = None
    filesystems: tuple[FilesystemFigures, ...] | None = None
    findings: Mapping[str, HostFinding] = field(default_factory=dict)
    tracks: dict[str, dict[str, Track]] = field(default_factory=dict)  # by rule, by item
    filling: dict[str, Filling] = field(default_factory=dict)  # by mount
    heard: dict[str, tuple[float, float]] = field(default_factory=dict)  # by collector: last answer, longest wait
    away: str | None = None  # why the host is not reached; None: it is
    maintenance: bool = False
    clock_off: float | None = None  # seconds that its clock is ahead of ours
    listened: float = 0.0

    def take_rules(self, rules: RuleSet, host: Host | None) -> list[tuple[Rule, Track]]:
        """Sort the host's rules by what they look at; return the tracks whose rule holds no more."""
        self.host = host
        self.rules = {source: [] for source in Source}
        known: dict[str, Rule] = {}
        for rule in rules.of(host):
            self.rules[rule.about.source].append(rule)
            known[rule.name] = rule
        dropped = []
        for name, tracks in list(self.tracks.items()):
            holding = known.get(name)
            for item, track in list(tracks.items()):
                if holding is None or not holding.wants(item):
                    dropped.append((track.rule, tracks.pop(item)))
                else:
                    track.rule = holding
        return dropped

    def begin_anew(self, now: float) -> None:
        """Nobody watched for a while: what is held was, and what has to last begins again."""
        for tracks in self.tracks.values():
            for track in tracks.values():
                track.begin_anew()
        for filling in self.filling.values():
            filling.jumped()
        self.heard = {kind: (now, longest) for kind, (_, longest) in self.heard.items()}

    def hear(self, kind: str, now: float) -> None:
        """A collector has answered."""
        last, longest = self.heard.get(kind, (now, 0.0))
        self.heard[kind] = (now, max(longest, now - last))

    def silent(self, now: float, kinds: Iterable[str]) -> list[tuple[str, float, str]]:
        """Return for each collector how long nothing is heard of it, 0 where that is as usual."""
        found = []
        for kind in kinds:
            last, longest = self.heard.get(kind, (now, 0.0))
            if longest:
                quiet = now - last
                found.append((kind, quiet if quiet > _SILENT_TIMES * longest else 0.0, ""))
        return found

    def fill(self, sample: HostSample) -> list[tuple[str, float | None, str]]:
        """Take how full the filesystems are; return for each the seconds until it is full."""
        at, found = sample.ts.timestamp(), []
        for each in sample.filesystems or ():
            used = each.used_pct
            if used is None or each.fstype == "squashfs":
                continue
            filling = self.filling.get(each.mount)
            if filling is None:
                filling = self.filling[each.mount] = Filling()
            filling.add(at, used / 100.0)
            left = None if filling.full_at is None else max(0.0, filling.full_at - at)
            found.append((each.mount, left, f"{used:.0f}% now"))
        return found


def clock_off(raw: float | None, own_jumps: float, others: float | None) -> float | None:
    """Return by how many seconds a host's clock is off, where neither a jump of ours nor our own error explains it.

    ``others``: what most hosts say of our clock.
    """
    if raw is None:
        return None
    told = [abs(raw), abs(raw + own_jumps)]
    if others is not None:
        told.append(abs(raw - others))
    return min(told)


def middle_clock(watches: Iterable[Watch]) -> float | None:
    """Return the median of how far the hosts' clocks are ahead of ours; None where too few tell."""
    known = sorted(watch.clock_off for watch in watches if watch.clock_off is not None)
    return known[len(known) // 2] if len(known) >= _SKEWED_KNOWN else None
