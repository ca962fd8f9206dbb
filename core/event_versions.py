"""Versions of event payloads: what this program reads, and the adapters that lift what older ones wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.exceptions import ValidationError

CURRENT: dict[str, int] = {}
"""The version of each type that this program makes and reads; filled where the events are."""

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
_UPGRADES: dict[tuple[str, int], Upgrade] = {}


def register_adapter(event_type: str, version: int, upgrade: Upgrade) -> None:
    """Teach ``parse_event`` to lift a payload of ``event_type`` from ``version`` to the next one.

    ``upgrade`` returns the new payload; the version is set for it. Raises ValueError for an unknown type, a version
    that is no older one, and a step that has its adapter already.
    """
    if not 0 <= version < CURRENT.get(event_type, 0) or (event_type, version) in _UPGRADES:
        raise ValueError(f"no adapter is wanted for {event_type} version {version}")
    _UPGRADES[event_type, version] = upgrade


def lifted(data: dict[str, Any]) -> dict[str, Any]:
    """Return the payload in its type's current version; raises ValidationError where it cannot be."""
    kind, version = data.get("type"), data.get("version", 1)
    if not isinstance(kind, str) or not isinstance(version, int):
        raise unreadable(data, "has no type or no version", "EVENT_MALFORMED")
    if kind not in CURRENT:
        raise unreadable(data, "is of an unknown type", "EVENT_TYPE_UNKNOWN")
    while version != CURRENT[kind]:
        upgrade = _UPGRADES.get((kind, version))
        if upgrade is None:
            raise unreadable(data, f"cannot be lifted to version {CURRENT[kind]}", "EVENT_VERSION_UNKNOWN")
        version += 1
        try:
            data = {**upgrade(data), "type": kind, "version": version}
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            fault = {"fault": type(exc).__name__}
            raise unreadable(data, "does not fit its adapter", "EVENT_MALFORMED", fault) from None
    return data


def unreadable(data: Mapping[str, Any], what: str, code: str, details: dict[str, Any] | None = None) -> ValidationError:
    """Return the error that says what is wrong with a payload, with its type and version at most."""
    kind, version = data.get("type"), data.get("version", 1)
    name = repr(kind[:40]) if isinstance(kind, str) else f"of a {type(kind).__name__}"
    number = version if isinstance(version, int) and 0 <= version < 2**63 else f"of a {type(version).__name__}"
    return ValidationError(f"event {name}, version {number}, {what}", error_code=code, details=details)
