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
    def load() -> ApplicationSettings:  # after the first paint: reading settings takes longer than painting
        from console.commands.setup import console_settings

        return console_settings(args)

    plain = args.plain or (_speaks_of_plain(args) and load().console.plain)
    if not plain:
        _need_terminal()
    from console import composition

    return (composition.run_plain if plain else composition.run_console)(load, demo=demo)


def _speaks_of_plain(args: argparse.Namespace) -> bool:
    """Whether lines of text may be wanted: only then are the settings read before the first paint."""
    if os.environ.get("JUMPWATCH_CONSOLE_PLAIN"):
        return True
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.environ.get("HOME", "/"), ".config")
    folder = os.environ.get("JUMPWATCH_CONFIG_DIR") or os.path.join(base, "jumpwatch")
    named = args.config or os.environ.get("JUMPWATCH_CONFIG_FILE") or os.path.join(folder, "config.toml")
    for file in (named, os.path.join(folder, ".env")):
        try:
            with open(file, "rb") as opened:
                if b"plain" in opened.read(1 << 20).lower():
                    return True
        except OSError:
            continue  # whoever reads the settings says what is wrong
    return False


def _need_terminal() -> None:
    """Refuse where nothing could be drawn or typed; the drawing library writes to stderr."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "the console needs a terminal, and input or output is no terminal here; "
            "`jumpwatch --plain` wants none, and for scripts there are `jumpwatch poll --once --json` and "
            "`jumpwatch db status --json`"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):  # the terminal's own variable, not a setting
        raise ConfigurationError("the console needs a terminal that can be drawn on; TERM is unset or dumb")
