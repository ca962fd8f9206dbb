"""Settings of Jumpwatch: frozen, validated, merged once from flags, environment, .env, TOML file and defaults."""

from core.config.application import ApplicationSettings, get_settings, load_settings
from core.config.sections import (
    DatabaseSettings,
    LoggingSettings,
    MonitoringSettings,
    PollingSettings,
    RetentionSettings,
    SSHSettings,
)

__all__ = [
    "ApplicationSettings",
    "DatabaseSettings",
    "LoggingSettings",
    "MonitoringSettings",
    "PollingSettings",
    "RetentionSettings",
    "SSHSettings",
    "get_settings",
    "load_settings",
]
