"""The captures beside this file: what commands printed on many kinds of hosts, and what is to be read from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from core.collectors import arrays, disk, io, net, smart, system, zfs
from core.collectors.catalog import COLLECTORS, check, services_of
from core.exceptions import DataCollectionError
from core.ports import CommandResult

FOLDER = Path(__file__).parent / "captures"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.rglob("*.out"))
_RAW: dict[str, Callable[[bytes], Any]] = {
    "stat": system.parse_stat,
    "meminfo": system.parse_meminfo,
    "loadavg": system.parse_loadavg,
    "pressure": system.parse_pressure,
    "diskstats": io.parse_diskstats,
    "netdev": net.parse_netdev,
    "df": disk.parse_df,
    "dfi": lambda text: disk.parse_df(text, "dfi"),
    "mounts": disk.parse_mounts,
    "smartctl": lambda text: smart.parse_smartctl("/dev/x", decoded(text), "needs root"),
    "nvme": lambda text: smart.parse_nvme("/dev/x", decoded(text), "needs root"),
    "mdstat": lambda text: arrays.parse_mdstat(decoded(text)),
    "mdadm": lambda text: arrays.parse_detail(decoded(text)),
    "zpool-status": lambda text: zfs.parse_status(decoded(text)),
}


@dataclass(frozen=True)
class Capture:
    """One pair of files; ``told`` is what the JSON says of the run and of what is read."""

    kind: str
    text: bytes
    told: dict[str, Any]

    def read(self, text: bytes | None = None) -> Any:
        """Return what our parser makes of the text (or of another in its place); may raise DataCollectionError."""
        text = self.text if text is None else text
        if self.kind in _RAW:
            return _RAW[self.kind](text)
        result = CommandResult(self.told.get("exit", 0), decoded(text), self.told.get("stderr", ""))
        if self.kind == "checks":
            return check("c", ["check_x"]).parse(result)
        units = self.told.get("units")
        return (services_of(units) if units else COLLECTORS[self.kind]).parse(result)


def decoded(text: bytes) -> str:
    """As the SSH side decodes it."""
    return text.decode("utf-8", "replace")


def load(name: str) -> Capture:
    """Return the capture of that name, ``KIND/NAME``."""
    told = FOLDER / f"{name}.json"
    kind = name.partition("/")[0]
    return Capture(kind, (FOLDER / f"{name}.out").read_bytes(), json.loads(told.read_text()) if told.exists() else {})


def picture(value: Any) -> Any:
    """Return a JSON-able picture of what was read; fields at their defaults are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: getattr(value, field.name) for field in fields(value)}
        left_out = {field.name: field.default for field in fields(value)}
        return {name: picture(part) for name, part in shown.items() if part is not None and part != left_out[name]}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: picture(part) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: picture(part) for name, part in value._asdict().items() if part is not None}
    if isinstance(value, tuple | list):
        return [picture(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


def read_picture(capture: Capture) -> Any:
    """Return the picture of what is read, or of the error."""
    try:
        return picture(capture.read())
    except DataCollectionError as exc:
        return {"error": exc.message}


def _main(name: str, *rest: str) -> None:
    capture = load(name)
    told = {"origin": "real", **capture.told, "read": read_picture(capture)}
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if "--write" in rest:
        (FOLDER / f"{name}.json").write_text(text)


if __name__ == "__main__":
    _main(*sys.argv[1:])
