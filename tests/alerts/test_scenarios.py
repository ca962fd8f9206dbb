"""The table of scenarios, each as a test."""

from __future__ import annotations

import pytest

from tests.alerts.scenarios import SCENARIOS, Scenario, told


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_what_is_raised_and_what_rightly_is_not(scenario: Scenario) -> None:
    assert told(scenario) == (scenario.raised, scenario.resolved)
