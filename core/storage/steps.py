"""What one step of setting up the database did, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """The four answers of an idempotent step."""

    CREATED = "created"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step on one target; ``reason`` says what was found or why it failed."""

    step: str
    target: str
    state: StepState
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Nothing is left undone."""
        return self.state is not StepState.FAILED


Progress = Callable[[str], None]
"""Called with one line on what is being done now; must not block."""


def no_progress(line: str) -> None:
    """Take a line and do nothing."""
