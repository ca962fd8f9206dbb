"""Our figures equal those of this machine's own tools within one interval."""

from __future__ import annotations

import pytest

from tests.collectors.compare import PARTS, Row, settled


@pytest.mark.parametrize("part", PARTS)
def test_figures_are_those_of_the_machines_own_tools(part: str) -> None:
    rows = settled(PARTS[part])
    if not rows:
        pytest.skip("this machine has no such tool, or no such thing")
    assert [row.line() for row in rows if not row.agrees] == []


def test_a_wrong_figure_would_be_seen() -> None:
    assert Row("x", "t", 10, 12, 14).agrees and Row("x", "t", 14, 14.5, 10, 1).agrees
    assert not Row("x", "t", 10, 15, 14).agrees and not Row("x", "t", 10, None, 10).agrees
