"""The tabs: key, name and title of each pane, and where its class is found when it is first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.panes.base import Pane


@dataclass(frozen=True, slots=True)
class Tab:
    """One pane of the main screen; ``module`` is loaded when the pane is first wanted."""

    key: str
    name: str
    title: str
    module: str
    pane: str


TABS = (
    Tab("1", "fleet", "Fleet", "console.panes.fleet", "FleetPane"),
    Tab("2", "host", "Host", "console.panes.host", "HostPane"),
    Tab("3", "alerts", "Alerts", "console.panes.alerts", "AlertsPane"),
    Tab("4", "events", "Events", "console.panes.events", "EventsPane"),
    Tab("5", "database", "Database", "console.panes.database", "DatabasePane"),
    Tab("6", "containers", "Containers", "console.panes.containers", "ContainersPane"),
    Tab("7", "services", "Services", "console.panes.services", "ServicesPane"),
    Tab("8", "storage", "Storage", "console.panes.storage", "StoragePane"),
    Tab("9", "proxies", "Proxies", "console.panes.proxies", "ProxiesPane"),
)


def make_pane(name: str) -> Pane:
    """Return a new pane; raises StopIteration for a name that no tab has."""
    tab = next(tab for tab in TABS if tab.name == name)
    pane: Pane = getattr(import_module(tab.module), tab.pane)(id=name)
    return pane
