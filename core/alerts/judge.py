"""From readings to alerts: what lasts is raised, what is over resolved, what flaps held, what is behind hidden."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from core.alerts.book import AlertBook, is_worse
from core.alerts.defaults import HOST_AWAY
from core.alerts.track import Track
from core.alerts.words import figure_words, span_words
from core.models import Alert, Level
from core.models.alerts import alert_key

if TYPE_CHECKING:
    from core.alerts.figures import Reading
    from core.alerts.rules import Rule
    from core.alerts.watch import Watch
    from core.alerts.watched import WatchedTime
    from core.ports import Clock

_FLAPS, _FLAP_S, _CALM_S = 3, 3600.0, 900.0  # raised so often in an hour: over only when it has been calm for so long
_FLAPS_KEPT = 5000
_LONGEST = 300  # characters of what hosts call their things


class Judge:
    """Takes readings of one rule on one host at a time; time is what was watched."""

    def __init__(self, book: AlertBook, time: WatchedTime, clock: Clock) -> None:
        self._book, self._time, self._clock = book, time, clock
        self._raised: dict[str, list[float]] = {}
        self.hosts_away = False  # most of them: the single ones are not told

    def step_all(self, watch: Watch, rule: Rule, readings: Iterable[Reading], gap_s: float) -> None:
        """Take the readings of all items there are; an item that is gone has no trouble any more."""
        tracks = watch.tracks.get(rule.name)
        picky, stands, seen = rule.items or rule.skip, bool(tracks), set()
        for item, value, note in readings:
            if item == "" and value is None:
                return  # nothing is known of any of them
            if not picky or rule.wants(item):
                if stands:
                    seen.add(item)
                self.step(watch, rule, item, value, note, gap_s)
        if tracks and stands:
            for item in [item for item in tracks if item not in seen]:
                tracks[item].points.clear()
                self._fine(watch, tracks[item])

    def step(self, watch: Watch, rule: Rule, item: str, value: float | None, note: str, gap_s: float) -> None:
        """Take one reading; it counts as lasting where the one before is no more than ``gap_s`` seconds away."""
        if value is None:
            return
        tracks = watch.tracks.get(rule.name)
        track = tracks.get(item) if tracks else None
        if track is None and rule.fine(value) and not rule.over_s:
            return
        now = self._time.now
        if rule.over_s:
            track = track or self._new_track(watch, rule, item)
            value = track.grown(now, value)
        level = rule.level(value, track.open if track else None)
        if level is None:
            if track is not None:
                self._fine(watch, track, value, note)
            return
        track = track or self._new_track(watch, rule, item)
        lasting = track.trouble(now, level, gap_s)
        if lasting is not None or track.open is not None:
            self._tell(watch, track, lasting, value, note)

    @staticmethod
    def _new_track(watch: Watch, rule: Rule, item: str) -> Track:
        track = watch.tracks.setdefault(rule.name, {})[item] = Track(rule, item)
        return track

    def _tell(self, watch: Watch, track: Track, level: Level | None, value: float, note: str) -> None:
        """An alert that stands has another figure, or is worse; or there is a new one."""
        wall, rule = self._clock.now(), track.rule
        key = alert_key(rule.name, watch.name, track.item)
        known = self._book.open.get(key)
        text = _text(rule, watch.name, track.item, value, note)
        forecast = self._forecast(watch, track)
        if known is not None:
            changed = text != known.text or forecast != known.forecast
            if changed:
                known = replace(known, text=text, value=value, forecast=forecast, updated=wall)
                self._book.update(known)
            if level is not None and is_worse(level, known.severity):
                track.open = level
                self._book.worse(replace(known, limit=rule.limit_words(level)), level, wall)
        elif level is not None:
            track.open = level
            alert = Alert(
                key=key, rule=rule.name, host=watch.name, item=track.item, severity=level, text=text, raised=wall,
                updated=wall, title=rule.title or rule.name, value=value, limit=rule.limit_words(level),
                advice=rule.advice, forecast=forecast, flapping=self._flaps(key),
            )  # fmt: skip
            self._book.raise_(replace(alert, hidden=self._why_hidden(watch, alert)))
            if rule.name == HOST_AWAY:
                self.hide(watch)

    def _fine(self, watch: Watch, track: Track, value: float | None = None, note: str = "") -> None:
        key = alert_key(track.rule.name, watch.name, track.item)
        known = self._book.open.get(key)
        hold = max(track.rule.clear_s, _CALM_S) if known is not None and known.flapping else track.rule.clear_s
        if track.fine(self._time.now, hold):
            if track.open is not None:
                self.end(watch, track)
            track.open = None
        if track.idle:
            watch.tracks[track.rule.name].pop(track.item, None)

    def end(self, watch: Watch, track: Track, note: str = "") -> None:
        """Resolve the track's alert, where one stands."""
        self._book.resolve(alert_key(track.rule.name, watch.name, track.item), self._clock.now(), note)
        track.open = None
        if track.rule.name == HOST_AWAY:
            self.hide(watch)

    def _flaps(self, key: str) -> int:
        """Count the times that it was raised within the hour; 0 where that is no flapping."""
        now = self._time.now
        if len(self._raised) > _FLAPS_KEPT:
            self._raised = {key: times for key, times in self._raised.items() if now - times[-1] < _FLAP_S}
        times = self._raised.setdefault(key, [])
        times[:] = [at for at in times if now - at < _FLAP_S][-20:]
        times.append(now)
        return len(times) if len(times) >= _FLAPS else 0

    def hide(self, watch: Watch) -> None:
        """Say anew of a host's alerts whether they stand behind something else."""
        keys = [
            alert_key(name, watch.name, item)
            for name, tracks in watch.tracks.items()
            for item, track in tracks.items()
            if track.open is not None
        ]
        self._book.hide(keys, lambda alert: self._why_hidden(watch, alert))

    def _why_hidden(self, watch: Watch, alert: Alert) -> str:
        if not watch.name:
            return ""
        if watch.maintenance:
            return "maintenance"
        if alert.rule == HOST_AWAY:
            return "most hosts are away" if self.hosts_away else ""
        return "host away" if alert_key(HOST_AWAY, watch.name, "") in self._book.open else ""

    def _forecast(self, watch: Watch, track: Track) -> str:
        if not track.rule.figure.startswith("disk.") or track.item not in watch.filling or watch.sample is None:
            return ""
        full_at = watch.filling[track.item].full_at
        if full_at is None or not isfinite(full_at):
            return ""
        return f"full in {span_words(full_at - watch.sample.ts.timestamp())}"


def _text(rule: Rule, host: str, item: str, value: float, note: str) -> str:
    figure = rule.about
    words = figure.words.format(item=item[:_LONGEST], value=figure_words(value, figure.unit), note=note[:_LONGEST])
    return words.replace(" ()", "").removesuffix(": ").strip() or rule.title or rule.name
