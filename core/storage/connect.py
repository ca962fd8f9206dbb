"""How a connection to the database is made: where to, over which TLS, with which settings of the session."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

from core.config import DatabaseSettings
from core.exceptions import ConfigurationError


class Address(Protocol):
    """A server that we run ourselves (core.storage.servers), reached over a Unix socket."""

    @property
    def socket_dir(self) -> Any: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def single_session(self) -> bool: ...
    @property
    def kind(self) -> str: ...


_SINGLE_SESSION_PATIENCE_S = 120.0  # its statement_timeout never fires and it cannot be interrupted
_PATIENCE_S = 5.0


def where(settings: DatabaseSettings, address: Address | None) -> str:
    """Name the database for people; never with a password."""
    if address is not None:
        return f"{address.database} ({'TimescaleDB in WebAssembly' if address.kind == 'wasm' else address.kind})"
    return settings.label


def tls(settings: DatabaseSettings) -> ssl.SSLContext | str | bool:
    """Return asyncpg's ``ssl`` argument for the mode set."""
    if settings.ssl_mode == "disable" or (settings.host or "").startswith("/"):
        return False
    if settings.ssl_mode in ("prefer", "require") and settings.ssl_root_cert is None:
        return str(settings.ssl_mode)
    try:
        context = ssl.create_default_context(cafile=str(settings.ssl_root_cert) if settings.ssl_root_cert else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"JUMPWATCH_DATABASE_SSL_ROOT_CERT ({settings.ssl_root_cert}) cannot be used: {error}"
        ) from error
    context.check_hostname = settings.ssl_mode == "verify-full"
    if settings.ssl_mode == "prefer":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def session_settings(settings: DatabaseSettings, name: str | None = None) -> dict[str, str]:
    """Return the settings that every session of ours runs with; times in milliseconds."""
    return {
        "TimeZone": "UTC",
        "jit": "off",
        "statement_timeout": str(int(settings.statement_timeout_s * 1000)),
        "lock_timeout": str(int(settings.lock_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(settings.idle_in_transaction_timeout_s * 1000)),
        "application_name": (name or settings.application_name)[:63],
    }


def connect_arguments(
    settings: DatabaseSettings, address: Address | None, *, name: str | None = None, bounded: bool = True
) -> dict[str, Any]:
    """Return asyncpg.connect's arguments; ``bounded`` sets the client's own limit on a statement."""
    arguments: dict[str, Any] = {
        "timeout": settings.connect_timeout_s,
        "server_settings": session_settings(settings, name),
    }
    if bounded:
        # The server's own timeout comes first; this one is for a server that hangs or a cable that is cut.
        arguments["command_timeout"] = settings.statement_timeout_s + _PATIENCE_S
    if address is not None:
        arguments |= {
            "host": str(address.socket_dir),
            "port": address.port,
            "user": address.user,
            "database": address.database,
            "ssl": False,
        }
        if address.single_session:
            arguments["timeout"] = max(settings.connect_timeout_s, 30.0)
            if bounded:
                arguments["command_timeout"] = _SINGLE_SESSION_PATIENCE_S
        return arguments
    if settings.host is None:
        raise ConfigurationError("no database is configured: set JUMPWATCH_DATABASE_URL")
    arguments |= {"host": settings.host, "port": settings.port, "database": settings.name, "ssl": tls(settings)}
    if settings.user:
        arguments["user"] = settings.user
    if settings.password:
        arguments["password"] = settings.password.get_secret_value()
    return arguments
