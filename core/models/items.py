"""What one look at the containers or the units of a host measured, and the last such looks at one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.models.findings import ContainerFigures, ServiceFigures

if TYPE_CHECKING:
    from core.models.inspection import HostFinding

CONTAINER, UNIT = "container", "unit"  # kinds of items


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """What one container uses: CPU in percent of one CPU, bytes of memory, bytes moved since it was started."""

    name: str
    engine: str | None = None
    image: str | None = None
    cpu_pct: float | None = None
    mem_used: int | None = None
    mem_limit: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class UnitUse:
    """What one unit uses: CPU in percent of one CPU since the look before, bytes of memory."""

    name: str
    cpu_pct: float | None = None
    mem_used: int | None = None
    tasks: int | None = None
    restarts: int | None = None  # automatic ones since it was started


@dataclass(frozen=True, slots=True)
class ItemSample:
    """The figures of one look; ``ts`` is the finding's. Who told nothing, as one that has ended, is not in it."""

    host: str
    ts: datetime
    containers: tuple[ContainerUse, ...] = ()
    units: tuple[UnitUse, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """A past of one container or unit, oldest first; None where it told nothing."""

    times: tuple[datetime, ...] = ()
    cpu: tuple[float | None, ...] = ()  # percent of one CPU
    mem: tuple[float | None, ...] = ()  # bytes


@dataclass(frozen=True, slots=True)
class ItemPlot:
    """A longer past in steps of ``step_s`` seconds; ``source``: what it was read from, raw or 1h."""

    mean: ItemHistory
    high: ItemHistory  # the greatest within each step
    source: str
    step_s: float


def container_names(found: Sequence[ContainerFigures]) -> list[str]:
    """Return what each is called: its name, which outlives its id; docker and podman may both know one."""
    names = [one.name or one.id for one in found]
    twice = {name for name in names if names.count(name) > 1}
    return [f"{name} ({one.engine})" if name in twice else name for name, one in zip(names, found, strict=True)]


def figures_in(found: HostFinding) -> ItemSample | None:
    """Return what a finding measured of containers or units; None where it did not measure any."""
    value = found.finding.value
    if not isinstance(value, tuple):
        return None
    if found.kind == "containers":
        containers = tuple(_containers([one for one in value if isinstance(one, ContainerFigures)]))
        return ItemSample(found.host, found.ts, containers=containers) if containers else None
    if found.kind == "services":
        units = tuple(_units(one for one in value if isinstance(one, ServiceFigures)))
        return ItemSample(found.host, found.ts, units=units) if units else None
    return None


def _containers(found: Sequence[ContainerFigures]) -> Iterable[ContainerUse]:
    for name, one in zip(container_names(found), found, strict=True):
        figures = (one.cpu_pct, one.mem, one.mem_limit, one.rx, one.tx, one.read, one.written, one.pids)
        if any(figure is not None for figure in figures):
            yield ContainerUse(name, one.engine, one.image, *figures)


def _units(found: Iterable[ServiceFigures]) -> Iterable[UnitUse]:
    for one in found:
        figures = (one.cpu_pct, one.memory, one.tasks, one.restarts)
        if any(figure is not None for figure in figures):
            yield UnitUse(one.unit, *figures)
