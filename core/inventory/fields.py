"""The fields of a host: their types, their forms, and how they are read from TOML or from plain text."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.exceptions import ValidationError
from core.models import Host

_NAME = re.compile(r"[A-Za-z0-9._:][A-Za-z0-9._:-]{0,252}")
_ADDRESS = re.compile(r"[A-Za-z0-9._:%][A-Za-z0-9._:%-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._@\\+$-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._:/-]{0,62}")
_UNIT = re.compile(r"[A-Za-z0-9@:_.\\][A-Za-z0-9@:_.\\-]{0,255}")
_PARTS = re.compile(r"[\s,;|]+")
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_MAX_PATH = 4096

FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,), "address": (str,), "port": (int,), "user": (str,), "groups": (list,), "tags": (list,),
    "interval_s": (int, float), "identity_files": (list,), "known_hosts": (str,), "maintenance": (bool,),
    "maintenance_until": (datetime,), "collectors": (list,), "sudo": (list,), "services": (list,),
}  # fmt: skip
"""Every field that hosts.toml may hold, in the order in which it is written, with its types."""

_LABELS = ("groups", "tags", "collectors", "sudo")
WORD_LISTS = (*_LABELS, "services")
_ZONED = "a time with its zone, such as 2030-01-31T18:00:00Z"
_IN_WORDS = {
    str: "a text", int: "a whole number", float: "a number", list: "a list of texts", bool: "true or false",
    datetime: _ZONED,
}  # fmt: skip


def validate_host(host: Host) -> None:
    """Raise ValidationError where a field of the host breaks its form; the message names field, value and rule."""
    rules = (
        ("name", host.name, _NAME, "letters, digits and . _ : - (not first)"),
        ("address", host.address or "x", _ADDRESS, "a name or an IP address"),
        ("user", host.user if host.user is not None else "x", _USER, "a login name"),
        *((key, word, _WORD, "letters, digits and . _ : / -") for key in _LABELS for word in getattr(host, key) or ()),
        *(("services", unit, _UNIT, "a unit's name, such as nginx.service") for unit in host.services),
    )
    for key, value, pattern, rule in rules:
        if not pattern.fullmatch(value):
            raise _unfit(key, repr(value[:60]), rule)
    paths = [("identity_files", path) for path in host.identity_files]
    if host.known_hosts is not None:
        paths.append(("known_hosts", host.known_hosts))
    for key, path in paths:
        if not path or path != path.strip() or not path.isprintable() or len(path) > _MAX_PATH:
            raise _unfit(key, repr(path[:60]), "a path of printable characters, no space at its ends")
    if host.port is not None and not 1 <= host.port <= 65535:
        raise _unfit("port", host.port, "from 1 to 65535")
    if host.interval_s is not None and not 1 <= host.interval_s <= 3600:
        raise _unfit("interval_s", f"{host.interval_s:g}", "from 1 to 3600")
    until = host.maintenance_until
    if until is not None and (until.tzinfo is None or not 2000 <= until.year <= 9000):
        raise _unfit("maintenance_until", until, _ZONED)


def host_from(table: Mapping[str, Any]) -> Host:
    """Build a valid Host of a [[hosts]] table, or raise ValidationError."""
    for key, value in table.items():
        kinds = FIELDS[known_field(key)]
        good = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not good or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise ValidationError(f"{key} must be {_IN_WORDS[kinds[-1]]}", details={"field": key})
    if "name" not in table:
        raise ValidationError("a host needs a name", details={"field": "name"})
    values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in table.items()}
    if "maintenance_until" in values:
        values.setdefault("maintenance", True)
    host = Host(**values)
    validate_host(host)
    return host


def known_field(key: str) -> str:
    """Return the key, or raise ValidationError with the nearest field where there is none of that name."""
    if key in FIELDS:
        return key
    close = difflib.get_close_matches(key, FIELDS, n=1)
    hint = f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(FIELDS)})"
    raise ValidationError(f"{key[:60]!r} is not a setting of a host{hint}", details={"field": key})


def as_table(host: Host) -> dict[str, Any]:
    """Return the fields that are set, as hosts.toml holds them."""
    pairs = ((key, getattr(host, key)) for key in FIELDS)
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in pairs
        if value or (key, value) in (("name", ""), ("collectors", ()))  # no collectors at all is a choice
    }


def from_text(key: str, text: str) -> Any:
    """Return the value of a field written as plain text; empty text is the field's "not set".

    Lists are words with spaces, commas, semicolons or bars between, or JSON; paths only semicolons, or JSON.
    Raises ValidationError, which never repeats a long text.
    """
    kind = FIELDS[known_field(key)][-1]
    text = text.strip()
    if kind is list:
        return None if key == "collectors" and not text else _list(key, text)
    if not text:
        return {bool: False, str: "" if key == "address" else None}.get(kind)
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise _unfit(key, repr(text[:60]), _IN_WORDS[bool])
        return text.lower() in _TRUE
    try:
        if kind is int:
            return _whole(text)
        if kind is float:
            return float(text)
        if kind is datetime:
            return _moment(text)
    except ValueError:
        raise _unfit(key, repr(text[:60]), _IN_WORDS[kind]) from None
    return text


def in_text(host: Host) -> dict[str, str]:
    """Return the fields that are set as plain text that ``from_text`` reads back."""
    return {key: _written(key, value) for key, value in as_table(host).items()}


def _written(key: str, value: Any) -> str:
    if isinstance(value, list):
        if key in WORD_LISTS:
            return " ".join(value) or "[]"
        plain = len(value) == 1 and ";" not in value[0] and not value[0].startswith("[")
        return str(value[0]) if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _list(key: str, text: str) -> tuple[str, ...]:
    if text.startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise _unfit(key, repr(text[:60]), 'words, or a JSON list such as ["a", "b"]')
    else:
        items = _PARTS.split(text) if key in WORD_LISTS else [part.strip() for part in text.split(";")]
    return tuple(dict.fromkeys(item for item in items if item))


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):  # int() takes _, + and digits of other scripts
        raise ValueError(text)
    return int(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _unfit(key: str, value: object, rule: str) -> ValidationError:
    return ValidationError(f"{key} {value} must be {rule}", details={"field": key})
