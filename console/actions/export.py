"""Tables as CSV or JSON, and their writing to a new file that only the user may read. Pure but for ``write_new``."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.formatting import clean
from core.exceptions import ResourceConflictError, ValidationError

if TYPE_CHECKING:
    from console.widgets.columns import Scalar, TableData

FORMATS = ("csv", "json", "svg")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # what spreadsheets take for the start of a formula


def as_csv(table: TableData) -> str:
    """Return the table as CSV (RFC 4180): unknown is an empty cell, and no text is run by a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([[_cell(value) for value in row] for row in table.rows])
    return out.getvalue()


def _cell(value: Scalar) -> Scalar:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    text = clean(value)
    return "'" + text if text.lstrip().startswith(_FORMULA) else text


def as_json(table: TableData) -> str:
    """Return the table as a JSON list of objects; unknown is null."""
    rows = [dict(zip(table.columns, (_plain(value) for value in row), strict=True)) for row in table.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Scalar) -> Scalar:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and value != value:
        return None
    return clean(value) if isinstance(value, str) else value


def format_of(path: str) -> str:
    """Return the format that the path's ending names; raises ValidationError for another one."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise ValidationError(f"{clean(path) or 'no name'} must end in .csv, .json or .svg: the ending is the format")
    return ending


def new_name(stem: str, ending: str, folder: Path, now: datetime) -> Path:
    """Return a name that is not taken: ``jumpwatch-fleet-20260102-030405.csv``."""
    base = f"jumpwatch-{stem}-{now.astimezone(UTC):%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        path = folder / f"{base}{f'-{number}' if number > 1 else ''}.{ending}"
        if not os.path.lexists(path):
            return path
    raise ResourceConflictError(f"{base}.{ending} and a thousand names like it are taken: give another one")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, mode 0600; blocks. A file that is there is never touched."""
    try:
        handle = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ResourceConflictError(f"{path} is there already and is not overwritten: give another name") from None
    except OSError as error:
        raise ValidationError(f"{path} cannot be written: {error.strerror}; give another place") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise ValidationError(f"{path} was not written whole: {error.strerror}") from error
