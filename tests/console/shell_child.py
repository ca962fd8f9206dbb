"""A console on a moving fake fleet whose ssh is a small program: run in a terminal of its own by the shell's test."""

from __future__ import annotations

import sys

from console.app import JumpwatchApp
from core.models import FleetView
from tests.console.fake_services import FakeServices

SCRIPT = 'echo "begun $0"; read line; echo "got $line"; exit 3'


class Counting(FakeServices):
    """Tells in a file how many views came, so that the test sees the loop run on."""

    def push(self, view: FleetView | None = None) -> None:
        super().push(view)
        with open(sys.argv[1], "a") as file:
            file.write(".")


def main() -> None:
    services = Counting(tick_s=0.1)
    services.ssh = ("sh", "-c", SCRIPT, "the-shell")
    JumpwatchApp(services).run()


if __name__ == "__main__":
    main()
