"""Settings of Jumpwatch: frozen, validated, merged once from flags, environment, .env, TOML file and defaults."""

from core.config.application import ApplicationSettings, get_settings, load_settings
from core.config.console import ConsoleSettings
from core.config.sections import (
    LoggingSettings,
    MonitoringSettings,
    PollingSettings,
    RetentionSettings,
    SSHSettings,
)
from core.config.services import APISettings, AuthSettings, ExternalIntegrationSettings, SWAGSettings
from core.config.stores import DatabaseSettings, RedisSettings

__all__ = [
    "APISettings",
    "ApplicationSettings",
    "AuthSettings",
    "ConsoleSettings",
    "DatabaseSettings",
    "ExternalIntegrationSettings",
    "LoggingSettings",
    "MonitoringSettings",
    "PollingSettings",
    "RedisSettings",
    "RetentionSettings",
    "SSHSettings",
    "SWAGSettings",
    "get_settings",
    "load_settings",
]
