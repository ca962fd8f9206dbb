"""What every line passes on its way to the terminal: plain characters where the locale knows no others."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

# One cell for one cell, so that no column moves.
_PLAIN = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.,-=+*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", ".::|||#", strict=True)),
    **dict(zip("─━═│┃║┌┐└┘├┤┬┴┼╭╮╰╯╱╲", "--=|||+++++++++++++/\\", strict=True)),
    **dict(zip("●○◇◆▲△▼▽▾▴✗✓✔✘·•…–—", "*o<>^^vvv^xvvx..~--", strict=True)),
    **dict(zip("▶◀▸►◄›‹»«→←↑↓↵⇧┄‼", "><>><><><><^v/S-!", strict=True)),
    **dict(zip("▓░▒▚▕▐▔▀▖▗▘▝▙▟■□▪▫", '#.%/||""....##Xo*.', strict=True)),
    **dict(zip("“”‘’´×÷±°µ≥≤≠≈ß", "\"\"'''x/+ou><!~s", strict=True)),
}
_TABLE = {ord(mark): plain for mark, plain in _PLAIN.items()}


@lru_cache(4096)
def plain_text(text: str) -> str:
    """Return the text in ASCII at the same width; a character without a likeness becomes a question mark a cell."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    if text.isascii():
        return text
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in text)


class AsciiGlyphs(LineFilter):
    """Draws everything in ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with plain characters."""
        return [Segment(plain_text(text), style, control) for text, style, control in segments]
