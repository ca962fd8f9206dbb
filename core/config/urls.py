"""Reading a postgresql:// URL into the fields of DatabaseSettings, without ever repeating its password."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from core.config.fields import refusal
from core.exceptions import ConfigurationError

_SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg", "timescaledb"}
# A raw @ in the password is allowed (the last one before the path counts); the second try lets / ? # in as well.
_REST = (
    r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^/?#@:\[\]]*))(?::(?P<port>[0-9]*))?"
    r"(?:/(?P<name>[^?#@]*))?(?:\?(?P<query>.*))?"
)
_STRICT = re.compile(r"(?:(?P<user>[^:/?#@]*)(?::(?P<password>[^/?#]*))?@)?" + _REST)
_LOOSE = re.compile(r"(?:(?P<user>[^:/?#@]*)(?::(?P<password>.*))?@)?" + _REST, re.DOTALL)
_SSL = {"allow": "prefer", "true": "require", "false": "disable"}
_QUERY = {
    "host": "host", "port": "port", "user": "user", "password": "password", "dbname": "name",
    "sslmode": "ssl_mode", "ssl": "ssl_mode", "sslrootcert": "ssl_root_cert",
    "application_name": "application_name", "connect_timeout": "connect_timeout_s",
}  # fmt: skip


def parse_database_url(url: str, variable: str = "JUMPWATCH_DATABASE_URL") -> dict[str, Any]:
    """Return host, port, user, password, name, ssl_mode ... as far as the URL gives them; decoded."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise _refusal(variable, "it must begin with postgresql://")
    match = _STRICT.fullmatch(rest) or _LOOSE.fullmatch(rest)
    if match is None:
        raise _refusal(variable, "it cannot be read")
    parts: dict[str, Any] = {
        field: _decoded(match[field], variable) for field in ("user", "password", "name") if match[field]
    }
    if host := match["six"] or match["host"]:
        parts["host"] = _decoded(host, variable)
        if "," in parts["host"]:
            raise _refusal(variable, "it names several hosts, and one is wanted")
    if match["port"]:
        parts["port"] = match["port"]
    parts.update(_query(match["query"] or "", variable))
    if "host" not in parts:
        raise _refusal(variable, "it names no host (a socket folder is given as ?host=/folder)")
    return parts


def _query(query: str, variable: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        key, _, text = pair.partition("=")
        field, value = _QUERY.get(key), _decoded(text, variable)  # a + stays one: libpq has it so
        if field is None:
            raise _refusal(variable, f"its parameter {key!r} is not known (known: {', '.join(_QUERY)})")
        parts[field] = _SSL.get(value.lower(), value) if field == "ssl_mode" else value
    return parts


def _decoded(text: str, variable: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _refusal(variable, "its %XX are not UTF-8") from None


def _refusal(variable: str, why: str) -> ConfigurationError:
    form = "postgresql://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full (special characters of the password as %XX)"
    return refusal([f"{variable}: {why}; the form is {form}"], [variable])
