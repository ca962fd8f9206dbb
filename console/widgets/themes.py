"""The themes: dark, light, high contrast, the terminal's own 16 colours, and none at all."""

from __future__ import annotations

from textual.theme import Theme

MIX = "jumpwatch-mix"
"""Variable of a theme: how far dim text goes into the background, 1 as in the dark theme, 0 not at all."""
PREFIX = "jumpwatch-"
MONO = PREFIX + "mono"


def _native(name: str, primary: str, secondary: str, success: str, warning: str, error: str) -> Theme:
    return Theme(
        name=PREFIX + name,
        primary=primary,
        secondary=secondary,
        accent=primary,
        success=success,
        warning=warning,
        error=error,
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        ansi=True,
        dark=True,
        boost="ansi_default",
        variables={
            "border-blurred": "ansi_default",
            "block-cursor-foreground": "ansi_default",
            "input-cursor-text-style": "reverse",
            "input-cursor-background": "ansi_default",
            "input-cursor-foreground": "ansi_default",
            "input-selection-background": "ansi_bright_blue" if name == "ansi" else "ansi_default",
            "ansi-background": "ansi_default",
            "ansi-foreground": "ansi_default",
        },
    )


_DARK = Theme(
    name="jumpwatch",
    primary="#6cb6ff",
    secondary="#b083f0",
    accent="#6cb6ff",
    success="#6bc46d",
    warning="#daaa3f",
    error="#f47067",
    foreground="#cdd9e5",
    background="#12161b",
    surface="#1c2129",
    panel="#2b3440",
    dark=True,
)


def make_theme(name: str) -> Theme:
    """Return the theme of that short name; an unknown one gives the dark theme."""
    if name == "light":
        return Theme(
            name=PREFIX + name,
            primary="#0b57a4",
            secondary="#6b3fa0",
            accent="#0b57a4",
            success="#1a6b2c",
            warning="#855300",
            error="#b3261e",
            foreground="#1b242d",
            background="#fbfaf8",
            surface="#eeece8",
            panel="#d5dde6",
            dark=False,
            variables={MIX: "0.75"},
        )
    if name == "contrast":
        return Theme(
            name=PREFIX + name,
            primary="#7fd4ff",
            secondary="#e0b0ff",
            accent="#7fd4ff",
            success="#5cff5c",
            warning="#ffd83d",
            error="#ff8f87",
            foreground="#ffffff",
            background="#000000",
            surface="#101010",
            panel="#3a3a3a",
            dark=True,
            variables={MIX: "0.4"},
        )
    if name == "ansi":
        return _native(name, "ansi_cyan", "ansi_magenta", "ansi_green", "ansi_yellow", "ansi_red")
    if name == "mono":
        return _native(name, *["ansi_default"] * 5)
    return _DARK


NAMES = ("dark", "light", "contrast", "ansi", "mono")
