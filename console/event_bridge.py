"""From the core to the screen: core events and changes of state become at most a few views a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.events import LOUD

if TYPE_CHECKING:
    from core.events import EventBus
    from core.live_state import LiveState
    from core.models import FleetView

_RATE_S = 0.25
Refresh = Callable[[], None]


class EventBridge:
    """Posts the newest view when something changed, however many events made the change."""

    def __init__(
        self, bus: EventBus, live: LiveState, post: Callable[[FleetView], None], refresh: Refresh | None = None
    ) -> None:
        self._bus, self._live, self._post, self._refresh = bus, live, post, refresh

    async def run(self) -> None:
        """Bridge until cancelled."""
        unsubscribe = self._bus.subscribe(LOUD, self._live.record_event, name="live-events", capacity=4096)
        posted = -1
        try:
            while True:
                if self._refresh is not None:
                    self._refresh()
                self._live.set_bus_stats(self._totals())
                if self._live.version != posted:
                    posted = self._live.version
                    self._post(self._live.current())
                await asyncio.sleep(_RATE_S)
        finally:
            unsubscribe()

    def _totals(self) -> dict[str, int]:
        stats = self._bus.stats()
        lanes = [lane.total for lane in stats.subscribers.values()]
        return {
            "published": sum(stats.published.values()),
            "delivered": sum(lane.delivered for lane in lanes),
            "failed": sum(lane.failed for lane in lanes),
            "dropped": sum(lane.dropped for lane in lanes),
        }
