"""What happens on the simulated hosts: pure curves of time, the same for the past and for now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, pi

from core.simulator.fleet import HostSpec

_MASK = 0xFFFFFFFF
_DAY = 86400.0
_FILL_LOW, _FILL_HIGH = 0.38, 0.94
_FILL_S, _CLEAN_S = 600.0, 20.0  # live: ten minutes to the brim, then the clean-up
_FILL_PAST_S = 22 * 3600.0  # in the past the same saw, too slow to alias with a coarse step
_FIRST_OUTAGE_S, _OUTAGE_S = 75.0, 20.0


@dataclass(slots=True)
class Levels:
    """One moment of one host: CPU in percent of all CPUs, fractions of memory, bytes/s, busy in percent."""

    user: float
    system: float
    iowait: float
    steal: float
    memory: float
    swap: float
    read_bps: float
    write_bps: float
    rx_bps: float
    tx_bps: float
    busy: float
    blocked: float = 0.0

    @property
    def cpu(self) -> float:
        """All that is neither idle nor waiting for a disk."""
        return self.user + self.system + self.steal


def noise(key: int, step: int) -> float:
    """Return an even number in 0..1 that depends on its arguments alone."""
    mixed = (key * 0x9E3779B1 + step * 0x85EBCA6B) & _MASK
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & _MASK
    mixed = ((mixed ^ (mixed >> 12)) * 0x297A2D39) & _MASK
    return (mixed ^ (mixed >> 15)) / 4294967296.0


def wave(key: int, at: float, period: float) -> float:
    """Return a smooth random curve in 0..1 with a new aim each ``period`` seconds."""
    step, rest = divmod(at, period)
    number, part = int(step), rest / period
    part = part * part * (3.0 - 2.0 * part)
    first = noise(key, number)
    return first + (noise(key, number + 1) - first) * part


def day_curve(at: float, key: int = 0) -> float:
    """Return the load of the day in 0..1 for a time in epoch seconds: low at night, lower at the weekend."""
    days = at / _DAY
    curve = 0.5 - 0.5 * cos(2 * pi * (days - 0.17 - (key % 13) / 300.0))
    return curve * (0.6 if int(days + 3) % 7 >= 5 else 1.0)  # the epoch began on a Thursday


def levels(spec: HostSpec, at: float, elapsed: float) -> Levels:
    """Return the levels of a host at epoch second ``at``, ``elapsed`` seconds into the story (below 0: the past)."""
    key = spec.key
    live = elapsed >= 0
    day = day_curve(at, key)
    slow = wave(key ^ 0x51, at, 2700.0)
    quick = wave(key ^ 0xA7, at, 9.0) if live else noise(key ^ 0xA7, int(at))
    active = min(1.0, 0.08 + 0.62 * day + 0.2 * slow + 0.18 * quick * (0.4 + day))
    user = spec.idle_cpu * (0.6 + 0.8 * quick) + spec.day_cpu * active
    traffic = active * (0.75 + 0.5 * quick)
    level = Levels(
        user=user,
        system=0.8 + user * 0.24,
        iowait=spec.iowait * (0.4 + 1.2 * quick * active),
        steal=0.1 * slow,
        memory=spec.memory_used + spec.memory_day * (0.7 * active + 0.3 * slow),
        swap=0.03 + 0.03 * slow,
        read_bps=spec.read_bps * traffic,
        write_bps=spec.write_bps * (0.3 + 0.7 * traffic),
        rx_bps=spec.rx_bps * traffic,
        tx_bps=spec.tx_bps * traffic,
        busy=min(96.0, spec.iowait * 5.0 * (0.3 + active) + 2.0 + 4.0 * quick),
    )
    tale = _TALES.get(spec.kind)
    if tale is not None:
        tale(spec, level, at, elapsed)
    return _bounded(level)


def _bounded(level: Levels) -> Levels:
    """Keep the CPU's parts together below 100 percent."""
    total = level.user + level.system + level.iowait + level.steal
    if total > 99.0:
        scale = 99.0 / total
        level.user *= scale
        level.system *= scale
        level.iowait *= scale
        level.steal *= scale
    level.memory = min(level.memory, 0.985)
    return level


def _database(spec: HostSpec, level: Levels, at: float, elapsed: float) -> None:
    """A checkpoint each minute: writes and waiting rise together."""
    if elapsed < 0 or at % 60.0 < 18.0:
        strength = 0.4 + 0.6 * noise(spec.key, int(at // 60.0))
        level.iowait += 16.0 * strength
        level.write_bps *= 1.0 + 1.6 * strength
        level.busy = min(99.0, level.busy + 45.0 * strength)
        level.blocked = 3.0 * strength


def _batch(spec: HostSpec, level: Levels, at: float, elapsed: float) -> None:
    """Live: a job of 35 s in each 80 s. In the past: the nightly run, and a short one at each full hour."""
    if elapsed >= 0:
        running = (elapsed + spec.key % 40) % 80.0 < 35.0
    else:
        running = 1.0 <= at / 3600.0 % 24.0 < 3.5 or at % 3600.0 < 400.0
    if running:
        level.user = 72.0 + 18.0 * wave(spec.key, at, 7.0)
        level.system = 6.0
        level.memory += 0.35
        level.read_bps *= 4.0


def _build(spec: HostSpec, level: Levels, at: float, elapsed: float) -> None:
    """Builds come and go, in working hours more than at night."""
    slot = int(at // 25.0) if elapsed >= 0 else int(at // 600.0)
    if noise(spec.key ^ 0x33, slot) < 0.25 + 0.5 * day_curve(at):
        level.user = 45.0 + 45.0 * noise(spec.key ^ 0x77, slot)
        level.system = 7.0
        level.write_bps *= 3.0
        level.memory += 0.2


def _failing_drive(spec: HostSpec, level: Levels, at: float, elapsed: float) -> None:
    """The drive retries: nothing moves and everything waits; over the last two days more and more often."""
    if elapsed >= 0:
        stuck = elapsed % 45.0 >= 30.0
    else:
        stuck = noise(spec.key ^ 0x5D, int(at)) < max(0.0, 0.45 * (1.0 + elapsed / (2 * _DAY)))
    if stuck:
        depth = noise(spec.key, int(at // 15.0))
        level.iowait = 38.0 + 30.0 * depth
        level.busy = 97.0 + 2.9 * depth
        level.read_bps *= 0.06
        level.write_bps *= 0.08
        level.blocked = 6.0 + 8.0 * depth


def _restart_loop(spec: HostSpec, level: Levels, at: float, elapsed: float) -> None:
    """A container dies and is started again each 20 s, since six hours ago."""
    lately = elapsed > -6 * 3600.0
    if elapsed % 20.0 < 5.0 if elapsed >= 0 else lately and noise(spec.key ^ 0x1F, int(at)) < 0.3:
        level.user += 48.0
        level.system += 12.0
        level.read_bps += 35e6


_TALES: dict[str, Callable[[HostSpec, Levels, float, float], None]] = {
    "db": _database,
    "batch": _batch,
    "ci": _build,
    "nas": _failing_drive,
    "docker": _restart_loop,
}


def filled(elapsed: float, start: float) -> float:
    """Return the used fraction of a filesystem that fills to the brim, is cleaned and fills again."""
    offset = (start - _FILL_LOW) / (_FILL_HIGH - _FILL_LOW)
    if elapsed < 0:
        return _FILL_LOW + (_FILL_HIGH - _FILL_LOW) * ((elapsed / _FILL_PAST_S + offset) % 1.0)
    place = (elapsed + offset * _FILL_S) % (_FILL_S + _CLEAN_S)
    part = place / _FILL_S if place < _FILL_S else 1.0 - (place - _FILL_S) / _CLEAN_S
    return _FILL_LOW + (_FILL_HIGH - _FILL_LOW) * part


def used_fraction(spec: HostSpec, number: int, elapsed: float) -> float:
    """Return the used fraction of the host's filesystem of that number."""
    filesystem = spec.filesystems[number]
    if filesystem.fills:
        return filled(elapsed, filesystem.used)
    return min(0.97, max(0.02, filesystem.used + filesystem.growth * elapsed / _DAY))


def is_away(spec: HostSpec, since_first_login: float) -> bool:
    """Say whether a host has dropped off the network: for 20 s each two to three minutes, never in the first 45 s."""
    if not spec.drops or since_first_login < _FIRST_OUTAGE_S:
        return False
    cycle, place = divmod(since_first_login - _FIRST_OUTAGE_S, 150.0)
    late = 0.0 if cycle == 0 else 24.0 * noise(spec.key, int(cycle))
    return late <= place < late + _OUTAGE_S


def was_away(spec: HostSpec, at: float) -> bool:
    """Say whether a host was off the network at that second of the past."""
    return spec.drops and noise(spec.key ^ 0x2B, int(at // 900.0)) < 0.02


def fade(old: float, aim: float, seconds: float, span: float) -> float:
    """Return the exponential moving average after ``seconds`` at ``aim``, as the kernel keeps loads and pressures."""
    return aim + (old - aim) * exp(-seconds / span)
