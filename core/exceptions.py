"""The exception family: one class where a caller treats it differently, each safe to log and to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from core.redaction import redact, safe_text

MAX_DICT_BYTES = 1024
_MAX_TEXT = 4000  # of a message or a stderr that is kept
_MAX_DETAIL = 200
_MOST_DETAILS = 64  # values in all, at any depth
_ROOM = {"error": 64, "error_code": 64, "message": 320, "hostname": 100, "operation": 64}  # bytes of JSON


class InfrastructureException(Exception):
    """Base of all errors of core: a message for a person, a code for a program, context without secrets.

    What is given is redacted at once, so that no copy, pickle, traceback or repr can hold a secret.
    """

    default_code: ClassVar[str] = "INFRASTRUCTURE_ERROR"

    def __init__(
        self,
        message: str,
        *,
        error_code: str | None = None,
        details: Mapping[str, Any] | None = None,
        hostname: str | None = None,
        operation: str | None = None,
    ) -> None:
        self.message = safe_text(message, _MAX_TEXT)
        super().__init__(self.message)
        self.error_code = error_code or self.default_code
        self.details: dict[str, Any] = _details(details) if details else {}
        self.hostname = hostname and safe_text(hostname, _MAX_DETAIL)
        self.operation = operation and safe_text(operation, _MAX_DETAIL)
        self.timestamp = datetime.now(UTC)

    def add_note(self, note: str) -> None:
        """Add a line that tracebacks show, redacted."""
        super().add_note(safe_text(note, _MAX_TEXT))

    def __reduce__(self) -> tuple[Any, ...]:
        # What was put into details since goes out redacted too, and what cannot be pickled goes as its text.
        return type(self), (self.message,), {**self.__dict__, "details": _details(self.details)}

    def to_dict(self) -> dict[str, Any]:
        """Return a redacted, JSON-able picture of at most 1 KiB (UTF-8), for logs and an HTTP edge; never raises."""
        picture: dict[str, Any] = {
            "error": type(self).__name__,
            "error_code": self.error_code,
            "message": self.message,
            "hostname": self.hostname,
            "operation": self.operation,
        }
        for key, room in _ROOM.items():
            if picture[key] is not None:
                picture[key] = _cut(safe_text(picture[key], room), room)
        picture["timestamp"] = self.timestamp.isoformat()
        picture["details"] = _details(self.details)
        if _size(picture) > MAX_DICT_BYTES:
            room = MAX_DICT_BYTES - _size({**picture, "details": {}})
            picture["details"] = _fitting(picture["details"], room)
        return picture


def _details(details: Mapping[str, Any]) -> dict[str, Any]:
    copied = redact(details, max_text=_MAX_DETAIL, most=_MOST_DETAILS)
    return copied if isinstance(copied, dict) else {"cut": True}  # a mapping that cannot be read


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _cut(text: str, room: int) -> str:
    """Return as much of the text as takes ``room`` bytes as JSON, where one character may take six."""
    if _size(text) <= room:
        return text
    text = text.rstrip("…")
    while text and (over := _size(text + "…") - room) > 0:
        text = text[: -(over // 6 + 1)]
    return text + "…"


def _fitting(details: dict[str, Any], room: int) -> dict[str, Any]:
    """Keep the entries that fit the room in bytes, in order; say that some were left out."""
    kept: dict[str, Any] = {}
    room -= _size({"cut": True})
    for key, value in details.items():
        cost = _size({key: value}) + 2
        if cost <= room:
            kept[key] = value
            room -= cost
        else:
            kept["cut"] = True
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
        self.stderr = safe_text(stderr, _MAX_TEXT)
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
