"""The demo fleet's past: samples as the polling would have stored them, made from the same story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from core.models import (
    DiskFigures,
    FilesystemFigures,
    HostSample,
    InterfaceFigures,
    SectionStatus,
    SystemFigures,
)
from core.simulator.fleet import MIB, HostSpec
from core.simulator.story import Levels, levels, noise, used_fraction, was_away

_GRAIN = 64 * MIB  # sizes move in such steps: rows that repeat compress well
