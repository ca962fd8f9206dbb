"""The console itself, live or over the demo fleet."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from core.config import ApplicationSettings


def console(args: argparse.Namespace) -> int:
    """Run the console over the inventory."""
    return _run(args, demo=False)


def demo(args: argparse.Namespace) -> int:
    """Run the console over the simulated fleet."""
    return _run(args, demo=True)


def _run(args: argparse.Namespace, *, demo: bool) -> int:
    _need_terminal()
    from console import composition

    def load() -> ApplicationSettings:  # after the first paint: reading settings takes longer than painting
        from console.commands.setup import console_settings

        return console_settings(args)

    return composition.run_console(load, demo=demo)


def _need_terminal() -> None:
    """Refuse where nothing could be drawn or typed; the drawing library writes to stderr."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "the console needs a terminal, and input or output is no terminal here; "
            "for scripts there are `jumpwatch poll --once --json` and `jumpwatch db status --json`"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):  # the terminal's own variable, not a setting
        raise ConfigurationError("the console needs a terminal that can be drawn on; TERM is unset or dumb")
