"""What the alert engine costs: 2000 hosts, a tenth of them changed at each look, beside copying what it reads."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import timedelta

from core.models import FilesystemFigures, HostSample
from tests.alerts.world import GIB, World
from tests.bench.figures import Figure

_HOSTS, _ROUNDS = 2000, 60
_AIM_MS = 20.0  # of CPU each second: two percent of a core
_SECOND = timedelta(seconds=1)
_MOUNTS = ("/", "/var", "/srv", "/home")


def measure(hosts: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of a look: nothing changed, a tenth changed, and of reading the same figures alone."""
    world = World(*(f"host-{number:04d}" for number in range(hosts)), interval_s=1.0)
    for box in world.boxes.values():
        box.disks = {mount: 40.0 + 10 * place for place, mount in enumerate(_MOUNTS)}
    world.run(5)
    names = list(world.boxes)
    quiet, busy, plain = [], [], []
    for number in range(rounds):
        view = world.view()
        began = time.process_time()
        world.engine.look(view)
        quiet.append(time.process_time() - began)
        changed = names[number % 10 :: 10]
        for box in (world.boxes[name] for name in changed):
            box.seq += 1
            box.sample = _moved(world._sample(box), number)
            box.view = None
        world.clock.ticks += 1.0
        world.clock.wall += _SECOND
        view = world.view()
        began = time.process_time()
        world.engine.look(view)
        busy.append(time.process_time() - began)
        began = time.process_time()
        figures = [
            (s.system.cpu_pct, s.system.mem_pct, [f.used_pct for f in s.filesystems or ()])
            for s in (world.boxes[name].sample for name in changed)
            if s is not None
        ]
        plain.append(time.process_time() - began)
        assert len(figures) == len(changed)
    world.engine.steps()
    ms = {"nothing changed": quiet, "a tenth changed": busy, "reading its figures alone": plain}
    found = {name: 1000 * statistics.median(times) for name, times in ms.items()}
    return found | {"worst": 1000 * max(busy), "a host in us": 10_000_000 * statistics.median(busy) / hosts}


def _moved(sample: HostSample, number: int) -> HostSample:
    """The same sample with disks that move a little, as they do."""
    filesystems = tuple(
        FilesystemFigures(f.mount, f.device, f.fstype, f.size, (f.used or 0) + number * GIB // 50, f.available)
        for f in sample.filesystems or ()
    )
    return replace(sample, filesystems=filesystems)


def run(*, quick: bool = False) -> list[Figure]:
    """Measure; the aim is for the whole fleet, looked at once a second."""
    found = measure(_HOSTS // 4 if quick else _HOSTS, _ROUNDS // 4 if quick else _ROUNDS)
    share = 4.0 if quick else 1.0
    return [
        Figure("alerts", "a look, no host changed", found["nothing changed"], "ms"),
        Figure("alerts", "a look, a tenth of the hosts changed", found["a tenth changed"], "ms", _AIM_MS / share),
        Figure("alerts", "the same figures read, without rules", found["reading its figures alone"], "ms"),
        Figure("alerts", "the worst look", found["worst"], "ms"),
        Figure("alerts", "a host that changed", found["a host in us"], "us"),
    ]
