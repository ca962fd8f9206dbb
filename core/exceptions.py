"""The exception family: one class where a caller treats it differently, each safe to log and to show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from core.redaction import redact, redact_text

MAX_DICT_BYTES = 1024
_MAX_MESSAGE = 300
_MAX_DETAIL = 200


class InfrastructureException(Exception):
    """Base of all errors of core: a message for a person, a code for a program, context without secrets."""

    default_code: ClassVar[str] = "INFRASTRUCTURE_ERROR"

    def __init__(
        self,
        message: str,
        *,
        error_code: str | None = None,
        details: dict[str, Any] | None = None,
        hostname: str | None = None,
        operation: str | None = None,
    ) -> None:
        self.message = redact_text(message)
        super().__init__(self.message)
        self.error_code = error_code or self.default_code
        self.details: dict[str, Any] = dict(details or {})
        self.hostname = hostname
        self.operation = operation
        self.timestamp = datetime.now(UTC)

    def to_dict(self) -> dict[str, Any]:
        """Return a redacted, JSON-able picture of at most 1 KiB (UTF-8), for logs and an HTTP edge."""
        picture: dict[str, Any] = {
            "error": type(self).__name__,
            "error_code": self.error_code[:64],
            "message": redact(self.message, max_text=_MAX_MESSAGE),
            "hostname": redact(self.hostname, max_text=100),
            "operation": redact(self.operation, max_text=60),
            "timestamp": self.timestamp.isoformat(),
            "details": redact(self.details, max_text=_MAX_DETAIL),
        }
        if _size(picture) > MAX_DICT_BYTES:
            picture["details"] = _fitting(picture["details"], MAX_DICT_BYTES - _size({**picture, "details": {}}) - 24)
        if _size(picture) > MAX_DICT_BYTES:  # characters of several bytes: the message alone can be too long
            picture["message"] = str(picture["message"])[: _MAX_MESSAGE // 4]
            picture["hostname"] = str(picture["hostname"])[:25] if picture["hostname"] else None
            picture["operation"] = str(picture["operation"])[:15] if picture["operation"] else None
        return picture


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def _fitting(details: dict[str, Any], budget: int) -> dict[str, Any]:
    """Keep the entries that fit the budget in bytes, in order; say that some were left out."""
    kept: dict[str, Any] = {}
    for key, value in details.items():
        cost = _size({key: value}) + 2
        if cost > budget:
            kept["cut"] = True
            break
        kept[key] = value
        budget -= cost
    return kept


class ConfigurationError(InfrastructureException):
    """A setting, file or part of the environment is wrong or missing; the message names the way out."""

    default_code = "CONFIGURATION_ERROR"


class ValidationError(InfrastructureException):
    """Input that breaks a rule of its own form."""

    default_code = "VALIDATION_ERROR"


class BusinessLogicError(InfrastructureException):
    """A well-formed request that the present state forbids: read-only, viewer, plan gone stale."""

    default_code = "BUSINESS_LOGIC_ERROR"


class ResourceNotFoundError(InfrastructureException):
    """A thing asked for by name is not there."""

    default_code = "RESOURCE_NOT_FOUND"


class ResourceConflictError(InfrastructureException):
    """A thing of that name is there already, or somebody else holds it."""

    default_code = "RESOURCE_CONFLICT"


class DatabaseConnectionError(InfrastructureException):
    """The database cannot be reached or refuses the login."""

    default_code = "DATABASE_CONNECTION_ERROR"


class DatabaseOperationError(InfrastructureException):
    """The database was reached and refused the statement."""

    default_code = "DATABASE_OPERATION_ERROR"


class _TimedError(InfrastructureException):
    def __init__(self, message: str, *, timeout_seconds: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.timeout_seconds = timeout_seconds
        if timeout_seconds is not None:
            self.details.setdefault("timeout_seconds", timeout_seconds)


class DatabaseTimeoutError(_TimedError):
    """A statement, a lock or a connection took longer than it may."""

    default_code = "DATABASE_TIMEOUT"


class SSHConnectionError(InfrastructureException):
    """No SSH connection: details["kind"] is name, route, port, protocol or lost."""

    default_code = "SSH_CONNECTION_ERROR"


class SSHAuthenticationError(InfrastructureException):
    """The host refused every login that was tried."""

    default_code = "SSH_AUTHENTICATION_ERROR"


class SSHHostKeyError(InfrastructureException):
    """The host key is unknown or has changed; details hold status, key type and fingerprints."""

    default_code = "SSH_HOST_KEY_ERROR"


class SSHCommandError(InfrastructureException):
    """A remote command ended with a failure."""

    default_code = "SSH_COMMAND_ERROR"

    def __init__(self, message: str, *, exit_code: int | None = None, stderr: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.exit_code = exit_code
        self.stderr = redact_text(stderr)
        self.details.setdefault("exit_code", exit_code)
        self.details.setdefault("stderr", self.stderr[:_MAX_DETAIL])


class SSHTimeoutError(_TimedError):
    """An SSH connection or command took longer than it may."""

    default_code = "SSH_TIMEOUT"


class DeviceNotFoundError(InfrastructureException):
    """No host of that name is in the inventory."""

    default_code = "DEVICE_NOT_FOUND"


class DeviceOfflineError(InfrastructureException):
    """The host is in the inventory and cannot be reached now."""

    default_code = "DEVICE_OFFLINE"


class ExternalServiceError(InfrastructureException):
    """A service that is neither a host nor our database failed."""

    default_code = "EXTERNAL_SERVICE_ERROR"


class SystemMonitoringError(InfrastructureException):
    """The watching itself failed: bus, poller, live state."""

    default_code = "SYSTEM_MONITORING_ERROR"


class DataCollectionError(InfrastructureException):
    """A host's output cannot be read as what it should be."""

    default_code = "DATA_COLLECTION_ERROR"


class CacheOperationError(InfrastructureException):
    """A cache refused an operation."""

    default_code = "CACHE_OPERATION_ERROR"
