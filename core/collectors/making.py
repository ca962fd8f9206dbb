"""Making many objects of a frozen dataclass, as the parsers do, at a third of its own price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def maker(kind: type[T]) -> Callable[..., T]:
    """Return what makes instances of a frozen, slotted dataclass from all its fields in order.

    Its own __init__ goes round its own guard field by field. A twin without the guard, and so with the same slots,
    is filled and then becomes what it stands for.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    twin: Any = make_dataclass(kind.__name__, names, slots=True, eq=False)

    def make(*values: object) -> T:
        made = twin(*values)
        made.__class__ = kind
        return made  # type: ignore[no-any-return]

    return make
