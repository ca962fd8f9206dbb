"""What the demo's containers and watched units used before it began: the same story as that of their hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from core.models import ContainerUse, Host, ItemSample, UnitUse
from core.simulator.fleet import MIB, WATCHED, HostSpec
from core.simulator.inspection import CONTAINERS, ContainerRow
from core.simulator.local import specs_for
from core.simulator.story import day_curve, wave
from core.simulator.units import unit_use

_LEAKS, _LEAK_S = "indexer", 86_400.0  # it grows for a day, then is killed and begins anew
_LOOPS_S = 5 * 3600.0  # since then it does not come up any more
_MOVED_BPS = 900.0
_UNITS_S = 86_400.0


def generate_looks(
    fleet: Sequence[Host], *, days: float = 10, step_s: float = 300, until: datetime, seed: int = 0
) -> Iterator[ItemSample]:
    """Yield ``days`` of looks at the containers of those hosts that have some, and a day of watched units, by time."""
    end = until.astimezone(UTC)
    specs = specs_for(fleet, seed)
    for number in range(int(days * 86400 / step_s), 0, -1):
        elapsed = (1 - number) * step_s - 1.0
        at, moment = end.timestamp() + elapsed, end + timedelta(seconds=elapsed)
        for spec in specs:
            if spec.kind == "docker":
                yield ItemSample(spec.name, moment, containers=tuple(_uses(spec, at, elapsed)))
            elif spec.kind in WATCHED and elapsed > -_UNITS_S:
                yield ItemSample(spec.name, moment, units=tuple(_units(spec, at, elapsed)))


def _uses(spec: HostSpec, at: float, elapsed: float) -> Iterator[ContainerUse]:
    for number, row in enumerate(CONTAINERS):
        name, image, state, _, _, fraction = row
        if state == "exited":
            continue
        cpu, share = _level(spec, number, row, at, elapsed)
        if cpu is None:  # it is down, and its engine tells nothing of it
            continue
        moved = int((spec.uptime_s + elapsed) * _MOVED_BPS) * (number + 1)
        yield ContainerUse(
            name, "docker", image, int(cpu * 100) / 100, int(share * fraction * spec.memory / MIB) * MIB, spec.memory,
            moved, moved // 3, 120_000_000, 34_000_000, 12 + 7 * number,
        )  # fmt: skip


def _units(spec: HostSpec, at: float, elapsed: float) -> Iterator[UnitUse]:
    for unit in WATCHED[spec.kind]:
        _, memory, tasks = unit_use(spec, unit, elapsed)
        busy = spec.cpus * (spec.idle_cpu + spec.day_cpu * day_curve(at, spec.key)) / 2.0
        yield UnitUse(unit, int(busy * 100) / 100, memory, tasks, 0)


def _level(spec: HostSpec, number: int, row: ContainerRow, at: float, elapsed: float) -> tuple[float | None, float]:
    """Return the CPU of a container then, None while it is down, and how much of its memory it has."""
    busy = row[4] * (0.4 + 0.8 * day_curve(at, spec.key) + 0.3 * wave(spec.key + number, elapsed, 1800.0))
    if row[0] != _LEAKS:
        return busy, 0.9 + 0.1 * wave(spec.key - number, elapsed, 7200.0)
    if elapsed > -_LOOPS_S:
        return (row[4] if wave(spec.key, elapsed, 600.0) > 0.5 else None), 1.0
    return busy / 4.0, 0.3 + 0.7 * ((elapsed + _LOOPS_S) % _LEAK_S) / _LEAK_S
