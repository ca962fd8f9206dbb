"""How long each table keeps its rows, and how often our own jobs run."""

from __future__ import annotations

from datetime import timedelta

from core.config import RetentionSettings
from core.models import keep_time
from core.storage.schema import ROLLUPS, SAMPLE_TABLES


def keep_for(retention: RetentionSettings) -> dict[str, timedelta]:
    """Return by name of table or rollup how long its rows are kept."""
    names = [table.name for table in SAMPLE_TABLES] + [rollup.name for rollup in ROLLUPS]
    return {name: keep for name in names if (keep := keep_time(name, retention)) is not None}


PARTITIONS_AHEAD, REFRESH_ROLLUPS, RETENTION = 1, 2, 3
OWN_JOBS: dict[int, tuple[str, timedelta]] = {
    PARTITIONS_AHEAD: ("Partitions Ahead", timedelta(hours=1)),
    REFRESH_ROLLUPS: ("Refresh Rollups", timedelta(minutes=5)),
    RETENTION: ("Retention", timedelta(hours=6)),
}
