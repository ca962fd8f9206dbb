"""The units of the simulated hosts: web-02's nginx dies and comes back, and some are watched whatever their state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sin

from core.collectors.catalog import COLLECTORS
from core.collectors.collector import Collector
from core.simulator.fleet import MIB, HostSpec
from core.simulator.machine import Machine

_NGINX_UP_S, _NGINX_DOWN_S = 100.0, 80.0  # of each such span its nginx runs, then lies failed
_WORDS = {
    "nginx.service": "A high performance web server and a reverse proxy server",
    "postgresql.service": "PostgreSQL RDBMS",
}
_SWING_S = 40.0


def nginx_is_down(spec: HostSpec, elapsed: float) -> bool:
    """Say whether the story's service lies failed now."""
    return spec.name == "web-02" and elapsed % (_NGINX_UP_S + _NGINX_DOWN_S) >= _NGINX_UP_S


def nginx_lies(machine: Machine) -> bool:
    """Whether nginx lies failed now: a restart since it fell has mended it, until it falls anew."""
    if not nginx_is_down(machine.spec, machine.elapsed):
        return False
    fell = machine.elapsed - machine.elapsed % (_NGINX_UP_S + _NGINX_DOWN_S) + _NGINX_UP_S
    verb, at = machine.deeds.get("nginx.service", ("", 0.0))
    return not verb or at < fell


def smartd_lies(machine: Machine) -> bool:
    """Whether the nas' smartd lies failed: until somebody restarts it."""
    return machine.spec.kind == "nas" and "smartd.service" not in machine.deeds


def services(machine: Machine, _root: bool) -> Iterable[str]:
    """Tell what has failed."""
    if machine.spec.kind == "edge":
        yield from (
            "@jw openrc",
            "Runlevel: default",
            " sshd                [  started  ]",
            " mosquitto  [  started  ]",
        )
        return
    yield "@jw systemd"
    failed = []
    if nginx_lies(machine):
        failed.append(("nginx.service", "A high performance web server and a reverse proxy server", "signal", 0))
    if smartd_lies(machine):
        failed.append(("smartd.service", "Self Monitoring and Reporting Technology (SMART) Daemon", "exit-code", 0))
    for unit, words, result, restarts in failed:
        yield from (f"Id={unit}", "LoadState=loaded", "ActiveState=failed", "SubState=failed")
        yield from (f"Result={result}", f"NRestarts={restarts}", "MemoryCurrent=[not set]", "MainPID=0")
        yield from (f"Description={words}", "")


def watched_by(collector: Collector) -> tuple[str, ...]:
    """Return the units that a collector of services asks for by name."""
    return collector.argv[len(COLLECTORS["services"].argv) :]


def unit_use(spec: HostSpec, unit: str, elapsed: float) -> tuple[int, int, int]:
    """Return a watched unit's CPU time in nanoseconds, its bytes of memory and its tasks."""
    share = spec.cpus * (spec.idle_cpu + spec.day_cpu / 4.0) / 100.0
    spent = share * (spec.uptime_s + elapsed + 0.8 * _SWING_S * sin(elapsed / _SWING_S + spec.key % 7))
    fraction = 0.05 if unit == "nginx.service" else 0.45
    return int(spent * 1e9), int(fraction * spec.memory / MIB) * MIB, 1 + 2 * spec.cpus


def watched_units(machine: Machine, units: Sequence[str]) -> Iterable[str]:
    """Tell of the watched units that have not failed."""
    for unit in units:
        if unit == "nginx.service" and nginx_lies(machine):
            continue
        stopped = machine.deeds.get(unit, ("", 0.0))[0] == "stop"
        active, sub = ("inactive", "dead") if stopped else ("active", "running")
        yield from (f"Id={unit}", "LoadState=loaded", f"ActiveState={active}", f"SubState={sub}", "Result=success")
        yield from (f"Description={_WORDS[unit]}", "NRestarts=0")
        if not stopped:
            spent, memory, tasks = unit_use(machine.spec, unit, machine.elapsed)
            yield from (f"MemoryCurrent={memory}", f"TasksCurrent={tasks}", f"CPUUsageNSec={spent}")
            yield f"MainPID={700 + machine.spec.key % 300}"
        yield ""
