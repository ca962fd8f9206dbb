"""Keys that nothing reads: a typing error in a file must not pass in silence, nor one in a variable unsaid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.config.fields import variable_name
from core.config.layers import Layer

Known = Mapping[str, Sequence[str]]  # fields by section, "" for the application's own


def file_problems(layer: Layer, known: Known) -> Iterator[str]:
    """Yield a problem for each key of a file (or flag) that nothing reads, with the nearest one that something does."""
    for name in _unknown(layer, known):
        yield f"{layer.label}: unknown setting {name}"
    for section, values in layer.values.items():
        for key, value in values.items():
            if isinstance(value, dict):
                yield f"{layer.label}: {section}.{key} must be a value, not a table"


def unread_variables(layer: Layer, known: Known) -> Iterator[str]:
    """Yield a line for each variable of the environment that nothing reads; others may own some, so no error."""
    for name in _unknown(layer, known):
        if not name.startswith("JUMPWATCH_TEST_"):
            yield f"nothing reads the variable {name}"


def _unknown(layer: Layer, known: Known) -> Iterator[str]:
    sections = [name for name in known if name]
    names = [variable_name(section, key) for section, keys in known.items() for key in keys]
    for section, values in layer.values.items():
        if section not in known:
            yield f"[{section}]{_hint(section, sections)}"
            continue
        for key in values:
            if key in known[section]:
                continue
            if layer.variables:
                variable = variable_name(section, key)
                yield variable + _hint(variable, names)
            else:
                close = [*known[section], *(sections if section == "" else ())]
                yield (f"{section}.{key}" if section else key) + _hint(key, close)


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""
