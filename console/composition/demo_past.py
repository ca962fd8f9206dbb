"""The states that the demo's hosts went through before it began, as a poller would have seen them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.live_state import fullest
from core.models import HostState, Reason, Transition
from core.polling.assess import Assessor

if TYPE_CHECKING:
    from core.models import HostSample
    from core.polling.assess import Limits

_MISSED = 1.5  # steps without a sample after which a host counts as away


class PastStates:
    """Looks at samples as they pass, ordered by time, and keeps the transitions that they tell of."""

    def __init__(self, limits: Limits, step_s: float) -> None:
        self._limits, self._step = limits, timedelta(seconds=step_s)
        self._assessors: dict[str, Assessor] = {}
        self._states: dict[str, HostState] = {}
        self._seen: dict[str, datetime] = {}
        self.transitions: list[Transition] = []

    def watch(self, samples: Iterable[HostSample]) -> Iterator[HostSample]:
        """Yield the samples as they come."""
        for sample in samples:
            self._look(sample)
            yield sample

    def _look(self, sample: HostSample) -> None:
        host, seen = sample.host, self._seen.get(sample.host)
        if seen is not None and sample.ts - seen > _MISSED * self._step:
            detail = "nothing answers: the connection timed out"
            self._note(host, seen + self._step, HostState.OFFLINE, Reason.TIMEOUT, detail)
        assessor = self._assessors.setdefault(host, Assessor(self._limits))
        self._note(host, sample.ts, *assessor.assess(sample, sample.system.mem_pct, fullest(sample)))
        self._seen[host] = sample.ts

    def _note(self, host: str, ts: datetime, new: HostState, reason: Reason, detail: str) -> None:
        old = self._states.get(host, HostState.UNKNOWN)
        if new is not old:
            self._states[host] = new
            self.transitions.append(Transition(host, ts, old, new, reason, detail))
