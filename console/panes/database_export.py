"""The tables of the Database pane as values, for export: every field of every record. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.widgets.columns import TableData

if TYPE_CHECKING:
    from core.models import DatabaseView

_SOURCES = {
    "tables": "hypertables",
    "chunks": "chunks",
    "jobs": "jobs",
    "health": "health",
    "sizes": "relations",
}  # section: field of the view


def database_table(section: str, view: DatabaseView) -> TableData | None:
    """Return what the section lists, with all fields; None for one that is no table."""
    if section == "sessions":
        return records_table("sessions", view.activity.sessions if view.activity else ())
    name = _SOURCES.get(section)
    return None if name is None else records_table(name, getattr(view, name))


def records_table(name: str, records: Sequence[Any]) -> TableData:
    """Return frozen records of one kind as a table; a field that is no plain value is left out."""
    names = [each.name for each in fields(records[0])] if records else []
    plain = [each for each in names if all(_is_scalar(getattr(record, each)) for record in records)]
    return TableData(name, tuple(plain), tuple(tuple(getattr(record, each) for each in plain) for record in records))


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | datetime)
