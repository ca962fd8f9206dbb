"""What a test needs beyond Python: skipped where it is missing, a failure where all parts are required."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def need(name: str, ok: bool, why: str) -> None:
    """Skip the test if a part is missing; with JUMPWATCH_TEST_REQUIRE=all, fail it."""
    if ok:
        return
    if os.environ.get("JUMPWATCH_TEST_REQUIRE") == "all":
        pytest.fail(f"{name} is required and missing: {why}")
    pytest.skip(f"needs {name}: {why}")


def close_pipes(child: asyncio.subprocess.Process) -> None:
    """Close the pipes of a child that was killed: what it started itself may hold them beyond this loop."""
    child._transport.close()  # type: ignore[attr-defined]


def examples(default: int) -> int:
    """How many examples Hypothesis makes; JUMPWATCH_TEST_EXAMPLES asks for more than a quick run wants."""
    return int(os.environ.get("JUMPWATCH_TEST_EXAMPLES", default))


@contextmanager
def kept_logging() -> Iterator[None]:
    """Put back what configure_logging changes of the process."""
    from core.logging import shutdown_logging

    root = logging.getLogger()
    level, complaints, last = root.level, logging.raiseExceptions, logging.lastResort
    try:
        yield
    finally:
        shutdown_logging()
        root.setLevel(level)
        logging.raiseExceptions, logging.lastResort = complaints, last
        for name in ("asyncio", "asyncssh", "sqlalchemy", "alembic"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.captureWarnings(False)
