"""What a benchmark gives: figures with their aims, printed as a table or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; ``aim`` is the bound on a ratio, None for an absolute figure beside it."""

    bench: str
    figure: str
    value: float
    unit: str
    aim: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """The aim is met, or there is none."""
        if self.aim is None:
            return True
        return self.value >= self.aim if self.at_least else self.value <= self.aim


def report(figures: Iterable[Figure], *, as_json: bool) -> int:
    """Print the figures as they come; return 1 where an aim is missed."""
    fine = True
    for f in figures:
        fine &= f.ok
        if as_json:
            fields = {k: v for k, v in asdict(f).items() if k != "at_least"}
            print(json.dumps({**fields, "value": round(f.value, 4), "ok": f.ok}), flush=True)
        else:
            aim = "" if f.aim is None else f"aim {'>=' if f.at_least else '<='} {f.aim:g}: {'ok' if f.ok else 'MISSED'}"
            print(f"{f.bench:10} {f.figure:44} {f.value:10.3f} {f.unit:6} {aim}", flush=True)
    return 0 if fine else 1
