"""Keys bound anew: what may be bound, which wishes are taken, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from console.formatting import clean, nearest
from console.screens.tabs import TABS

_EVERYWHERE = ("app", "main", "tab")
_SHARED = ("list", "sheet")
_ROWS = ("rows", "fleet", "items")  # panes around one list over the fleet
_TYPED = ("filter", "command")  # live while text is typed: their keys are apart
_MODIFIERS = ("ctrl", "shift", "alt", "super", "meta", "hyper")
_NAMED = frozenset(key.value for key in Keys) | frozenset(KEY_NAME_REPLACEMENTS.values())


@dataclass(frozen=True, slots=True)
class Keymap:
    """The wishes that hold, and a line for each that does not."""

    keys: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def bindings() -> dict[str, Binding]:
    """Return every binding that has an id, with its default keys joined by commas; loads every pane."""
    for tab in TABS:
        import_module(tab.module)
    found: dict[str, Binding] = {}
    for cls in _classes(DOMNode):
        if not cls.__module__.startswith("console."):
            continue
        for entry in cls.__dict__.get("BINDINGS", ()):
            if isinstance(entry, Binding) and entry.id:
                found.setdefault(entry.id, entry)
    return found


def _classes(cls: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for child in cls.__subclasses__():
        yield child
        yield from _classes(child)


def make_keymap(wishes: Mapping[str, str], known: Mapping[str, Binding]) -> Keymap:
    """Take the wishes that name a binding and keys that exist, and that take no key from another binding."""
    problems: list[str] = []
    taken: dict[str, str] = {}
    for name, text in wishes.items():
        if name not in known:
            problems.append(f"keys.{clean(name, 60)}: there is no such binding{_nearest(name, known)}")
            continue
        keys = _split(text)
        if wrong := [key for key in keys if not _real(key)]:
            problems.append(
                f"keys.{name}: there is no key {clean(wrong[0], 40)}; write one character, or a name such as f5, "
                "ctrl+e, space, enter, left, pageup"
            )
            continue
        taken[name] = ",".join(_long(key) for key in keys)
    # A wish that clashes is dropped, and the rest is looked at again, for it may have been in its way.
    while clash := _clash(taken, known):
        wish, key, other = clash
        what = known[other].description
        problems.append(
            f"keys.{wish} wants {key}, which {other} ({what}) has: give {other} another key too, or take a free one"
        )
        del taken[wish]
    return Keymap(taken, tuple(problems))


def _clash(taken: Mapping[str, str], known: Mapping[str, Binding]) -> tuple[str, str, str] | None:
    """Return (wish, key, the other binding) of the first wish that takes a key from a binding live beside it."""
    first = {name: set(_split(binding.key)) for name, binding in known.items()}
    now = {name: set(_split(taken[name])) if name in taken else keys for name, keys in first.items()}
    for wish in taken:
        own = wish.partition(".")[0] + "."
        for other, keys in sorted(now.items(), key=lambda each: not each[0].startswith(own)):
            if other == wish or not _beside(wish, other) or _same(known[wish], known[other]):
                continue
            if shared := (now[wish] & keys) - (first[wish] & first[other]):  # what both have from the start takes turns
                return wish, min(shared), other
    return None


def _beside(one: str, other: str) -> bool:
    """Whether two bindings may be live at the same time."""
    a, b = one.partition(".")[0], other.partition(".")[0]
    if a in _TYPED or b in _TYPED:
        return a == b
    if a in _ROWS and b in _ROWS:
        return "rows" in (a, b) or a == b
    return a == b or a in _EVERYWHERE or b in _EVERYWHERE or a in _SHARED or b in _SHARED


def _same(one: Binding, other: Binding) -> bool:
    """Whether one is the other's nearer form: poll this host, poll all; a list's enter, the fleet's enter."""
    name, like = (one.id or "").partition(".")[2], (other.id or "").partition(".")[2]
    return name == like or {one.id, other.id} in ({"main.back", "host.leave"}, {"main.leave", "host.leave"})


def _split(text: str) -> list[str]:
    """Return the keys of a list by commas; a comma by itself is the key."""
    return ["comma"] if text.strip() == "," else [_long(key.strip() or key) for key in text.split(",") if key]


def _long(key: str) -> str:
    """Return the key's name as Textual has it: ``?`` is question_mark."""
    from textual.keys import _character_to_key

    return _character_to_key(key) if len(key) == 1 else key


def _real(key: str) -> bool:
    *modifiers, last = key.split("+")
    if not last or any(each not in _MODIFIERS for each in modifiers):
        return False
    return len(last) == 1 or last in _NAMED or _is_name(last)


def _is_name(key: str) -> bool:
    """Whether it is the long name of a character, such as question_mark."""
    import unicodedata

    from textual.keys import _get_unicode_name_from_key

    try:
        unicodedata.lookup(_get_unicode_name_from_key(key))
    except KeyError:
        return False
    return True


def _nearest(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f"; the nearest is {close}" if close else "; ? shows them all"
