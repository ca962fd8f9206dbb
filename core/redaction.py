"""What a secret looks like and how it is hidden before it reaches a log, an error, a screen or an export."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

MASK = "***"
MOST_NODES = 10_000  # of one value; what follows is left out and said to be


class _Later:
    """A pattern compiled when it is first asked for: all of them take 6 ms, and no start needs one."""

    sub: Callable[..., str]
    search: Callable[[str], re.Match[str] | None]
    split: Callable[[str], list[str]]

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._source), name)
        setattr(self, name, found)  # asked for once a method
        return found


# Whose value is no secret though a word of its name is one: token_type, password_file.
_HARMLESS = r"(?:total|count|files?|path|length|type|policy|age|ttl|expires|expiry)"
_KEYS = r"(?:api|private|access|secret|signing|encryption|session|master|shared|account)"
# The name stands on its own or as a word of a longer name: db_password, api-key, X-Auth-Token.
_SECRET_NAME = _Later(
    r"password|passwd|passphrase|(?:^|[^a-z])(?:(?:ssh)?pass(?:code|words?)?|pwd|secret|token|credential|authorization|"
    rf"cookie|{_KEYS}[ _-]?key|pin|otp)(?:s?$|[^a-z])|(?:password|secret|token|credential|cookie)s$",
    re.IGNORECASE,
)
_HARMLESS_NAME = _Later(rf"[_-]{_HARMLESS}$", re.IGNORECASE)
_CAMEL = _Later(r"(?<=[a-z0-9])(?=[A-Z])")

# A value in text: quoted in any way (an unfinished quote hides the rest, and one behind backslashes ends nothing: how
# often it was escaped nobody knows), bracketed (hides the line), or a bare word
# with the marks that close what it stands in left over. Placeholders and nothing at all are no secrets.
_QUOTED = (
    r"(?:[bru]{1,2}(?=[\"']))?(?:(?P<e>\\+)(?P<q>[\"']).*?(?:(?<!\\)(?P=e)(?P=q)|\Z)"
    r"|\"(?:[^\"\\]|\\+(?:.|\Z))*+(?:\"|\Z)|'(?:[^'\\]|\\+(?:.|\Z)|'')*+(?:'|\Z))"
)
_NOTHING = r"(?!(?:\$\d+|\?|%s|none|null|\*{3,})(?:[\s,;)\]}\"']|\Z))"
_VALUE = rf"{_NOTHING}(?:{_QUOTED}|[\[({{][^\n]*|[^\s\"'\\]\S*?(?=[\"')\]}}>,;.\\]{{0,16}}+(?:\s|\Z)))"
_WORD = (
    rf"(?:passw(?:or)?d|passphrase|passcode|sshpass|(?<![a-z])(?:pass|pwd)|secret|token|credential|{_KEYS}[ _-]?key)"
)
# Between a name and its value: = or : in its forms, with the quote that closes the name, or a comma after that.
_MARK = r"(?:\\*[\"']?[ \t]*(?:=>|:=|[=:])[ \t]*|\\*[\"'],[ \t]*(?=\\*[bru]{0,2}\\*[\"']))"
_FLAGS = re.IGNORECASE | re.DOTALL

_PEM_NAME = r"[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# An unfinished key block is a secret too: what follows BEGIN is hidden to the end of the text.
_PEM = _Later(rf"-{{4,5}} ?BEGIN {_PEM_NAME}.*?(?:-{{4,5}} ?END {_PEM_NAME}|\Z)", re.DOTALL)
_PEM_END = _Later(rf"-{{4,5}} ?END {_PEM_NAME}")
_PEM_BODY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n\\|"
_PUTTY = _Later(r"(Private-Lines:).*?(?=Private-MAC:|\Z)", re.DOTALL)
_OPENSSH = _Later(r"b3BlbnNzaC1rZXktdjE[\w+/=]*(?:(?:\s|\\n|\|)+[\w+/=]{20,})*")  # "openssh-key-v1" in base64
# Up to the last @ of the run: a password may itself hold an @ or a slash; a port before a path is none.
_URL = _Later(r"(://(?!\[)[^\s:/@]*:)(?!\d{1,5}[/?#])(?:[^\s@]{0,4096}+@)++")
_HEADER = _Later(rf"((?:authorization|cookie){_MARK})(?:{_QUOTED}|digest\b[^\r\n]*|[^\r\n\"']*)", _FLAGS)
_BEARER = _Later(
    r"(\bbearer\s+)(?!(?:tokens?|auth|authentication|authorization|credentials?)(?![\w.~+/=-]))[^\s\"',;<>]{6,}",
    re.IGNORECASE,
)
_BASIC = _Later(r"(\b(?i:basic)\s+)(?=[\w+/=-]*(?:[a-z][A-Z]|[0-9=]))[\w+/=-]{6,}")
_ASSIGNED = _Later(
    rf"({_WORD}s?(?!(?-i:[a-z]{{2}}))(?![\w-]*[_-]{_HARMLESS}\b)[\w-]{{0,64}}(?:{_MARK}|[ \t]+(?=[\"'])))({_VALUE})",
    _FLAGS,
)
_ARGUMENT = _Later(
    rf"((?<![\w-])(?:-{{1,2}}(?:[a-z][\w-]{{0,30}}?)?{_WORD}\\*[\"']?,?[ \t]+|sshpass[ \t]+-p[ \t]*)(?!--))({_VALUE})",
    _FLAGS,
)
# A JSON web token; an AWS key, also with the secret behind it; tokens that their makers gave a prefix.
_TOKEN = _Later(
    r"\beyJ[\w-]{10,}\.[.\w-]*|\bA(?:KI|SI)A[A-Z0-9]{16}(?:\W{1,4}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?"
    r"|\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|sk-[\w-]{20,})"
)
# What pydantic's message quotes of its input: the field's name stands on another line.
_INPUT = _Later(r"(input_value=).*?(?=, input_type=|\Z)", re.DOTALL)

_WORD_MARKS = ("pass", "pwd", "secret", "token", "credential")
_KEY_MARKS = ("api", "private", "access", "sign", "encrypt", "session", "master", "shared", "account")
_TOKEN_MARKS = ("eyJ", "AKIA", "ASIA", "gh", "glpat-", "xox", "sk-")


def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a secret."""
    return _is_secret(name) if len(name) <= 64 else _is_secret.__wrapped__(name[-1000:])


@lru_cache(maxsize=2048)
def _is_secret(name: str) -> bool:
    name = _CAMEL.sub("_", name)
    return _SECRET_NAME.search(name) is not None and _HARMLESS_NAME.search(name) is None


def redact_text(text: str) -> str:
    """Return the text with URLs' passwords, tokens, credentials in headers, named secrets and private keys masked."""
    if len(text) < 16 and (len(text) < 5 or text.isalnum()):  # no room for a name, a mark and a value
        return text
    # Looking for a word is twenty times cheaper than a pattern: most texts have none and are done after these.
    low = text.lower()
    if "private" in low or "b3blbnnzac1" in low:
        text = _without_keys(text)
    if "://" in low and "@" in low:
        text = _URL.sub(rf"\g<1>{MASK}@", text)
    if "authorization" in low or "cookie" in low:
        text = _HEADER.sub(rf"\g<1>{MASK}", text)
    if "bearer" in low:
        text = _BEARER.sub(rf"\g<1>{MASK}", text)
    if "basic" in low:
        text = _BASIC.sub(rf"\g<1>{MASK}", text)
    if any(map(text.__contains__, _TOKEN_MARKS)):
        text = _TOKEN.sub(MASK, text)
    if "input_value=" in low:
        text = _INPUT.sub(rf"\g<1>{MASK}", text)
    if any(map(low.__contains__, _WORD_MARKS)) or ("key" in low and any(map(low.__contains__, _KEY_MARKS))):
        text = _ARGUMENT.sub(rf"\g<1>{MASK}", text)
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", text)
    return text


def _without_keys(text: str) -> str:
    hidden = f"-----PRIVATE KEY {MASK}-----"
    text = _PEM.sub(hidden, text)
    *bodies, rest = _PEM_END.split(text)  # of blocks whose beginning was cut off
    text = "".join(f"{body.rstrip(_PEM_BODY)} {hidden}" for body in bodies) + rest
    return _OPENSSH.sub(MASK, _PUTTY.sub(rf"\g<1> {MASK} ", text))


def safe_text(value: object, most: int | None = None) -> str:
    """Return ``str(value)`` redacted, cut to ``most`` characters and encodable; never raises."""
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - anything may come out of a foreign __str__, and a log line must not fail by it
        return f"<{type(value).__name__}>"
    if most is not None and len(text) > most + 8192:
        text = text[: most + 8192]  # far enough behind the cut that every secret before it shows what it is
    text = redact_text(text)
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates
    return text if most is None or len(text) <= most else text[: most - 1] + "…"


def redact(value: Any, *, max_text: int | None = None, depth: int = 8, most: int = MOST_NODES) -> Any:
    """Return a JSON-able copy with secrets masked by name, by type and by pattern; never raises.

    ``max_text`` cuts each text to that many characters; nesting beyond ``depth`` becomes its type's name; of more
    than ``most`` values in all the rest is left out. Dataclasses and models become objects, other things their text.
    """
    if type(value) is str:
        return safe_text(value, max_text)
    if value is None or value is True or value is False:
        return value
    return _Walk(max_text, most).copy(value, depth)


class _Walk:
    """One walk through a value: what it may still spend, and the containers that it stands in."""

    __slots__ = ("inside", "left", "max_text")

    def __init__(self, max_text: int | None, most: int) -> None:
        self.max_text, self.left = max_text, most
        self.inside: set[int] = set()

    def copy(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if isinstance(value, str):
            return safe_text(value, self.max_text)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):  # past the digits that Python itself is willing to write
            return int.__int__(value) if value.bit_length() <= 256 else f"<{value.bit_length()} bits>"
        if isinstance(value, float):
            return float.__float__(value) if math.isfinite(value) else float.__repr__(value)
        if hasattr(type(value), "get_secret_value"):
            return MASK
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, BaseException) and not hasattr(type(value), "to_dict"):
            return self._error(value)
        return self._container(value, depth)

    def _error(self, error: BaseException) -> str:
        parts = [f"{type(error).__name__}: {safe_text(error, self.max_text)}"]
        notes = getattr(error, "__notes__", ())
        parts += [safe_text(note, self.max_text) for note in notes[:10]] if isinstance(notes, list) else []
        return safe_text("\n".join(parts), self.max_text)

    def _container(self, value: Any, depth: int) -> Any:
        copier = _copier(value)
        if copier is None:
            return safe_text(value, self.max_text)
        if depth <= 0 or id(value) in self.inside:
            return f"<{type(value).__name__}>"
        self.inside.add(id(value))
        try:
            return copier(self, value, depth - 1)
        except Exception:  # noqa: BLE001 - as with text: a foreign container may raise anything
            return f"<{type(value).__name__}>"
        finally:
            self.inside.discard(id(value))

    def pairs(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, item in items:
            if self.left <= 0:
                copied["…"] = "cut"
                break
            name = key if type(key) is str else safe_text(key)
            shown = name if len(name) < 16 and name.isalnum() else safe_text(name, self.max_text)
            copied[shown] = MASK if item is not None and is_secret_name(name) else self.copy(item, depth)
        return copied

    def items(self, items: Iterable[Any], depth: int) -> list[Any]:
        copied: list[Any] = []
        hide = False  # the item after --password, or the second of ("password", ...)
        for item in items:
            if self.left <= 0:
                copied.append("…")
                break
            copied.append(MASK if hide else self.copy(item, depth))
            hide = not hide and type(item) is str and item[:1] == "-" and "=" not in item and is_secret_name(item)
        return copied

    def sequence(self, value: Any, depth: int) -> list[Any]:
        if len(value) == 2 and isinstance(value[0], str) and is_secret_name(value[0]):
            return [safe_text(value[0], self.max_text), MASK]
        return self.items(value, depth)


def _copier(value: Any) -> Callable[[_Walk, Any, int], Any] | None:
    """Return how to copy a value of this kind; None where its text is all there is."""
    kind = type(value)
    if isinstance(value, BaseException):  # ours, for the others have their text alone
        return lambda walk, one, depth: walk.copy(one.to_dict(), depth)
    if isinstance(value, Mapping):
        return lambda walk, one, depth: walk.pairs(one.items(), depth)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return lambda walk, one, depth: walk.pairs(zip(kind._fields, one, strict=False), depth)
    if isinstance(value, list | tuple):
        return lambda walk, one, depth: walk.sequence(one, depth)
    if isinstance(value, set | frozenset):
        return lambda walk, one, depth: walk.items(one, depth)
    if hasattr(kind, "__dataclass_fields__"):
        shown = [name for name, field in kind.__dataclass_fields__.items() if field.repr]
        return lambda walk, one, depth: walk.pairs(((name, getattr(one, name, None)) for name in shown), depth)
    if hasattr(kind, "__pydantic_fields__"):
        return lambda walk, one, depth: walk.pairs(
            (*vars(one).items(), *(getattr(one, "__pydantic_extra__", None) or {}).items()), depth
        )
    return None
