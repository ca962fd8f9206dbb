"""A sink that is there before the database's writer is: samples wait in memory until it comes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from core.models import HostFinding, HostSample, ItemSample, WriterStats

if TYPE_CHECKING:
    from core.models import Transition
    from core.ports import SampleSink

_BOUND = 100_000


class LateSink:
    """Hands everything to the writer once attached; until then keeps it, bounded, and counts what it drops."""

    def __init__(self) -> None:
        self._sink: SampleSink | None = None
        self._waiting: deque[HostSample | ItemSample | Transition | HostFinding] = deque()
        self._dropped = 0

    def attach(self, sink: SampleSink) -> None:
        """Pass on what waited, then everything that comes."""
        self._sink = sink
        while self._waiting:
            self._pass(sink, self._waiting.popleft())

    def put(self, sample: HostSample) -> None:
        """Take a sample at once."""
        self._take(sample)

    def put_items(self, sample: ItemSample) -> None:
        """Take what containers and units used at once."""
        self._take(sample)

    def put_transition(self, transition: Transition) -> None:
        """Take a change of state at once."""
        self._take(transition)

    def put_finding(self, finding: HostFinding) -> None:
        """Take what a slow collector found at once."""
        self._take(finding)

    def stats(self) -> WriterStats:
        """The writer's own figures, with what was dropped before it came."""
        if self._sink is None:
            return WriterStats(queued=len(self._waiting), dropped=self._dropped)
        stats = self._sink.stats()
        return replace(stats, dropped=stats.dropped + self._dropped) if self._dropped else stats

    def _take(self, item: HostSample | ItemSample | Transition | HostFinding) -> None:
        if self._sink is not None:
            self._pass(self._sink, item)
            return
        if len(self._waiting) >= _BOUND:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(item)

    @staticmethod
    def _pass(sink: SampleSink, item: HostSample | ItemSample | Transition | HostFinding) -> None:
        if isinstance(item, HostSample):
            sink.put(item)
        elif isinstance(item, ItemSample):
            sink.put_items(item)
        elif isinstance(item, HostFinding):
            sink.put_finding(item)
        else:
            sink.put_transition(item)
