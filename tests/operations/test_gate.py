"""The gate: shut on first start, opens for a while, shut in the past."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.exceptions import BusinessLogicError, ValidationError
from core.operations import Gate
from tests.operations.fakes import NOW, HandClock


def test_shut_on_first_start() -> None:
    gate = Gate()
    assert gate.read_only and gate.read_only_until is None
    with pytest.raises(BusinessLogicError, match="read-only"):
        gate.check()


def test_opens_for_a_while_and_shuts_by_itself() -> None:
    clock = HandClock()
    gate = Gate(clock=clock)
    gate.unlock(300)
    assert not gate.read_only and gate.read_only_until == NOW + timedelta(seconds=300)
    clock.move(299)
    gate.check()
    clock.wall -= timedelta(days=1)  # a clock set back opens nothing for longer
    clock.ticks += 1
    with pytest.raises(BusinessLogicError, match="came back by itself"):
        gate.check()
    assert gate.read_only and gate.read_only_until is None


def test_lock_at_once() -> None:
    gate = Gate()
    gate.unlock(60)
    gate.lock()
    assert gate.read_only


def test_a_command_has_no_end() -> None:
    gate = Gate(read_only=False)
    gate.check()
    assert gate.read_only_until is None


@pytest.mark.parametrize("seconds", [0, -1, 0.5, 86401, float("inf"), float("nan")])
def test_odd_times_are_refused(seconds: float) -> None:
    with pytest.raises(ValidationError):
        Gate().unlock(seconds)


def test_nothing_in_the_past() -> None:
    gate = Gate(read_only=False)
    gate.set_replay(True)
    assert gate.read_only
    with pytest.raises(BusinessLogicError, match="go back to live"):
        gate.unlock(60)
    gate.set_replay(False)
    gate.check()


def test_what_the_role_may_not_no_key_unlocks() -> None:
    gate = Gate(read_only=False)
    gate.forbid("the role anna may look and not write")
    assert gate.read_only
    for try_it in (lambda: gate.unlock(60), gate.check):
        with pytest.raises(BusinessLogicError, match="anna may look"):
            try_it()
    gate.forbid("")
    gate.check()
