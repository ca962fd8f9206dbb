"""How figures, sizes, ages and foreign text are put on a line; pure, no screen library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

DASH = "–"
"""What stands for a figure that is not known; a zero never does."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_UNITS = ("B", "K", "M", "G", "T", "P", "E")
_LONG_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def clean(text: str, limit: int = 4000) -> str:
    """Return foreign text as one printable line: escape sequences, control and direction characters go."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    text = _ESCAPES.sub("", text)
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


def clean_lines(text: str, limit: int = 4000) -> list[str]:
    """Return foreign text as printable lines, keeping its line breaks alone."""
    return [clean(line) for line in text[:limit].splitlines()]


def short_bytes(value: float | None) -> str:
    """Return bytes in at most five characters: ``512B``, ``1.5K``, ``12M``; a dash where unknown."""
    return _scaled(value, _UNITS, "")


def long_bytes(value: float | None) -> str:
    """Return bytes with the unit written out: ``1.5 KiB``."""
    return _scaled(value, _LONG_UNITS, " ")


def rate(value: float | None) -> str:
    """Return bytes a second with its unit: ``1.5 KiB/s``."""
    return DASH if value is None else long_bytes(value) + "/s"


def _scaled(value: float | None, units: tuple[str, ...], gap: str) -> str:
    if value is None:
        return DASH
    size, unit = float(value), units[0]
    for unit in units:
        if abs(size) < 999.5 or unit == units[-1]:
            break
        size /= 1024
    digits = 1 if unit != units[0] and abs(size) < 9.95 else 0
    return f"{size:.{digits}f}{gap}{unit}"


def percent(value: float | None) -> str:
    """Return ``42%``; a dash where unknown."""
    return DASH if value is None else f"{value:.0f}%"


def number(value: float | None, digits: int = 2) -> str:
    """Return a plain figure, with fewer digits as it grows."""
    if value is None:
        return DASH
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """Return a whole number with thousands apart: ``12 345``."""
    return DASH if value is None else f"{value:,}".replace(",", " ")


def ratio(value: float | None) -> str:
    """Return ``11.4x``; a dash where unknown."""
    return DASH if value is None else f"{value:.1f}x"


def age(seconds: float | None) -> str:
    """Return a span in at most four characters: ``3s``, ``12m``, ``5h``, ``9d``; a dash where unknown."""
    if seconds is None:
        return DASH
    whole = max(0, int(seconds))
    for unit, size, bound in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if whole < bound:
            return f"{whole // size}{unit}"
    days = whole // 86_400
    return f"{days}d" if days < 1000 else f"{min(days // 365, 999)}y"


def span(seconds: float | None) -> str:
    """Return a span in two units: ``2d 3h``, ``4m 10s``; a dash where unknown."""
    if seconds is None:
        return DASH
    whole = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount}{unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0s"


def seconds_between(later: datetime, earlier: datetime | None) -> float | None:
    """Return the seconds from the earlier moment to the later; None where there is none."""
    return None if earlier is None else (later - earlier).total_seconds()


def moment(value: datetime | None, utc: bool = True, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a moment in UTC or local time; a dash where unknown."""
    if value is None:
        return DASH
    return (value.astimezone(UTC) if utc else value.astimezone()).strftime(form)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that is most like a mistyped one, None where none is; a right first letter counts."""
    from difflib import SequenceMatcher

    def likeness(other: str) -> float:
        return SequenceMatcher(None, word, other).ratio() + 0.1 * (word[:1] == other[:1])

    best = max(words, key=likeness, default=None)
    return best if best is not None and likeness(best) >= 0.6 else None
