"""Maintenance by command, with the audit that the console's key leaves; without a database it is done all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.models import PlanRequest

_WAIT_S = 5.0  # a command on the inventory is not held up by a database for longer


async def audited(settings: ApplicationSettings, request: PlanRequest, actor: str) -> str:
    """Do it through the operations; return why the audit does not tell of it, "" where it does.

    Whoever calls it looks at the inventory afterwards: whether it was done does not hang on the database.
    """
    from core.storage.servers.account import has_cluster

    if not settings.database.configured and not has_cluster(settings.data_dir / "postgres"):
        return "no database has been set up yet"
    from console.composition.storage import opened

    try:
        async with asyncio.timeout(_WAIT_S), opened(settings, _unsaid) as storage:
            plan = await storage.operations.plan(request)
            if not plan.refused:
                await storage.operations.apply(plan, plan.confirm, actor)
            return plan.refused
    except TimeoutError:
        return f"the database did not answer within {_WAIT_S:g} s"
    except InfrastructureException as error:
        return error.message


def _unsaid(_text: str) -> None:
    return
