"""What is asked rather than told: brought into the live state as it stands, and announced once on the bus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.composition.losses import Losses
from core.events import HostKeyWaiting, Notice, PollingMeasured

if TYPE_CHECKING:
    from console.composition.running import Running

_MEASURE_S = 5.0


class Standing:
    """Looks at the writer, the host keys and logins that wait, and at what polling costs."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._losses = Losses(running.bus, running.clock)
        self._announced: set[tuple[str, str]] = set()

    def refresh(self) -> None:
        """Bring the writer, reviews and logins into the live state; four times a second."""
        running = self._running
        reviews, secrets = running.keys.pending(), running.secrets.pending()
        writer = running.storage.sink.stats()
        running.live.set_standing(writer=writer, reviews=reviews, secrets=secrets)
        self._losses.look(writer)
        for request in secrets:
            if self._is_new(request.place, request.text):
                text = f"login: {request.place} asks {request.text!r}; L answers"
                running.bus.emit_nowait(Notice(source="ssh", text=text, level="warning"))
        for review in reviews:
            if self._is_new(review.host, review.fingerprint):
                host, fingerprint = review.host, review.fingerprint
                running.bus.emit_nowait(
                    HostKeyWaiting(source="ssh", host=host, fingerprint=fingerprint, changed=review.changed)
                )

    def _is_new(self, place: str, what: str) -> bool:
        new = (place, what) not in self._announced
        self._announced.add((place, what))
        return new

    async def measure(self) -> None:
        """Show what polling costs, and put the totals on the bus, until cancelled."""
        running = self._running
        while True:
            await asyncio.sleep(_MEASURE_S)
            view = running.supervisor.figures()
            running.live.set_standing(polling=view)
            total = view.total
            running.bus.emit_nowait(
                PollingMeasured(
                    source="poller",
                    hosts=len(view.hosts),
                    frames=total.frames,
                    bytes=total.bytes,
                    commands=total.commands,
                    timeouts=total.timeouts,
                    failures=sum(total.failures.values()),
                    lag_s=total.lag_s,
                    connect_s=total.connect_s,
                    metadata={kind: str(times) for kind, times in total.failures.items()},
                )
            )
