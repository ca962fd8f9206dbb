"""The settings of each concern. Every number has a range; times are seconds unless the type says otherwise."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from core.config.fields import Bytes, Duration, HomePath, Section
from core.config.layers import Layer
from core.config.urls import parse_database_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
MIB = 1 << 20
DAY = timedelta(days=1)
_SERVER = ("url", "host", "port", "user", "name", "ssl_mode", "ssl_root_cert")


class DatabaseSettings(Section):
    """JUMPWATCH_DATABASE_*: which database, how to reach it, how long to wait. Nothing given: the embedded one."""

    section: ClassVar[str] = "database"

    url: SecretStr | None = None
    host: str | None = None
    port: int = Field(default=5432, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    name: str = Field(default="jumpwatch", min_length=1, max_length=63)
    ssl_mode: SslMode = "prefer"
    ssl_root_cert: HomePath | None = None
    pool_size: int = Field(default=5, ge=1, le=100)
    max_overflow: int = Field(default=5, ge=0, le=100)
    pool_timeout_s: float = Field(default=10.0, ge=0.1, le=300)
    connect_timeout_s: float = Field(default=5.0, ge=0.1, le=120)
    statement_timeout_s: float = Field(default=15.0, ge=0.1, le=3600)
    lock_timeout_s: float = Field(default=5.0, ge=0.1, le=600)
    idle_in_transaction_timeout_s: float = Field(default=30.0, ge=1, le=3600)
    maintenance_timeout_s: float = Field(default=3600.0, ge=1, le=86400)
    application_name: str = Field(default="jumpwatch", min_length=1, max_length=63)

    @classmethod
    def merge(cls, layers: tuple[Layer, ...]) -> dict[str, Any]:
        """Merge with each URL taken apart in its own layer, so that parts above it win and parts below it do not.

        A URL names a whole server: what lower layers say of theirs is forgotten. Their password is kept only where
        they name no server themselves, lest one server's password be sent to another.
        """
        merged: dict[str, Any] = {}
        for layer in reversed(layers):
            own = cls.own_values(layer)
            url = own.get("url")
            if url is not None:
                parts = parse_database_url(url.get_secret_value() if isinstance(url, SecretStr) else str(url))
                if "host" in merged:
                    merged.pop("password", None)
                merged = {key: value for key, value in merged.items() if key not in _SERVER}
                own = {**parts, **own} if layer.label == "given" else {**own, **parts}
            merged.update(own)
        return merged

    @property
    def configured(self) -> bool:
        """Whether a database was given; else the embedded one is used."""
        return self.host is not None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine (socket folder, localhost or a loopback address)."""
        if self.host is None or self.host.startswith("/") or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @property
    def database_url(self) -> URL:
        """SQLAlchemy URL (postgresql+asyncpg); its text hides the password. ``ssl_mode`` is not in it."""
        from sqlalchemy.engine import URL  # late: reading settings must not load SQLAlchemy

        return URL.create(
            "postgresql+asyncpg",
            username=self.user,
            password=self.password.get_secret_value() if self.password else None,
            host=self.host,
            port=self.port,
            database=self.name,
        )

    @property
    def label(self) -> str:
        """Name and place for people: "jumpwatch at db.example:5432"; never the password."""
        if self.host is None:
            return f"{self.name} (embedded)"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name} at {host}" + ("" if self.host.startswith("/") else f":{self.port}")


class SSHSettings(Section):
    """JUMPWATCH_SSH_*: files, limits and waits of the SSH connections. Host keys are always checked."""

    section: ClassVar[str] = "ssh"

    config_file: HomePath = Field(default=Path("~/.ssh/config"), validate_default=True)
    known_hosts: HomePath = Field(default=Path("~/.ssh/known_hosts"), validate_default=True)
    user: str | None = None
    connect_timeout_s: float = Field(default=10.0, ge=0.5, le=300)
    login_timeout_s: float = Field(default=15.0, ge=0.5, le=300)
    command_timeout_s: float = Field(default=10.0, ge=0.5, le=3600)
    keepalive_interval_s: float = Field(default=15.0, ge=1, le=600)
    connect_limit: int = Field(default=50, ge=1, le=1000)
    max_output_bytes: Bytes = Field(default=MIB, ge=1024, le=256 * MIB)


class PollingSettings(Section):
    """JUMPWATCH_POLLING_*: how often hosts push figures, and how a failing host is tried again."""

    section: ClassVar[str] = "polling"

    interval_s: float = Field(default=10.0, ge=1, le=3600)
    backoff_base_s: float = Field(default=1.0, ge=0.1, le=60)
    backoff_max_s: float = Field(default=300.0, ge=1, le=86400)
    stale_after_intervals: float = Field(default=3.0, ge=1.5, le=100)
    history_points: int = Field(default=120, ge=2, le=10_000)
    frame_max_bytes: Bytes = Field(default=256 * 1024, ge=4096, le=64 * MIB)
    heartbeat_s: float = Field(default=5.0, ge=1, le=10)  # the remote loop ends after 15 s of silence

    @model_validator(mode="after")
    def _backoff_in_order(self) -> PollingSettings:
        if self.backoff_base_s > self.backoff_max_s:
            raise ValueError(
                f"JUMPWATCH_POLLING_BACKOFF_BASE_S ({self.backoff_base_s:g}) must not be more than "
                f"JUMPWATCH_POLLING_BACKOFF_MAX_S ({self.backoff_max_s:g})"
            )
        return self


class MonitoringSettings(Section):
    """JUMPWATCH_MONITORING_*: thresholds in percent and how often the Database view is read."""

    section: ClassVar[str] = "monitoring"

    cpu_warn_pct: float = Field(default=90.0, ge=1, le=100)
    mem_warn_pct: float = Field(default=95.0, ge=1, le=100)
    disk_warn_pct: float = Field(default=90.0, ge=1, le=100)
    database_refresh_s: float = Field(default=5.0, ge=0.5, le=3600)
    event_history: int = Field(default=500, ge=10, le=100_000)


class RetentionSettings(Section):
    """JUMPWATCH_RETENTION_*: how long data stays, and when it is compressed, rolled up and dropped."""

    section: ClassVar[str] = "retention"

    chunk_interval: Duration = Field(default=DAY, ge=timedelta(hours=1), le=30 * DAY)
    compress_after: Duration = Field(default=2 * DAY, ge=timedelta(hours=2), le=3650 * DAY)
    raw_retention: Duration = Field(default=30 * DAY, ge=timedelta(hours=6), le=3650 * DAY)
    rollup_minute_retention: Duration = Field(default=180 * DAY, ge=DAY, le=3650 * DAY)
    rollup_hour_retention: Duration = Field(default=1095 * DAY, ge=DAY, le=36500 * DAY)
    spool_max_age: Duration = Field(default=DAY, ge=timedelta(minutes=1), le=365 * DAY)
    spool_max_bytes: Bytes = Field(default=256 * MIB, ge=MIB, le=1 << 40)
    refresh_start: Duration = Field(default=3 * DAY, ge=timedelta(hours=3), le=365 * DAY)
    flush_rows: int = Field(default=5000, ge=1, le=1_000_000)
    flush_interval_s: float = Field(default=1.0, ge=0.05, le=60)

    @model_validator(mode="after")
    def _in_order(self) -> RetentionSettings:
        """Replays must never land in compressed chunks, nor a refresh reach back over dropped data."""
        rules: tuple[tuple[str, str, bool], ...] = (
            ("spool_max_age", "compress_after", True),
            ("compress_after", "raw_retention", True),
            ("spool_max_age", "refresh_start", False),
            ("refresh_start", "raw_retention", True),
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
    """JUMPWATCH_LOGGING_*: level, form and the rotating file that is used while the console has the screen."""

    section: ClassVar[str] = "logging"

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    file: HomePath | None = None  # None: jumpwatch.log in the state folder (ApplicationSettings.log_file)
    max_bytes: Bytes = Field(default=5 * MIB, ge=10_000, le=1 << 30)
    backups: int = Field(default=3, ge=0, le=100)
