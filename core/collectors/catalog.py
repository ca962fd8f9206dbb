"""The slow collectors by name, with their default intervals; checks and chosen services are made to order."""

from __future__ import annotations

from collections.abc import Mapping

from core.collectors.checks import check
from core.collectors.collector import Collector
from core.collectors.containers import CONTAINERS
from core.collectors.drives import DRIVES
from core.collectors.ports import PORTS
from core.collectors.processes import PROCESSES
from core.collectors.proxies import PROXIES, proxies_of
from core.collectors.services import SERVICES, services_of
from core.collectors.sessions import SESSIONS
from core.collectors.updates import UPDATES
from core.collectors.zfs import ZFS

__all__ = ["COLLECTORS", "Collector", "check", "proxies_of", "services_of"]

_ALL = (PROCESSES, SERVICES, CONTAINERS, DRIVES, ZFS, UPDATES, SESSIONS, PORTS, PROXIES)
COLLECTORS: Mapping[str, Collector] = {one.name: one for one in _ALL}
