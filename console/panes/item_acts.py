"""What may be asked for a row of the lists over the fleet: of its unit or container, or of its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.messages import LogsWanted
from core.models import ContainerFigures, ServiceFigures

if TYPE_CHECKING:
    from console.messages import Item
    from console.panes.listing import Row


def acted_on(row: Row[Any] | None) -> Item | None:
    """Return what actions call the row's item; None where only its host can be acted on."""
    value = None if row is None else row.value
    if isinstance(value, ServiceFigures):
        return "unit", value.unit
    return ("container", value.name) if isinstance(value, ContainerFigures) else None


def logs_of(row: Row[Any]) -> LogsWanted:
    """Ask for the log of the row's item; of its host where it has none of its own."""
    if isinstance(row.value, ServiceFigures):
        return LogsWanted(row.host, unit=row.value.unit)
    if isinstance(row.value, ContainerFigures):
        return LogsWanted(row.host, container=row.value.name, engine=row.value.engine)
    return LogsWanted(row.host)
