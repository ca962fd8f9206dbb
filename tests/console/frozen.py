"""A clock that stands still: every module of ours that has taken ``datetime`` gets one whose now is always the same."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from typing import Any

import console

MOMENT = datetime(2026, 3, 14, 3, 9, 26, tzinfo=UTC)
_OURS = ("console.", "core.", "tests.console.")
_LEFT_OUT = ("console.__main__", "console.cli", "console.commands", "console.composition")  # they draw nothing


class _Alike(type(datetime)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, datetime)


class StoodStill(datetime, metaclass=_Alike):
    """A datetime whose now is MOMENT."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return MOMENT.astimezone(tz) if tz is not None else MOMENT.astimezone().replace(tzinfo=None)


def load_screens() -> None:
    """Import whatever can draw, for a module imported later would bring the true clock with it."""
    for module in pkgutil.walk_packages(console.__path__, "console."):
        if not module.name.startswith(_LEFT_OUT):
            import_module(module.name)


@contextmanager
def standing_still() -> Iterator[None]:
    """Let the clock of console, core and their fakes stand still."""
    load_screens()
    changed = []
    for name, module in list(sys.modules.items()):
        if name.startswith(_OURS) and name != __name__ and vars(module).get("datetime") is datetime:
            vars(module)["datetime"] = StoodStill
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            vars(module)["datetime"] = datetime
