"""Runs the console on the fake fleet: ``python -m tests.console.harness [hosts] [--plain] [--calm]``."""

from __future__ import annotations

import sys

from console.app import JumpwatchApp
from console.composition.early import this_terminal
from tests.console.fake_services import FakeServices


def main(arguments: list[str]) -> None:
    """Run until quit."""
    counts = [int(each) for each in arguments if each.isdigit()]
    services = FakeServices(
        counts[0] if counts else 12,
        plain="--plain" in arguments,
        trouble="--calm" not in arguments,
        slow_start_s=0.5 if "--slow" in arguments else 0.05,
    )
    services.read_only = "--rw" not in arguments
    JumpwatchApp(services, this_terminal()).run()


if __name__ == "__main__":
    main(sys.argv[1:])
