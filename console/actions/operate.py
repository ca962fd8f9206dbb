"""Planning and applying: one operation a drawer; it goes on when its drawer is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.formatting import clean
from core.exceptions import InfrastructureException

if TYPE_CHECKING:  # no plan is made before the first paint
    from console.services import ConsoleServices
    from core.models import Outcome, Plan, PlanRequest


@dataclass
class Operation:
    """A plan and what became of it. ``watcher`` is called at every change while somebody looks."""

    plan: Plan
    started: bool = False
    done: int = 0
    total: int = 0
    at_hand: str = ""
    outcome: Outcome | None = None
    error: str = ""
    watcher: Callable[[], None] | None = field(default=None, repr=False)
    cut: Callable[[], object] | None = field(default=None, repr=False)  # stops it; None while there is nothing to stop

    def stop(self) -> bool:
        """Stop it where it runs; say whether it did. What was done stays done, and the audit has both."""
        if not self.running or self.cut is None:
            return False
        cut, self.cut = self.cut, None
        cut()
        return True

    @property
    def running(self) -> bool:
        """True from the start to the outcome or the error."""
        return self.started and self.outcome is None and not self.error

    @property
    def label(self) -> str:
        """One short line: what runs and how far it is."""
        parts = f" {self.done}/{self.total}" if self.total else ""
        return f"{clean(self.plan.title)}{parts}"

    def told(self) -> None:
        """Tell the watcher that something changed."""
        if self.watcher is not None:
            self.watcher()


class Operator:
    """Makes plans and carries them out through the services; owns no task: its callers' workers do."""

    def __init__(self, services: ConsoleServices) -> None:
        self._services = services
        self.running: list[Operation] = []

    async def plan(self, request: PlanRequest) -> Operation:
        """Return the operation, planned; raises an InfrastructureException where there is no plan."""
        return Operation(await self._services.plan(request))

    async def again(self, operation: Operation) -> Operation:
        """Return the same request planned anew: read-only was left, or the plan went stale."""
        return await self.plan(operation.plan.request)

    async def apply(self, operation: Operation, typed: str) -> None:
        """Carry the operation out; its outcome or its error is left in it."""

        def progress(done: int, total: int, at_hand: str) -> None:
            operation.done, operation.total, operation.at_hand = done, total, at_hand
            operation.told()

        task = asyncio.current_task()
        operation.started, operation.cut = True, task.cancel if task is not None else None
        operation.total = len(operation.plan.targets)
        self.running.append(operation)
        operation.told()
        try:
            operation.outcome = await self._services.apply(operation.plan, typed, progress)
        except InfrastructureException as error:
            operation.error = error.message
        except asyncio.CancelledError:
            operation.error = f"stopped after {operation.done} of {operation.total}; the audit says what was done"
            raise
        finally:
            operation.cut = None
            self.running.remove(operation)
            operation.told()
