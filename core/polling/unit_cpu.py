"""The CPU that units use: systemd counts their time since the start, two looks make a share of it."""

from __future__ import annotations

from dataclasses import replace

from core.models import Finding, ServiceFigures

_LONGEST_S = 900.0  # between two looks: the mean of a longer time says nothing of now


class UnitCpu:
    """Keeps the CPU time of one host's units from look to look."""

    def __init__(self) -> None:
        self._at = 0.0
        self._spent: dict[str, int] = {}

    def told(self, finding: Finding, at: float) -> Finding:
        """Return the finding with each unit's percent of one CPU since the look before, ``at`` in monotonic seconds.

        A counter that went back is another start of the unit: how much it used is not known.
        """
        if finding.kind != "services" or not isinstance(finding.value, tuple):
            return finding
        units = [unit for unit in finding.value if isinstance(unit, ServiceFigures)]
        before, self._spent = self._spent, {unit.unit: unit.cpu_ns for unit in units if unit.cpu_ns is not None}
        passed, self._at = at - self._at, at
        if not before or not 0 < passed <= _LONGEST_S:
            return finding
        return replace(finding, value=tuple([_with_share(unit, before.get(unit.unit), passed) for unit in units]))


def _with_share(unit: ServiceFigures, before: int | None, passed: float) -> ServiceFigures:
    if unit.cpu_ns is None or before is None or unit.cpu_ns < before:
        return unit
    return replace(unit, cpu_pct=round((unit.cpu_ns - before) / passed / 1e7, 2))
