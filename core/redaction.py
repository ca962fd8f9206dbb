"""What a secret looks like and how it is hidden before it reaches a log, an error, a screen or an export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# The name stands on its own or as a word of a longer name: db_password, api-key, X-Auth-Token.
_SECRET_NAME = re.compile(
    r"(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authorization|cookie|"
    r"(?:api|private|access|signing|encryption)[_-]?key|pin|otp)(?:$|[^a-z])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # An unfinished key block is a secret too: what follows BEGIN is hidden to the end of the text.
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        f"-----PRIVATE KEY {MASK}-----",
    ),
    # Greedy up to the last @ before a slash or space: a password may itself hold an @.
    (re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/]*@", re.IGNORECASE), rf"\g<head>{MASK}@"),
    (re.compile(r"(?P<head>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\g<head>{MASK}"),
    (
        re.compile(
            r"(?P<head>\b[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key)[\w-]*\s*[=:]\s*)"
            r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            re.IGNORECASE,
        ),
        rf"\g<head>{MASK}",
    ),
)


def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a secret."""
    return _SECRET_NAME.search(_CAMEL.sub("_", name)) is not None


def redact_text(text: str) -> str:
    """Return the text with URLs' passwords, bearer tokens, key=value secrets and private keys masked."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, *, max_text: int | None = None, depth: int = 8) -> Any:
    """Return a JSON-able copy with secrets masked by name, by type and by pattern.

    ``max_text`` cuts each text to that many characters; nesting beyond ``depth`` becomes its type's name.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if hasattr(value, "get_secret_value"):
        return MASK
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth <= 0:
            return f"<{type(value).__name__}>"
        if isinstance(value, Mapping):
            return {
                redact_text(str(key)): MASK
                if is_secret_name(str(key)) and item is not None
                else redact(item, max_text=max_text, depth=depth - 1)
                for key, item in value.items()
            }
        return [redact(item, max_text=max_text, depth=depth - 1) for item in value]
    text = redact_text(str(value))
    if max_text is not None and len(text) > max_text:
        text = text[: max_text - 1] + "…"
    return text
