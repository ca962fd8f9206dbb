"""A finding's value as JSON and back; pure. What this program cannot read back is no value, and never an error."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import PydanticSerializationError, to_json

from core.models import (
    CheckFigures,
    ContainerFigures,
    DriveFigures,
    Finding,
    PortFigures,
    ProcessFigures,
    ProxiesFigures,
    SectionStatus,
    ServiceFigures,
    SessionFigures,
    UpdateFigures,
    ZfsFigures,
)

MOST_BODY = 512 * 1024  # characters; a larger value is not stored, its line is
_KINDS: dict[str, Any] = {
    "processes": tuple[ProcessFigures, ...],
    "services": tuple[ServiceFigures, ...],
    "containers": tuple[ContainerFigures, ...],
    "drives": tuple[DriveFigures, ...],
    "zfs": ZfsFigures,
    "updates": UpdateFigures,
    "sessions": tuple[SessionFigures, ...],
    "ports": tuple[PortFigures, ...],
    "proxies": ProxiesFigures,
    "check": CheckFigures,
}


@lru_cache(maxsize=16)
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS.get(kind, Any))


def pack_body(finding: Finding) -> str | None:
    """Return the value as JSON; None where there is none, or where it cannot be told in JSON."""
    if finding.value is None:
        return None
    try:
        body = to_json(finding.value, inf_nan_mode="null").decode()
    except (PydanticSerializationError, UnicodeError):  # a plugin's own types, lone surrogates
        return None
    return body if len(body) <= MOST_BODY else None


def finding_from(kind: str, status: str, severity: str, detail: str, body: str | None) -> Finding:
    """Return the finding of its stored parts; ValueError for a status that there is not."""
    value = None
    if body is not None:
        try:
            value = _adapter(kind.partition(":")[0]).validate_json(body)
        except PydanticError:  # written by a program that knew other fields
            value = None
    level: Any = severity if severity in ("info", "warning", "error") else "info"
    return Finding(kind, SectionStatus(status), value, detail, level)
