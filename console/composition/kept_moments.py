"""The moments of the past that were read last; those whose rows may still come are kept for seconds alone."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models import FleetView
    from core.ports import Clock

_MOST = 12  # a thousand hosts are some 4 MB each
_SETTLED = timedelta(minutes=2)  # rows of the time after it may still come
_FRESH_S = 5.0


@dataclass(frozen=True, slots=True)
class _Kept:
    view: FleetView
    read: float  # monotonic
    settled: bool


class KeptMoments:
    """A few views by their moment, the one not asked for longest falling out first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[datetime, _Kept] = OrderedDict()

    def __contains__(self, at: datetime) -> bool:
        return self.get(at) is not None

    def put(self, at: datetime, view: FleetView) -> None:
        """Keep a view."""
        self._kept[at] = _Kept(view, self._clock.monotonic(), at < self._clock.now() - _SETTLED)
        self._kept.move_to_end(at)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def get(self, at: datetime) -> FleetView | None:
        """Return the view of a moment; None where it is not kept, or may have changed."""
        kept = self._kept.get(at)
        if kept is None or (not kept.settled and self._clock.monotonic() - kept.read > _FRESH_S):
            return None
        self._kept.move_to_end(at)
        return kept.view

    def clear(self) -> None:
        """Keep nothing: another database."""
        self._kept.clear()
