"""The replay of a spool, in a process of its own, so that the memory is its alone: for the benchmark of ingest."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from pydantic import SecretStr

from core.config import DatabaseSettings, RetentionSettings
from core.models import HostSample, SystemFigures
from core.storage.engine import Database
from core.storage.spool import Spool
from core.storage.writer import BatchWriter, spool_folder

BATCH, HOSTS = 10_000, 1000
_GIB = 1 << 30
_BOOT = "6f2c0d4e-8a51-4f0e-9d6a-2b6c6a1c9f00"


def batch(number: int, start: datetime) -> list[HostSample]:
    """The next 10,000 samples of 1000 hosts, ten seconds apart: host rows alone, every figure known."""
    made = []
    for step in range(BATCH // HOSTS):
        ts = start + timedelta(seconds=10 * (number * (BATCH // HOSTS) + step))
        for host in range(HOSTS):
            value = float((number * 7 + step * 3 + host) % 1000) / 10
            system = SystemFigures(
                cpu_pct=value, user_pct=value / 2, system_pct=value / 4, iowait_pct=value / 8, steal_pct=0.0, cpus=8,
                load1=value, load5=value / 3, load15=value / 5, mem_total=8 * _GIB, mem_available=_GIB + host * 4096,
                swap_total=_GIB, swap_free=_GIB, psi_cpu=value / 9, psi_memory=0.0, psi_io=value / 7, procs_running=3,
                procs_blocked=0,
            )  # fmt: skip
            clock = ts - timedelta(milliseconds=host)
            made.append(
                HostSample(f"host{host:04}", ts, number * 10 + step, _BOOT, 1e6 + value, clock, system, interval_s=10.0)
            )
    return made


async def replay(url: str, samples: int) -> Mapping[str, float]:
    """Fill a spool, then let a writer bring it all into the database: rows a second, memory before and at most."""
    folder = Path(tempfile.mkdtemp(prefix="jw-bench-"))
    database = Database(DatabaseSettings(url=SecretStr(url)), RetentionSettings(spool_max_bytes=4 * _GIB))
    try:
        await database.open()
        spool = Spool(spool_folder(folder, database), max_bytes=4 * _GIB, max_age_s=86400)
        spool.open()
        start = datetime.now(UTC) - timedelta(hours=6)
        for number in range(samples // BATCH):
            spool.append(batch(number, start))
        spool.close()
        before, began, most = _resident(), perf_counter(), 0
        writer = BatchWriter(database, database.retention, folder)
        task = asyncio.create_task(writer.run())
        while writer.stats().stored < samples and not task.done():
            await asyncio.sleep(0.05)
            most = max(most, _resident())
        took = perf_counter() - began
        await writer.stop()
        await task
        stats = writer.stats()
        async with database.driver() as connection:
            stored = await connection.fetchval("SELECT count(*) FROM host_samples")
        assert stored == samples and stats.dropped == 0 and stats.spooled == 0, f"{stored} of {samples}: {stats}"
        return {"rate": samples / took, "before": before, "most": most}
    finally:
        await database.close()
        shutil.rmtree(folder)


def _resident() -> int:
    """Bytes of memory that this process has at this moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(replay(os.environ["JUMPWATCH_BENCH_URL"], int(sys.argv[1])))))
