"""What the terminal can do, as its environment tells; and sequences that reach it from within tmux or screen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RICH = re.compile(r"256color|direct|kitty|truecolor|ghostty|alacritty|wezterm|foot")
_BARE = re.compile(r"^(?:vt\d+|dumb|unknown|adm|wyse|hp\d|tvi)|-m(?:ono)?$")
_CHUNK = 700  # GNU screen drops a longer string


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal. ``theme`` is what suits it where nobody chose one."""

    theme: str = "dark"
    colour: bool = True  # False: NO_COLOR, or a terminal that has none
    unicode: bool = True
    inside: str = ""  # tmux, screen


def look_at(environment: Mapping[str, str], encoding: str) -> Terminal:
    """Return what the variables and the locale's encoding say."""
    kind = environment.get("TERM", "")
    # The convention's own words: present and not empty.
    colour = not environment.get("NO_COLOR") and not _BARE.search(kind)
    rich = _RICH.search(kind) or environment.get("COLORTERM", "") in ("truecolor", "24bit")
    inside = "tmux" if environment.get("TMUX") else "screen" if environment.get("STY") else ""
    theme = "mono" if not colour else "dark" if rich else "ansi"
    utf8 = encoding.lower().replace("-", "").replace("_", "") == "utf8"
    return Terminal(theme, colour, utf8 and kind != "linux", inside)  # a Linux console's font has 256 or 512 glyphs


def outward(sequence: str, inside: str) -> str:
    """Wrap a sequence so that tmux or screen hands it on to the terminal it runs in."""
    if inside == "tmux":
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if inside == "screen":
        parts = [sequence[at : at + _CHUNK] for at in range(0, len(sequence), _CHUNK)]
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return sequence


def copying(payload: str, inside: str) -> str:
    """Return OSC 52 for a base64 text. tmux takes it itself where set-clipboard is on, and hands the other one on."""
    sequence = f"\x1b]52;c;{payload}\x07"
    return sequence + outward(sequence, inside) if inside == "tmux" else outward(sequence, inside)


def telling(text: str, form: str, inside: str) -> str:
    """Return the desktop message ``osc9`` or ``osc777`` for a text that is clean of control characters."""
    body = text.replace(";", ",")[:200]
    sequence = f"\x1b]9;{body}\x07" if form == "osc9" else f"\x1b]777;notify;Jumpwatch;{body}\x07"
    return outward(sequence, inside)
