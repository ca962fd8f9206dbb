"""What changed since somebody left, read from the stored transitions on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from console.composition.comfort import read_changes
from core.models import FleetView, Host, HostState, Reason, Transition
from core.storage.engine import Database
from core.storage.history import write_history


async def test_transitions_since_then_by_host(database: Database) -> None:
    now = datetime.now(UTC)
    online, offline = HostState.ONLINE, HostState.OFFLINE

    def at(hours: float, host: str, old: HostState, new: HostState) -> Transition:
        return Transition(host, now - timedelta(hours=hours), old, new, Reason.NONE, f"{hours} h ago")

    rows = [
        at(30, "long-ago", online, offline),
        at(5, "web", online, offline),
        at(4, "web", offline, online),
        at(1, "db", online, offline),
    ]
    await write_history(database, [Host("web"), Host("db"), Host("long-ago")], [], transitions=rows)
    view = FleetView(at=now)
    changes = await read_changes(database, view, now - timedelta(hours=6))
    assert [(each.host, each.now, each.times) for each in changes.hosts] == [("db", offline, 1), ("web", online, 2)]
    assert changes.hosts[0].detail == "1 h ago" and not changes.cut and not changes.notes
    assert (await read_changes(database, view, now)).none
    everything = await read_changes(database, view, datetime(2000, 1, 1, tzinfo=UTC))
    assert {each.host for each in everything.hosts} == {"web", "db", "long-ago"}
