"""The engine: looks at each new view, and only at the hosts that changed in it; raises and resolves by the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from core.alerts import program
from core.alerts.book import AlertBook, Step
from core.alerts.defaults import HOSTS_AWAY
from core.alerts.figures import Source
from core.alerts.forecast import Filling
from core.alerts.judge import Judge
from core.alerts.track import Track
from core.alerts.watch import Watch, clock_off, middle_clock
from core.alerts.watched import WatchedTime
from core.models import Alert, FleetView, HostState, HostView, Reason, SectionStatus
from core.models.alerts import alert_key

if TYPE_CHECKING:
    from core.alerts.rules import Rule, RuleSet
    from core.ports import Clock

_GAP_TIMES, _GAP_LEAST_S = 4.0, 60.0  # between two frames; more, and what lasted has not been seen to last
_AT_ONCE = 50  # hosts, some milliseconds
_LISTEN_S = 30.0
_CLOCKS_S = 10.0
_UP = (HostState.ONLINE, HostState.DEGRADED)


class AlertEngine:
    """Pure over the clock that it is given; ``look`` is called once a second or so, from one task."""

    def __init__(self, rules: RuleSet, clock: Clock, *, interval_s: float = 10.0) -> None:
        self._rules, self._clock, self._interval_s = rules, clock, interval_s
        self._time = WatchedTime()
        self._steps: list[Step] = []
        self.book = AlertBook(self._steps.append)
        self._watches: dict[str, Watch] = {}
        self._program = Watch("")
        self._program.take_rules(rules, None)
        self._judge = Judge(self.book, self._time, clock)
        self._others_clock: float | None = None
        self._clocks_due = 0.0

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What stands, worst first, and what was over lately."""
        return self.book.all(self._clock.now())

    def restore(self, alerts: Sequence[Alert]) -> None:
        """Take the alerts that were stored: what stands stays acknowledged, and is not raised again."""
        self.book.restore(alerts, self._clock.now())
        for watch in (*self._watches.values(), self._program):
            for tracks in watch.tracks.values():
                for track in tracks.values():
                    track.open = None
        by_name = {rule.name: rule for rule in self._rules.every()}
        for alert in list(self.book.open.values()):
            watch = self._watch(alert.host)
            rule = by_name.get(alert.rule)
            if rule is not None:
                tracks = watch.tracks.setdefault(rule.name, {})
                track = tracks.setdefault(alert.item, Track(rule, alert.item, last=self._time.now))
                track.open = alert.severity
            else:
                self.book.resolve(alert.key, self._clock.now(), "there is no such rule any more")
            watch.host = None  # its rules are taken anew with the next view
        self._program.take_rules(self._rules, None)

    def set_rules(self, rules: RuleSet) -> None:
        """Take other rules; what stands by a rule that is gone is resolved."""
        self._rules = rules
        for watch in self._watches.values():
            watch.host = None
            watch.view = None
        self._drop(self._program, self._program.take_rules(rules, None))

    def seed(self, host: str, mount: str, points: Sequence[tuple[float, float]]) -> None:
        """Take how full a filesystem was: (epoch seconds, share used), oldest first."""
        self._watch(host).filling.setdefault(mount, Filling()).seed(points)

    def steps(self) -> list[Step]:
        """Return what happened since the last call, by looking or by hand."""
        taken = list(self._steps)
        self._steps.clear()
        return taken

    def look(self, view: FleetView, *, paused: bool = False) -> None:
        """Look at a view; ``paused``: nobody polls, so nothing can be said."""
        for _ in self.looking(view, paused=paused):
            pass

    def looking(self, view: FleetView, *, paused: bool = False) -> Iterator[None]:
        """Look at a view, and leave off after each few hosts for whoever must not wait for all of them."""
        wall = self._clock.now()
        if self._time.tick(self._clock.monotonic(), wall, paused=paused):
            for watch in (*self._watches.values(), self._program):
                watch.begin_anew(self._time.now)
        if paused:
            return
        for place, each in enumerate(view.hosts, 1):
            if not place % _AT_ONCE:
                yield
            watch = self._watches.get(each.host.name) or self._watch(each.host.name)
            if watch.view is not each:
                self._read(watch, each)
            elif watch.away is not None:  # it brings nothing that could change it
                self._away(watch)
        if view.hosts and len(self._watches) > len(view.hosts):
            self._forget({each.host.name for each in view.hosts})
        if self._time.now >= self._clocks_due:
            self._clocks_due = self._time.now + _CLOCKS_S
            self._others_clock = middle_clock(self._watches.values())
        self._look_at_ourselves(view)
        self.book.run_out(wall)

    # One host.
    def _watch(self, name: str) -> Watch:
        if not name:
            return self._program
        return self._watches.setdefault(name, Watch(name))

    def _read(self, watch: Watch, view: HostView) -> None:
        watch.view = view
        if view.host != watch.host:
            self._drop(watch, watch.take_rules(self._rules, view.host))
        maintenance = view.host.maintenance or view.state is HostState.MAINTENANCE
        if maintenance or watch.maintenance:
            self._maintain(watch, maintenance)
            if maintenance:
                return
        gone = view.state is HostState.OFFLINE and view.reason is not Reason.KEY_UNKNOWN  # that one waits for a person
        watch.away = (view.detail or view.reason.value) if gone else None
        if gone or view.state in _UP:
            self._away(watch)
        if view.state not in _UP:
            return
        sample = view.sample
        if sample is not None and sample is not watch.sample:
            fresh = watch.sample is not None or self._is_fresh(view)
            watch.sample = sample
            if fresh:
                self._read_sample(watch, view)
        if view.findings is not watch.findings:
            self._read_findings(watch, view)

    def _is_fresh(self, view: HostView) -> bool:
        """The first one may come from the database, or from before a restart."""
        assert view.sample is not None
        age = (self._clock.now() - view.sample.ts).total_seconds()
        return age <= self._gap_s(view)

    def _gap_s(self, view: HostView) -> float:
        return max(_GAP_LEAST_S, _GAP_TIMES * (view.host.interval_s or self._interval_s))

    def _read_sample(self, watch: Watch, view: HostView) -> None:
        sample = view.sample
        assert sample is not None
        gap_s = self._gap_s(view)
        watch.clock_off = (sample.host_clock - sample.ts).total_seconds() if sample.host_clock else None
        for rule in watch.rules[Source.SAMPLE]:
            if rule.figure == "clock.off_s":
                off = clock_off(watch.clock_off, self._time.jumped_s, self._others_clock)
                self._judge.step(watch, rule, "", off, "", gap_s)
            elif rule.figure == "collector.silent":
                self._listen(watch, rule, view)
            else:
                for item, value, note in rule.about.read(sample):
                    self._judge.step(watch, rule, item, value, note, gap_s)
        if sample.filesystems is not None and sample.filesystems is not watch.filesystems:
            watch.filesystems = sample.filesystems
            forecasts = watch.fill(sample)
            for rule in watch.rules[Source.FILESYSTEMS]:
                full_in = rule.figure == "disk.full_in"
                readings = forecasts if full_in else rule.about.read(sample.filesystems)
                self._judge.step_all(watch, rule, readings, max(gap_s, 120.0))

    def _listen(self, watch: Watch, rule: Rule, view: HostView) -> None:
        now = self._time.now
        if now - watch.listened >= _LISTEN_S:
            watch.listened = now
            self._judge.step_all(watch, rule, watch.silent(now, view.findings), 4 * _LISTEN_S)

    def _read_findings(self, watch: Watch, view: HostView) -> None:
        before, watch.findings = watch.findings, view.findings
        for kind, found in view.findings.items():
            if found is before.get(kind):
                continue
            watch.hear(kind, self._time.now)
            if found.finding.value is None and found.finding.status is not SectionStatus.ABSENT:
                continue  # nobody knows: what stands, stands
            base = kind.partition(":")[0]
            for rule in watch.rules[Source.FINDINGS]:
                figure = rule.about
                if figure.kind == base == "check":
                    for item, value, note in figure.read(found.finding.value):  # each check is a finding of its own
                        if rule.wants(item):
                            self._judge.step(watch, rule, item, value, note, float("inf"))
                elif figure.kind == base:
                    self._judge.step_all(watch, rule, figure.read(found.finding.value), float("inf"))
                elif figure.kind == "*" and (readings := list(figure.read(found))):
                    self._judge.step_all(watch, rule, readings, float("inf"))
        for rule in watch.rules[Source.FINDINGS]:
            if not rule.about.kind:
                self._judge.step_all(watch, rule, rule.about.read(view), float("inf"))

    def _away(self, watch: Watch) -> None:
        view = watch.view
        assert view is not None
        for rule in watch.rules[Source.HOST]:
            if rule.figure == "host.key_changed":
                value = float(watch.away is not None and view.reason is Reason.KEY_CHANGED)
            else:
                value = float(watch.away is not None and view.reason is not Reason.KEY_CHANGED)
            self._judge.step(watch, rule, "", value, watch.away or "", float("inf"))

    def _maintain(self, watch: Watch, maintenance: bool) -> None:
        if maintenance is not watch.maintenance:
            watch.maintenance = maintenance
            watch.away = None
            watch.begin_anew(self._time.now)
            self._judge.hide(watch)

    def _forget(self, names: set[str]) -> None:
        """Hosts that are no longer in the inventory take their alerts with them."""
        for name in [name for name in self._watches if name not in names]:
            watch = self._watches.pop(name)
            for tracks in watch.tracks.values():
                for track in tracks.values():
                    self._judge.end(watch, track, "the host is no longer in the inventory")

    def _drop(self, watch: Watch, dropped: Iterable[tuple[Rule, Track]]) -> None:
        for _, track in dropped:
            self._judge.end(watch, track, "the rule does not hold here any more")

    # Jumpwatch itself.
    def _look_at_ourselves(self, view: FleetView) -> None:
        watch = self._program
        for rule in watch.rules[Source.PROGRAM]:
            match rule.figure:
                case "database.away":
                    readings = program.database_away(view)
                case "database.job_failed":
                    readings = program.failed_jobs(view)
                case "spool.samples":
                    readings = program.spooled(view)
                case "samples.lost":
                    readings = program.lost(view)
                case _:
                    readings = program.hosts_away(view, self._watches.values())
            self._judge.step_all(watch, rule, readings, float("inf"))
        away = alert_key(HOSTS_AWAY, "", "") in self.book.open
        if away is not self._judge.hosts_away:
            self._judge.hosts_away = away
            for each in self._watches.values():
                self._judge.hide(each)
