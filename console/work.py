"""What a Textual worker does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from textual.worker import WorkType

P = ParamSpec("P")


def work(do: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs) -> WorkType[None]:
    """Return what makes the coroutine as the worker begins.

    Made before, that of a worker cancelled at once (two keys in haste, one exclusive group) would never be awaited.
    """

    @wraps(do)
    async def begin() -> None:
        await do(*args, **kwargs)

    return begin
