"""The settings described from their own fields: a table for the README, a JSON Schema for editors and programs.

``python -m core.config.reference [README.md]`` writes the table anew between the file's two markers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core.config.application import OWN_FIELDS, SECTION_CLASSES, ApplicationSettings
from core.config.console import KEYS
from core.config.fields import bound_text, holds_secret, number_range, other_name, variable_name
from core.config.types import Kind
from core.exceptions import ConfigurationError

BEGIN, END = "<!-- settings: begin, made by python -m core.config.reference -->", "<!-- settings: end -->"
LATER = "a later piece"
# Made when settings are read, so no field's default says so.
_FOLDERS = {
    "config_dir": "$XDG_CONFIG_HOME/jumpwatch",
    "data_dir": "$XDG_DATA_HOME/jumpwatch",
    "state_dir": "$XDG_STATE_HOME/jumpwatch",
    "cache_dir": "$XDG_CACHE_HOME/jumpwatch",
    "inventory_file": "$XDG_CONFIG_HOME/jumpwatch/hosts.toml",
}
_CONFIG_FILE = (
    "| `JUMPWATCH_CONFIG_FILE` | path | `config.toml` in the config folder | the TOML file; flag `--config` |"
)
_SIZE = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]?[iI]?[bB]?)\s*$"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting: its place, and the field that says all the rest."""

    section: str
    field: str
    info: FieldInfo

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return variable_name(self.section, self.field)

    @property
    def type(self) -> Any:
        """Its type without "or nothing"."""
        parts = [part for part in get_args(self.info.annotation) if part is not type(None)]
        optional = type(None) in get_args(self.info.annotation)
        annotation = parts[0] if optional else self.info.annotation
        return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation

    @property
    def kind(self) -> str:
        """Type and range in words."""
        if get_origin(self.type) is Literal:
            return ", ".join(f"`{word}`" for word in get_args(self.type))
        found = next((rule.text for rule in self._rules() if isinstance(rule, Kind)), "")
        text = found or {bool: "`true` or `false`", int: "whole number", float: "number"}[self.type]
        low, high = number_range(self.info)
        return text if low is None else f"{text}, {self._amount(low)} to {self._amount(high)}"

    @property
    def default(self) -> str:
        """Its default in words: "none" where there is none."""
        if self.info.is_required():
            return _FOLDERS[self.field]
        value = self.info.default
        if value is None or value == ():
            return "none"
        if isinstance(value, bool):
            return str(value).lower()
        return f"{value:g}" if isinstance(value, float) else self._amount(value)

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema, as it is written in the TOML file."""
        described: dict[str, Any] = {"description": str(self.info.description), "x-env": self.variable}
        if other := other_name(self.section, self.field):
            described["x-env-also"] = other
        if number_range(self.info)[0] is not None:
            described["x-range"] = self.kind
        if (self.section, self.field) == ("", "config_dir"):
            described["readOnly"] = True
        return self._value_schema() | {"default": self._plain_default()} | described

    def _value_schema(self) -> dict[str, Any]:
        low, high = number_range(self.info)
        if get_origin(self.type) is Literal:
            return {"type": "string", "enum": list(get_args(self.type))}
        if get_origin(self.type) is tuple:
            items: dict[str, Any] = {"type": "string"}
            if holds_secret(self.type):
                items["writeOnly"] = True
            return {"anyOf": [{"type": "array", "items": items}, {"type": "string"}]}
        if self.type is bool:
            return {"type": "boolean"}
        if self.type is timedelta:
            seconds = {"type": "number", "minimum": low.total_seconds(), "maximum": high.total_seconds()}
            return {"anyOf": [seconds, {"type": "string"}]}
        if self.type in (int, float):
            number = {"type": "integer" if self.type is int else "number", "minimum": low, "maximum": high}
            size = any(isinstance(rule, Kind) for rule in self._rules())
            return {"anyOf": [number, {"type": "string", "pattern": _SIZE}]} if size else number
        return {"type": "string", "writeOnly": True} if self.type is SecretStr else {"type": "string"}

    def _plain_default(self) -> Any:
        if self.info.is_required():
            return _FOLDERS[self.field]
        value = self.info.default
        if isinstance(value, tuple):
            return list(value)
        return self._amount(value) if isinstance(value, timedelta | Path) else value

    def _rules(self) -> Iterator[Any]:
        yield from self.info.metadata
        for part in get_args(self.info.annotation):
            yield from getattr(part, "__metadata__", ())

    def _amount(self, value: Any) -> str:
        if isinstance(value, int) and any(isinstance(rule, Kind) for rule in self._rules()):
            for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
                if value >= size and value % size == 0:
                    return f"{value // size} {unit}"
            return f"{value} B"
        return bound_text(value)


def entries() -> Iterator[Entry]:
    """Yield every setting: the application's own, then section by section."""
    for field in ("environment", "config_dir", *OWN_FIELDS[1:]):
        yield Entry("", field, ApplicationSettings.model_fields[field])
    for section, cls in SECTION_CLASSES.items():
        for field, info in cls.model_fields.items():
            yield Entry(section, field, info)


def table() -> str:
    """Return the README's reference: one row a variable, then what waits for its reader."""
    lines = ["| variable | type, range | default | meaning |", "|---|---|---|---|", _CONFIG_FILE]
    waiting: dict[str, int] = {}
    for entry in entries():
        variable = f"`{entry.variable}`"
        if other := other_name(entry.section, entry.field):
            variable += f", `{other}`"
        default = entry.default if entry.default == "none" else f"`{entry.default}`"
        lines.append(f"| {variable} | {entry.kind} | {default} | {entry.info.description} |")
        if LATER in str(entry.info.description):
            waiting[entry.section] = waiting.get(entry.section, 0) + 1
    names = [f"`JUMPWATCH_{section.upper()}_*`" for section in waiting]
    lines += ["", f"Checked already and read by later pieces alone: {', '.join(names[:-1])} and {names[-1]}."]
    return "\n".join(lines)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ApplicationSettings, good for checking config.toml; no value that is in force."""
    properties: dict[str, Any] = {}
    for entry in entries():
        place = properties
        if entry.section:
            text = str(SECTION_CLASSES[entry.section].__doc__)
            empty = {"type": "object", "description": text, "additionalProperties": False, "properties": {}}
            place = properties.setdefault(entry.section, empty)["properties"]
        place[entry.field] = entry.schema()
    properties[KEYS] = {
        "type": "object",
        "description": "keys by binding id, as the help names them: fleet.sort, main.pause ...",
        "properties": {},
        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "array"}]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Jumpwatch settings",
        "description": "config.toml: one table a section; every value also as the environment variable in x-env.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def renewed(text: str) -> str:
    """Return a document with the table between its markers made anew."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError(f"the document lacks the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    readme.write_text(renewed(readme.read_text("utf-8")), "utf-8")
