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
    """Return asyncpg's ``ssl`` argument for the mode set, as libpq means it.

    prefer takes TLS where it is offered and checks nothing; require checks the authority only where one is named;
    verify-ca checks it always, verify-full the host's name too. From require on, nothing is ever sent in clear text.
    """
    mode, root = settings.ssl_mode, settings.ssl_root_cert
    if mode == "disable" or (settings.host or "").startswith("/"):
        return False
    if mode == "prefer" or (mode == "require" and root is None):
        return str(mode)
    try:
        context = ssl.create_default_context(cafile=str(root) if root else None)
    except FileNotFoundError as error:
        raise _root_cert(settings, "there is no such file") from error
    except PermissionError as error:
        raise _root_cert(settings, "it may not be read by this user: chmod it, or name a copy") from error
    except ssl.SSLError as error:
        raise _root_cert(settings, "it holds no certificate: a PEM file of the authority's is wanted") from error
    except OSError as error:
        raise _root_cert(settings, str(error.strerror or error)) from error
    context.check_hostname = mode == "verify-full"
    return context


def _root_cert(settings: DatabaseSettings, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"JUMPWATCH_DATABASE_SSL_ROOT_CERT ({settings.ssl_root_cert}) cannot be used: {why}", operation="connect"
    )


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
