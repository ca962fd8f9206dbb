"""The collector: all of the program but its screen, for as long as it is left to run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING

from console.composition.inspecting import load_extras
from console.composition.running import Running
from core.events import LOUD
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.events import BaseEvent

_STOP_S = 1.9
_UNHEARD_S = 0.2


async def collect(settings: ApplicationSettings, say: Callable[[str], None]) -> None:
    """Poll, store and say what happens, one line an event, until cancelled; then stop within two seconds.

    Where another program polls the same database it stands by and takes over when that one goes.
    """
    running = Running(settings, say, demo=False, extras=await asyncio.to_thread(load_extras, settings))

    def tell(event: BaseEvent) -> None:
        line = f"{event.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%SZ} {event.severity:<7} {event.summary()}"
        say(line)

    running.bus.subscribe(LOUD, tell, name="collector")
    try:
        await running.run(lambda _view: None)
    finally:
        try:
            async with asyncio.timeout(_STOP_S):
                await running.stop()
        except TimeoutError:
            say("not everything closed in time; what was not stored waits in the spool")
        except InfrastructureException as exc:
            say(exc.message)
