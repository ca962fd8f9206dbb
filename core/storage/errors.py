"""Foreign errors of the database drivers become core exceptions here, with the way out."""

from __future__ import annotations

import ssl
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc as sa

from core.config import DatabaseSettings
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
def mapped(
    operation: str, where: str, settings: DatabaseSettings | None = None, *, statement_s: float | None = None
) -> Iterator[None]:
    """Raise core exceptions for what the drivers raise within; ``where`` names the database, without password.

    ``settings`` tell which limit it was that passed; ``statement_s`` is the statement's, where it is another. What the
    caller's own code raises (a file that is missing, its own timeout) is no error of the database and passes as it is.
    """
    begun = time.monotonic()
    try:
        yield
    except InfrastructureException:
        raise
    except (sa.SQLAlchemyError, *DRIVER_ERRORS) as error:
        found = translate(error, operation, where, settings, statement_s)
        # The server says why it ends a session only to one who listens: to us it is a lost connection.
        limit = settings.idle_in_transaction_timeout_s if settings and statement_s is None else None
        if type(found) is DatabaseConnectionError and limit and time.monotonic() - begun >= limit:
            text = f"{found.message}; the server ends a transaction that idles for {limit:g} s: hold none while waiting"
            found = DatabaseConnectionError(text, operation=operation, details=found.details)
        raise found from error
    except OSError as error:  # TimeoutError is one
        if _modules(error)[-1] not in _OURS:
            raise
        raise translate(error, operation, where, settings, statement_s) from error


_PASSED = frozenset(
    {"asyncio", "concurrent", "uvloop", "ssl", "socket", "contextlib"}
)  # they raise on behalf of who called them
_OURS = frozenset({"asyncpg", "sqlalchemy", "core"})


def _modules(error: BaseException) -> list[str]:
    """Return the top packages of the frames that the error came through, the one that raised it last."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return ["core", *(name for name in (frame.partition(".")[0] for frame in frames) if name not in _PASSED)]


def _connecting(error: BaseException) -> bool:
    """Whether the error came while a connection was being made."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(f.f_code.co_name == "connect" and f.f_globals.get("__name__") == "asyncpg.connection" for f in frames)


def translate(
    error: BaseException,
    operation: str,
    where: str,
    settings: DatabaseSettings | None = None,
    statement_s: float | None = None,
) -> InfrastructureException:
    """Return the core exception that stands for a driver's error."""
    cause = root_cause(error)
    if isinstance(error, sa.TimeoutError):
        return DatabaseTimeoutError(
            f"no free connection to {where}: the pool is used up; raise JUMPWATCH_DATABASE_POOL_SIZE",
            operation=operation,
            timeout_seconds=settings.pool_timeout_s if settings else None,
        )
    if isinstance(cause, asyncpg.PostgresError):
        return _server_said(cause, operation, where, settings, statement_s)
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return _tls(cause, operation, where)
    if isinstance(cause, TimeoutError):
        return _silent(cause, operation, where, settings, statement_s)
    if isinstance(cause, OSError):
        return _network(cause, operation, where)
    if isinstance(cause, asyncpg.InternalClientError):
        return DatabaseConnectionError(f"the connection to {where} was lost ({operation})", operation=operation)
    if isinstance(cause, asyncpg.InterfaceError):
        return _client(cause, operation, where)
    if isinstance(error, sa.ArgumentError):
        return ConfigurationError(f"the database URL cannot be read: {error}; see JUMPWATCH_DATABASE_URL")
    return DatabaseOperationError(f"{operation} on {where} failed: {cause}", operation=operation)


def _silent(
    cause: TimeoutError, operation: str, where: str, settings: DatabaseSettings | None, statement_s: float | None
) -> InfrastructureException:
    limit: float | None
    if settings and _connecting(cause):
        limit = settings.connect_timeout_s
        text = f"{where} did not answer within {limit:g} s while connecting: is it a PostgreSQL server, and is it up?"
    else:
        limit = statement_s or (settings.statement_timeout_s if settings else None)
        text = f"{where} did not answer in time ({operation})"
    return DatabaseTimeoutError(text, operation=operation, timeout_seconds=limit)


_NAME_CA = "name the authority's certificate in JUMPWATCH_DATABASE_SSL_ROOT_CERT"
_TLS_WAYS = (  # what OpenSSL or the driver says, why, and the way out
    ("Hostname mismatch", "its certificate is another host's", "connect by a name that the certificate has"),
    ("IP address mismatch", "its certificate is not for this address", "connect by a name that the certificate has"),
    ("has expired", "its certificate has expired", "have it renewed on the server"),
    ("not yet valid", "its certificate is not valid yet", "check the clocks here and there"),
    ("self-signed", "no authority known here signed its certificate", _NAME_CA),
    ("unable to get local issuer", "no authority known here signed its certificate", _NAME_CA),
    (
        "rejected SSL upgrade",
        "the server offers no TLS",
        "switch it on there (ssl = on); only where the network is trusted set JUMPWATCH_DATABASE_SSL_MODE=prefer",
    ),
)


def _tls(cause: Exception, operation: str, where: str) -> InfrastructureException:
    said = str(getattr(cause, "verify_message", "") or cause)
    for mark, why, way in _TLS_WAYS:
        if mark in said:
            return DatabaseConnectionError(
                f"no TLS with {where}: {why} ({said[:120]}); {way}", operation=operation, error_code="DATABASE_TLS"
            )
    return DatabaseConnectionError(
        f"no TLS with {where}: {said[:200]}; see JUMPWATCH_DATABASE_SSL_MODE and JUMPWATCH_DATABASE_SSL_ROOT_CERT",
        operation=operation,
        error_code="DATABASE_TLS",
    )


def _client(cause: asyncpg.InterfaceError, operation: str, where: str) -> InfrastructureException:
    text = str(cause)
    if isinstance(cause, asyncpg.exceptions.ClientConfigurationError):
        return ConfigurationError(f"the database settings cannot be used: {text}", operation=operation)
    if "closed" in text or "connection" in text:
        return DatabaseConnectionError(f"the connection to {where} was lost ({operation})", operation=operation)
    return DatabaseOperationError(f"{operation} on {where} failed: {text}", operation=operation)


def _network(cause: OSError, operation: str, where: str) -> InfrastructureException:
    if "SSL upgrade" in str(cause):
        return _tls(cause, operation, where)
    if isinstance(cause, ConnectionRefusedError):
        text = f"{where} refuses connections: is the server up, and are host and port right?"
    elif isinstance(cause, FileNotFoundError):
        text = f"{where} is not there: the server's socket is missing; is it up?"
    elif getattr(cause, "errno", None) in (-2, -3, -5):
        text = f"the database host of {where} has no address: check the name in JUMPWATCH_DATABASE_URL"
    else:
        text = f"{where} cannot be reached: {cause.strerror or cause}"
    return DatabaseConnectionError(text, operation=operation)


def _server_said(
    cause: asyncpg.PostgresError,
    operation: str,
    where: str,
    settings: DatabaseSettings | None,
    statement_s: float | None,
) -> InfrastructureException:
    state = cause.sqlstate or ""
    said = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    details = {"sqlstate": state}
    if state in ("28P01", "28000"):
        if "no encryption" in said or "SSL off" in said:
            said = f"{said} (it asks for TLS: JUMPWATCH_DATABASE_SSL_MODE=require or stricter)"
        text = f"{where} refuses the login: {said}; check user and password (JUMPWATCH_DATABASE_URL)"
        return DatabaseConnectionError(text, operation=operation, details=details, error_code="DATABASE_LOGIN")
    if state == "3D000":
        text = f"{said} at {where}: create it with `createdb`, or name another in JUMPWATCH_DATABASE_URL"
        return DatabaseConnectionError(text, operation=operation, details=details, error_code="DATABASE_MISSING")
    if state in TIMEOUT_STATES and "user request" not in said:
        text = f"{operation} on {where} took too long ({TIMEOUT_STATES[state]}): {said}"
        limit = _limit(state, settings, statement_s)
        return DatabaseTimeoutError(text, operation=operation, details=details, timeout_seconds=limit)
    if state.startswith(_AWAY_STATES):
        detail = f" ({cause.detail})" if state == "57P03" and cause.detail else ""
        text = f"{where} is not available: {said}{detail}" + _AWAY_WAYS.get(state, "")
        return DatabaseConnectionError(text, operation=operation, details=details)
    if state.startswith(_POISON_STATES):
        return PoisonError(f"{operation}: {said}", operation=operation, details=details)
    return DatabaseOperationError(
        _REFUSALS.get(state, "{operation} on {where} failed: {said}").format(
            operation=operation, where=where, said=said
        ),
        operation=operation,
        details=details,
    )


_AWAY_WAYS = {
    "57P03": "; it is starting, stopping or recovering: wait, it is asked again",
    "53300": "; other programs hold all its sessions: end some, or raise max_connections",
    "57P01": "; an administrator ended the session: it is made anew at the next question",
}
_REFUSALS = {
    "42P01": "{operation}: {said}; " + NOT_INITIALISED,
    "42501": "{operation}: {said}; the role lacks a right: `jumpwatch db roles` prints which there are",
    "25006": "{operation}: {said}; {where} is read-only (a standby, or default_transaction_read_only): name the "
    "primary server in JUMPWATCH_DATABASE_URL",
}


def _limit(state: str, settings: DatabaseSettings | None, statement_s: float | None) -> float | None:
    if settings is None:
        return statement_s
    if state == "55P03":
        return settings.lock_timeout_s
    return settings.idle_in_transaction_timeout_s if state == "25P03" else statement_s or settings.statement_timeout_s
