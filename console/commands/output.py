"""How commands speak: data on stdout (tables or JSON), talk on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from console.formatting import clean


def say(line: str) -> None:
    """Write one line of talk to stderr."""
    print(clean(line), file=sys.stderr, flush=True)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses as objects, times as ISO 8601, what is no number as null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, str | Path) else f"<{type(value).__name__}>"


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Write one JSON document to stdout; ``indent`` None keeps it on a line."""
    print(json.dumps(plain(value), ensure_ascii=False, indent=indent, allow_nan=False), flush=indent is None)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """Write rows under a header, columns aligned (``right`` ones to the right); foreign text is cleaned."""
    table = [list(header), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
