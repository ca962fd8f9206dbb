"""What Jumpwatch says of itself: its database, its spool, its jobs, and how many of its hosts are away. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.models import DatabaseState, FleetView, HostState

if TYPE_CHECKING:
    from core.alerts.figures import Reading
    from core.alerts.watch import Watch

_ENOUGH = 3  # hosts, before most of them say anything
_MANY_JOBS = 3  # failed at once: more are one alert
_SEEN = (HostState.ONLINE, HostState.DEGRADED, HostState.OFFLINE)


def database_away(view: FleetView) -> Iterable[Reading]:
    """One where it is away, None while nobody knows yet."""
    state = view.database.state
    if state is DatabaseState.STARTING:
        return (("", None, ""),)
    return (("", float(state is DatabaseState.AWAY), view.database.detail or "the database does not answer"),)


def failed_jobs(view: FleetView) -> Iterable[Reading]:
    """The jobs whose last run failed, many as one; nothing is known of them while the database is away."""
    if view.database.state is not DatabaseState.CONNECTED:
        return (("", None, ""),)
    failed = [
        (f"{job.job_id} {job.name}", (job.last_error or "its last run failed")[:200])
        for job in view.database.jobs
        if job.last_ok is False
    ]
    if len(failed) > _MANY_JOBS:  # what fails them is then one thing, and one alert
        return (("", 1.0, f"{len(failed)} jobs failed, the first {': '.join(failed[0])}"),)
    return [(name, 1.0, f"job {name}: {error}") for name, error in failed]


def hosts_away(view: FleetView, watches: Iterable[Watch]) -> Iterable[Reading]:
    """The share of the hosts that are away, of those that are watched and have been tried."""
    away = tried = 0
    for watch in watches:
        if watch.view is None or watch.maintenance or watch.view.state not in _SEEN:
            continue
        tried += 1
        away += watch.away is not None
    if tried < _ENOUGH:
        return (("", 0.0, ""),)
    return (("", 100.0 * away / tried, f"{away} of {tried} hosts are away at once"),)


def spooled(view: FleetView) -> Iterable[Reading]:
    """Samples that wait on disk."""
    return (("", float(view.writer.spooled), ""),)


def lost(view: FleetView) -> Iterable[Reading]:
    """Samples lost since the start."""
    return (("", float(view.writer.dropped), ""),)
