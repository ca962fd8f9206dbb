"""Helpers of the parsers: names made safe to show and store, and the error for text that cannot be read."""

from __future__ import annotations

import re

from core.exceptions import DataCollectionError

_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
_NAME_MAX = 512


def clean(name: str) -> str:
    """Return a name without control characters (terminal escapes, NUL), cut to a sane length."""
    if not name.isprintable():
        name = "".join(c if c.isprintable() else "?" for c in name)
    return name[:_NAME_MAX]


def name_of(raw: bytes) -> str:
    """Return the name of a device as text that is safe to show."""
    return clean(raw.decode("utf-8", "replace"))


def unescape(field: str) -> str:
    """Undo the octal escapes of /proc/mounts (proc(5): space, tab, newline, backslash)."""
    if "\\" not in field:
        return field
    raw = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)
    try:  # the kernel escapes single bytes, which together may be UTF-8
        return raw.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return raw


def unreadable(section: str, text: bytes) -> DataCollectionError:
    """The error for a section that is not in its format; it names the section and shows the start."""
    start = clean(text[:60].decode("utf-8", "replace").replace("\n", " | "))
    return DataCollectionError(
        f"{section} cannot be read: {start!r}", operation="collect", details={"kind": "data", "section": section}
    )
