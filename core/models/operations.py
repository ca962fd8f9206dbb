"""What somebody wants done, what it would do, and what it did."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.models.hostwork import HostResult


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What somebody wants done: an action of the catalog and its arguments (plain, JSON-able).

    It is made at the key press or command, so its correlation id joins that with all that comes of it.
    """

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str = field(default_factory=lambda: secrets.token_hex(6), compare=False)


@dataclass(frozen=True, slots=True)
class PlanTarget:
    """One exact thing that a plan touches; ``note`` holds its figures in words."""

    name: str
    note: str = ""
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do: exact targets and statements; ``hash`` binds apply to this very plan."""

    request: PlanRequest
    title: str
    targets: tuple[PlanTarget, ...]
    statements: tuple[str, ...]
    confirm: str  # what must be typed
    destructive: bool
    summary: str  # what a dry run says, in figures
    hash: str
    warnings: tuple[str, ...] = ()
    refused: str = ""  # why it may not be applied (read-only, role, mode); empty where it may


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an applied plan did."""

    ok: bool
    audit_id: str
    summary: str
    done: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()  # target, reason
    before_bytes: int | None = None
    after_bytes: int | None = None
    correlation_id: str | None = None
    results: tuple[HostResult, ...] = ()  # of actions on hosts, in the order they ended
