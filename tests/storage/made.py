"""Samples for the storage tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from core.models import (
    ContainerUse,
    DiskFigures,
    FilesystemFigures,
    HostSample,
    InterfaceFigures,
    ItemSample,
    SectionStatus,
    SystemFigures,
    UnitUse,
)
from core.storage.engine import Database

GIB = 1 << 30
NOW = datetime.now(UTC).replace(microsecond=123_457)


def sample(host: str = "web1", ts: datetime | None = None, seq: int = 1, **changes: Any) -> HostSample:
    """A sample with every kind of figure; deterministic by seq."""
    values: dict[str, Any] = {
        "host": host,
        "ts": ts or NOW,
        "seq": seq,
        "boot_id": "6f2c",
        "uptime_s": 1000.0 + seq,
        "host_clock": (ts or NOW) - timedelta(seconds=3),
        "system": SystemFigures(
            cpu_pct=float(seq % 100),
            cpus=4,
            load1=0.25,
            mem_total=8 * GIB,
            mem_available=2 * GIB,
            swap_total=GIB,
            swap_free=GIB,
        ),
        "filesystems": (
            FilesystemFigures("/", "/dev/sda1", "ext4", 100 * GIB, 40 * GIB, 60 * GIB, 1000, 10),
            FilesystemFigures("/srv/data", "/dev/sdb1", "xfs", 200 * GIB, 150 * GIB, 50 * GIB),
        ),
        "disks": (DiskFigures("sda", 1.0, 2.0, 3.0, 4.0, 5.5),),
        "interfaces": (InterfaceFigures("eth0", 1e6, 2e6, 100.0, 200.0, 0.0, 0.0),),
        "sections": {"stat": SectionStatus.OK, "pressure": SectionStatus.ABSENT},
        "interval_s": 10.0,
    }
    return HostSample(**{**values, **changes})


def series(
    hosts: int, steps: int, *, end: datetime = NOW, step: timedelta = timedelta(minutes=5)
) -> Iterator[HostSample]:
    """``steps`` samples of each host, ordered by time, the last one at ``end``."""
    for number in range(steps):
        ts = end - step * (steps - 1 - number)
        for host in range(hosts):
            yield sample(f"host{host}", ts, number)


def look(host: str = "web1", ts: datetime | None = None, seq: int = 1) -> ItemSample:
    """A look at two containers and a unit with every kind of figure; deterministic by seq."""
    web = ContainerUse("web", "docker", "nginx:1", float(seq % 100), GIB, 4 * GIB, 1 << 40, 7, 0, 9 * GIB, 12)
    return ItemSample(
        host,
        ts or NOW,
        (web, ContainerUse("db", "podman", "pg:16", 250.5, 2 * GIB)),
        (UnitUse("nginx.service", 12.5, 30 << 20, 5, seq),),
    )


def with_looks(samples: Iterable[HostSample]) -> Iterator[HostSample | ItemSample]:
    """Each sample, and a look at the containers and units of its host at the same moment."""
    for one in samples:
        yield one
        yield look(one.host, one.ts, one.seq)


async def count(database: Database, table: str) -> int:
    async with database.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
