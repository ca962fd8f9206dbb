"""Foreign errors of the database drivers become core exceptions here, with the way out."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc as sa

from core.exceptions import (
    ConfigurationError,
    DatabaseConnectionError,
    DatabaseOperationError,
    DatabaseTimeoutError,
    InfrastructureException,
)

TIMEOUT_STATES = {"57014": "statement_timeout", "55P03": "lock_timeout", "25P03": "idle in transaction"}
_AWAY_STATES = ("08", "57P", "53")  # connection lost, shutting down, out of resources
_POISON_STATES = ("22", "23", "54")  # the data itself is refused
# The last one is asyncpg's own confusion about a connection that was cut while it looked elsewhere.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
NOT_INITIALISED = "the database is not set up: run `jumpwatch db init`"


class PoisonError(DatabaseOperationError):
    """The server, or the driver before it, refuses the data of a row itself; sending it again cannot help."""

    default_code = "DATABASE_POISON_ROW"


def root_cause(error: BaseException) -> BaseException:
    """Return the driver's own error below SQLAlchemy's wrappers."""
    seen = error
    while isinstance(seen, sa.StatementError) and seen.orig is not None:
        seen = seen.orig
    if isinstance(seen.__cause__, (*DRIVER_ERRORS, OSError)):
        return seen.__cause__
    return seen


@contextmanager
def mapped(operation: str, where: str) -> Iterator[None]:
    """Raise core exceptions for what the drivers raise within; ``where`` names the database, without password."""
    try:
        yield
    except InfrastructureException:
        raise
    except (sa.SQLAlchemyError, *DRIVER_ERRORS, OSError, TimeoutError) as error:
        raise translate(error, operation, where) from error


def translate(error: BaseException, operation: str, where: str) -> InfrastructureException:
    """Return the core exception that stands for a driver's error."""
    cause = root_cause(error)
    if isinstance(error, sa.TimeoutError):
        return DatabaseTimeoutError(
            f"no free connection to {where}: the pool is used up; raise JUMPWATCH_DATABASE_POOL_SIZE",
            operation=operation,
        )
    if isinstance(cause, asyncpg.PostgresError):
        return _server_said(cause, operation, where)
    if isinstance(cause, ssl.SSLError):
        return DatabaseConnectionError(
            f"TLS with {where} failed: {cause}; see JUMPWATCH_DATABASE_SSL_MODE and _SSL_ROOT_CERT", operation=operation
        )
    if isinstance(cause, TimeoutError):
        return DatabaseTimeoutError(f"{where} did not answer in time ({operation})", operation=operation)
    if isinstance(cause, OSError):
        return _network(cause, operation, where)
    if isinstance(cause, asyncpg.InternalClientError):
        return DatabaseConnectionError(f"the connection to {where} was lost ({operation})", operation=operation)
    if isinstance(cause, asyncpg.InterfaceError):
        return _client(cause, operation, where)
    if isinstance(error, sa.ArgumentError):
        return ConfigurationError(f"the database URL cannot be read: {error}; see JUMPWATCH_DATABASE_URL")
    return DatabaseOperationError(f"{operation} on {where} failed: {cause}", operation=operation)


def _client(cause: asyncpg.InterfaceError, operation: str, where: str) -> InfrastructureException:
    text = str(cause)
    if isinstance(cause, asyncpg.exceptions.ClientConfigurationError):
        return ConfigurationError(f"the database settings cannot be used: {text}", operation=operation)
    if "closed" in text or "connection" in text:
        return DatabaseConnectionError(f"the connection to {where} was lost ({operation})", operation=operation)
    return DatabaseOperationError(f"{operation} on {where} failed: {text}", operation=operation)


def _network(cause: OSError, operation: str, where: str) -> InfrastructureException:
    if isinstance(cause, ConnectionRefusedError):
        text = f"{where} refuses connections: is the server up, and are host and port right?"
    elif isinstance(cause, FileNotFoundError):
        text = f"{where} is not there: the server's socket is missing; is it up?"
    elif getattr(cause, "errno", None) in (-2, -3, -5):
        text = f"the database host of {where} has no address: check the name in JUMPWATCH_DATABASE_URL"
    else:
        text = f"{where} cannot be reached: {cause.strerror or cause}"
    return DatabaseConnectionError(text, operation=operation)


def _server_said(cause: asyncpg.PostgresError, operation: str, where: str) -> InfrastructureException:
    state = cause.sqlstate or ""
    said = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    details = {"sqlstate": state}
    if state in ("28P01", "28000"):
        text = f"{where} refuses the login: {said}; check user and password (JUMPWATCH_DATABASE_URL)"
        return DatabaseConnectionError(text, operation=operation, details=details, error_code="DATABASE_LOGIN")
    if state == "3D000":
        text = f"{said} at {where}: create it with `createdb`, or name another in JUMPWATCH_DATABASE_URL"
        return DatabaseConnectionError(text, operation=operation, details=details, error_code="DATABASE_MISSING")
    if state in TIMEOUT_STATES:
        text = f"{operation} on {where} took too long ({TIMEOUT_STATES[state]}): {said}"
        return DatabaseTimeoutError(text, operation=operation, details=details)
    if state.startswith(_AWAY_STATES):
        return DatabaseConnectionError(f"{where} is not available: {said}", operation=operation, details=details)
    if state.startswith(_POISON_STATES):
        return PoisonError(f"{operation}: {said}", operation=operation, details=details)
    if state == "42P01":
        text = f"{operation}: {said}; {NOT_INITIALISED}"
    elif state == "42501":
        text = f"{operation}: {said}; the role lacks a right, see `jumpwatch db doctor`"
    else:
        text = f"{operation} on {where} failed: {said}"
    return DatabaseOperationError(text, operation=operation, details=details)
