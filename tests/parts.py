"""What a test needs beyond Python: skipped where it is missing, a failure where all parts are required."""

from __future__ import annotations

import os

import pytest


def need(name: str, ok: bool, why: str) -> None:
    """Skip the test if a part is missing; with JUMPWATCH_TEST_REQUIRE=all, fail it."""
    if ok:
        return
    if os.environ.get("JUMPWATCH_TEST_REQUIRE") == "all":
        pytest.fail(f"{name} is required and missing: {why}")
    pytest.skip(f"needs {name}: {why}")


def examples(default: int) -> int:
    """How many examples Hypothesis makes; JUMPWATCH_TEST_EXAMPLES asks for more than a quick run wants."""
    return int(os.environ.get("JUMPWATCH_TEST_EXAMPLES", default))
