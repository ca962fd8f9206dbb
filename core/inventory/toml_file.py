"""A small TOML file beside the inventory, read within bounds."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 20


def read_toml(path: Path, wrong: Callable[[str, str], Exception]) -> dict[str, Any] | None:
    """Return the document, None where there is no such file; raises what ``wrong`` makes of the path and the fault."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise wrong(str(path), f"cannot be read: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise wrong(str(path), f"is over {_MOST_BYTES >> 20} MiB")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise wrong(str(path), f"is not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise wrong(str(path), str(error)) from None
