"""Spans and figures in words, as an alert's line has them."""

from __future__ import annotations

from math import isfinite

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def span_words(seconds: float) -> str:
    """Return a span in two units: "1 d 4 h", "5 min", "40 s"."""
    if not isfinite(seconds):
        return "never"
    whole = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _UNITS:
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def figure_words(value: float, unit: str) -> str:
    """Return a figure with its unit: "92%", "3.4 s", "1 d 4 h" for ``time``, a plain number for none."""
    if unit == "time":
        return span_words(value)
    if unit == "state":
        return ""
    text = f"{value:.0f}" if abs(value) >= 20 or value == int(value) else f"{value:.1f}"
    return f"{text}{unit}" if unit in ("", "%") else f"{text} {unit}"
