"""What is looked at before any setting is read: the terminal, and the theme last chosen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from console.terminal import look_at
from console.widgets.themes import NAMES

if TYPE_CHECKING:
    from console.terminal import Terminal

_MOST_BYTES = 256 * 1024


def this_terminal() -> Terminal:
    """Return the terminal we run in: its own variables, which are no settings, and the locale's encoding."""
    return look_at(os.environ, sys.stdout.encoding or "")


def early_theme(environment: Mapping[str, str] | None = None) -> str:
    """Return the theme last chosen, so that a light terminal does not flash dark; empty where nothing tells.

    Looks where the state folder is by default; where a settings file puts it elsewhere the theme comes a moment later.
    """
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_STATE_HOME", "")
    folder = Path(base) if os.path.isabs(base) else Path(environment.get("HOME", "/")) / ".local" / "state"
    try:
        with (folder / "jumpwatch" / "console.json").open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        theme = found["theme"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""  # the memory is read with care, and its faults told, once the settings are there
    return theme if theme in NAMES else ""
