"""How long each table keeps its rows, and how often our own jobs run."""

from __future__ import annotations

from datetime import timedelta

from core.config import RetentionSettings
from core.storage.schema import MINUTE, ROLLUPS, SAMPLE_TABLES


def keep_for(retention: RetentionSettings) -> dict[str, timedelta]:
    """Return by name of table or rollup how long its rows are kept."""
    times = {table.name: retention.raw_retention for table in SAMPLE_TABLES}
    for rollup in ROLLUPS:
        minute = rollup.width_s == MINUTE
        times[rollup.name] = retention.rollup_minute_retention if minute else retention.rollup_hour_retention
    return times


PARTITIONS_AHEAD, REFRESH_ROLLUPS, RETENTION = 1, 2, 3
OWN_JOBS: dict[int, tuple[str, timedelta]] = {
    PARTITIONS_AHEAD: ("Partitions Ahead", timedelta(hours=1)),
    REFRESH_ROLLUPS: ("Refresh Rollups", timedelta(minutes=5)),
    RETENTION: ("Retention", timedelta(hours=6)),
}
