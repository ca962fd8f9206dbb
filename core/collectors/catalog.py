"""The slow collectors by name, with their default intervals; checks and chosen services are made to order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.collectors.collector import Collector
from core.collectors.processes import PROCESSES

COLLECTORS: Mapping[str, Collector] = {one.name: one for one in (PROCESSES,)}


def services_of(units: Sequence[str], base: Collector | None = None) -> Collector:
    """Return the services collector that also tells of these units; raises ValidationError for a foreign name."""
    raise NotImplementedError


def check(name: str, argv: Sequence[str], *, interval_s: float = 300.0, timeout_s: float = 30.0) -> Collector:
    """Return a collector that runs an existing Nagios plugin; its finding's kind is ``check:NAME``."""
    raise NotImplementedError
