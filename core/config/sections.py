"""The settings of what Jumpwatch does. Every number has a range; times are seconds unless the type says otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from core.config.fields import Section
from core.config.types import Bytes, CollectorIntervals, Collectors, Duration, HomePath, Login

MIB = 1 << 20
DAY = timedelta(days=1)


class SSHSettings(Section):
    """Files, limits and waits of the SSH connections. Host keys are always checked."""

    section: ClassVar[str] = "ssh"

    config_file: HomePath = Field(
        default=Path("~/.ssh/config"), validate_default=True, description="the user's ssh_config, as ssh reads it"
    )
    known_hosts: HomePath = Field(
        default=Path("~/.ssh/known_hosts"),
        validate_default=True,
        description="host keys known; accepted ones are added",
    )
    user: Login | None = Field(
        default=None, description="user to log in as, where the inventory names none; none: as ssh_config says"
    )
    keyring: bool = Field(
        default=False,
        description="whether passwords and passphrases may be kept in the system's keyring (package `keyring`)",
    )
    connect_timeout_s: float = Field(default=10.0, ge=0.5, le=300, description="seconds to reach a host")
    login_timeout_s: float = Field(
        default=15.0, ge=0.5, le=300, description="seconds to log in, and for the first sample"
    )
    command_timeout_s: float = Field(
        default=10.0, ge=0.5, le=3600, description="seconds one command on a host may take"
    )
    keepalive_interval_s: float = Field(
        default=15.0, ge=1, le=600, description="seconds of silence before a host is asked whether it is there"
    )
    connect_limit: int = Field(default=50, ge=1, le=1000, description="connections being made at the same time")


class PollingSettings(Section):
    """How often hosts push figures, and how a failing host is tried again."""

    section: ClassVar[str] = "polling"

    interval_s: float = Field(default=10.0, ge=1, le=3600, description="seconds between two samples of a host")
    backoff_base_s: float = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="first wait before a failing host is tried again: random, up to twice this",
    )
    backoff_max_s: float = Field(default=300.0, ge=1, le=86400, description="the longest such wait")
    stale_after_intervals: float = Field(
        default=3.0, ge=1.5, le=100, description="intervals without a sample after which a host counts as silent"
    )
    history_points: int = Field(default=120, ge=2, le=10_000, description="samples of a host kept for its sparklines")
    frame_max_bytes: Bytes = Field(default=256 * 1024, ge=4096, le=64 * MIB, description="size one sample may have")
    # The remote loop ends after 15 s of silence.
    heartbeat_s: float = Field(default=5.0, ge=1, le=10, description="seconds between two signs of life to a host")

    @model_validator(mode="after")
    def _backoff_in_order(self) -> PollingSettings:
        if self.backoff_base_s > self.backoff_max_s:
            raise ValueError(
                f"JUMPWATCH_POLLING_BACKOFF_BASE_S ({self.backoff_base_s:g}) must not be more than "
                f"JUMPWATCH_POLLING_BACKOFF_MAX_S ({self.backoff_max_s:g})"
            )
        return self


class MonitoringSettings(Section):
    """Thresholds in percent, and how often the Database view is read."""

    section: ClassVar[str] = "monitoring"

    cpu_warn_pct: float = Field(default=90.0, ge=1, le=100, description="CPU use above which a host counts as degraded")
    mem_warn_pct: float = Field(default=95.0, ge=1, le=100, description="the same for memory")
    disk_warn_pct: float = Field(default=90.0, ge=1, le=100, description="the same for the fullest file system")
    database_refresh_s: float = Field(
        default=5.0, ge=0.5, le=3600, description="seconds between two looks at the database's own figures"
    )
    event_history: int = Field(default=500, ge=10, le=100_000, description="lines kept in the Events pane")
    collectors: Collectors = Field(
        default=(),
        max_length=100,
        description="slow collectors that run on hosts that name none themselves; none: all; `off`: no one",
    )
    collector_intervals: CollectorIntervals = Field(
        default=(),
        max_length=100,
        description="intervals other than the collectors' own, such as `processes=60,updates=12h`",
    )
    commands_per_s: float = Field(
        default=40.0, ge=0.1, le=1000, description="commands of slow collectors begun in a second, over all hosts"
    )
    commands_at_once: int = Field(default=32, ge=1, le=1000, description="such commands that run at the same time")


class RetentionSettings(Section):
    """How long data stays, and when it is compressed, rolled up and dropped."""

    section: ClassVar[str] = "retention"

    chunk_interval: Duration = Field(
        default=DAY, ge=timedelta(hours=1), le=30 * DAY, description="time that one chunk holds"
    )
    compress_after: Duration = Field(
        default=2 * DAY, ge=timedelta(hours=2), le=3650 * DAY, description="age at which a chunk is compressed"
    )
    raw_retention: Duration = Field(
        default=30 * DAY, ge=timedelta(hours=6), le=3650 * DAY, description="age at which raw chunks go, once rolled up"
    )
    rollup_minute_retention: Duration = Field(
        default=180 * DAY, ge=DAY, le=3650 * DAY, description="age at which rollups by minute go"
    )
    rollup_hour_retention: Duration = Field(
        default=1095 * DAY, ge=DAY, le=36500 * DAY, description="age at which rollups by hour go"
    )
    spool_max_age: Duration = Field(
        default=DAY, ge=timedelta(minutes=1), le=365 * DAY, description="age at which spooled samples are given up"
    )
    spool_max_bytes: Bytes = Field(
        default=256 * MIB, ge=MIB, le=1 << 40, description="size of the spool while the database is away"
    )
    refresh_start: Duration = Field(
        default=3 * DAY, ge=timedelta(hours=3), le=365 * DAY, description="how far back rollups are refreshed"
    )
    flush_rows: int = Field(default=5000, ge=1, le=1_000_000, description="samples written at once at the most")
    flush_interval_s: float = Field(default=1.0, ge=0.05, le=60, description="seconds a sample may wait to be written")

    @model_validator(mode="after")
    def _in_order(self) -> RetentionSettings:
        """No replay lands in compressed chunks, no refresh reaches over dropped data, and rollups outlive raw rows."""
        rules: tuple[tuple[str, str, bool], ...] = (
            ("spool_max_age", "compress_after", True),
            ("compress_after", "raw_retention", True),
            ("spool_max_age", "refresh_start", False),
            ("refresh_start", "raw_retention", True),
            ("raw_retention", "rollup_minute_retention", False),
            ("raw_retention", "rollup_hour_retention", False),
        )
        for low, high, strict in rules:
            a, b = getattr(self, low), getattr(self, high)
            if a > b or (strict and a == b):
                raise ValueError(
                    f"JUMPWATCH_RETENTION_{low.upper()} ({a}) must be {'less' if strict else 'no more'} than "
                    f"JUMPWATCH_RETENTION_{high.upper()} ({b})"
                )
        return self


class LoggingSettings(Section):
    """Level, form and the rotating file that is used while the console has the screen."""

    section: ClassVar[str] = "logging"

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged and above")
    format: Literal["json", "console"] = Field(default="json", description="JSON lines, or lines for people")
    file: HomePath | None = Field(default=None, description="the log file; none: `jumpwatch.log` in the state folder")
    max_bytes: Bytes = Field(default=5 * MIB, ge=10_000, le=1 << 30, description="size at which the file is rotated")
    backups: int = Field(default=3, ge=0, le=100, description="rotated files kept")
