"""Alerts in the database: what stands, what was said of it, its steps; and how full filesystems were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core.models import Alert, AlertChange, FilesystemFigures, MarkKind
from core.models.alerts import alert_key
from core.storage import alerts as stored
from core.storage import rollups, timeline
from core.storage.engine import Database
from core.storage.fill_levels import fill_levels
from core.storage.ingest import Ingest
from tests.storage.made import GIB, NOW, count, sample

HOUR = timedelta(hours=1)


def alert(item: str = "/var", ago: timedelta = HOUR, **changes: object) -> Alert:
    raised = NOW - ago
    made = Alert(
        alert_key("disk-full", "web1", item), "disk-full", "web1", item, "warning", f"{item} 92% full", raised, NOW,
        title="filesystem nearly full", value=92.0, limit="from 90%", advice="du", forecast="full in 1 d 4 h",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def step(of: Alert, change: str, ago: timedelta, **more: str) -> tuple[str, AlertChange]:
    return of.host, AlertChange(of.key, NOW - ago, change, of.severity, of.text, **more)


async def test_what_stands_comes_back_with_what_was_said_and_its_history(database: Database) -> None:
    acked = alert(acked=NOW - HOUR / 2, acked_by="anna", note="a disk\x00 is ordered [red]")
    steps = [step(acked, "raised", HOUR), step(acked, "acknowledged", HOUR / 2, actor="anna", note="a disk")]
    silenced = alert("/srv", silenced=NOW, silenced_until=NOW + HOUR, note="copying")
    await stored.store(database, [acked, silenced], steps)
    await stored.store(database, [acked, silenced], steps)  # a second time: nothing is there twice
    assert await count(database, "alerts") == 2 and await count(database, "alert_changes") == 2
    found = {each.item: each for each in await stored.load(database, NOW)}
    expected = replace(acked, note="a disk is ordered [red]", changes=tuple(change for _, change in steps))
    assert found["/var"] == expected
    assert found["/srv"] == silenced
    worse = replace(acked, severity="error", text="/var 98% full", acked=None, acked_by="")
    await stored.store(database, [worse], [step(worse, "worse", timedelta(minutes=1))])
    found = {each.item: each for each in await stored.load(database, NOW)}
    assert found["/var"].severity == "error" and [c.change for c in found["/var"].changes][-1] == "worse"


async def test_what_is_over_is_known_for_an_hour_and_a_silence_as_long_as_it_runs(database: Database) -> None:
    lately = alert("/a", 3 * HOUR, resolved=NOW - HOUR / 2)
    long_ago = alert("/b", 9 * HOUR, resolved=NOW - 2 * HOUR)
    quiet = alert("/c", 9 * HOUR, resolved=NOW - 2 * HOUR, silenced=NOW - 3 * HOUR, silenced_until=NOW + HOUR)
    again = alert("/b", HOUR / 4)  # the same key, another occurrence
    await stored.store(database, [lately, long_ago, quiet, again])
    found = await stored.load(database, NOW)
    assert [(each.item, each.resolved is None) for each in found] == [("/b", True), ("/a", False), ("/c", False)]


async def test_a_moment_of_the_past_shows_what_stood_then(database: Database) -> None:
    one = alert(ago=3 * HOUR, resolved=NOW - HOUR, acked=NOW - 2 * HOUR, acked_by="anna", note="known")
    steps = [step(one, "raised", 3 * HOUR), step(one, "acknowledged", 2 * HOUR), step(one, "resolved", HOUR)]
    await stored.store(database, [one], steps)
    assert await stored.alerts_at(database, NOW) == () == await stored.alerts_at(database, NOW - 4 * HOUR)
    (early,) = await stored.alerts_at(database, NOW - 2.5 * HOUR)
    assert early.loud and [change.change for change in early.changes] == ["raised"] and not early.note
    (late,) = await stored.alerts_at(database, NOW - 1.5 * HOUR)
    assert late.state == "acknowledged" and late.note == "known"
    marks, _ = await timeline.marks(database, NOW - 4 * HOUR, NOW)
    assert [(m.kind, m.host, m.severity, m.text.partition(":")[0]) for m in marks] == [
        (MarkKind.ALERT, "web1", one.severity, "raised")
    ]
    found = await timeline.mark_beside(database, NOW, later=False, loud=True)
    assert found == marks[0] and await timeline.mark_beside(database, NOW, later=True) is None


async def test_how_full_it_was_is_read_from_rollups_and_raw_rows(database: Database) -> None:
    def full(ago: timedelta) -> float:
        return 0.80 - 0.05 * (ago / timedelta(days=1))

    made = []
    for minutes in range(6 * 24 * 60, -1, -30):
        ago = timedelta(minutes=minutes)
        used = int(100 * GIB * full(ago))
        filesystems = (FilesystemFigures("/var", "/dev/sda1", "ext4", 100 * GIB, used, 100 * GIB - used),)
        made.append(sample("web1", NOW - ago, minutes, filesystems=filesystems, disks=None, interfaces=None))
    await Ingest(database).samples(made, fresh=True)
    await rollups.refresh_all(database, made[0].ts, NOW + timedelta(seconds=1))
    levels = await fill_levels(database, ["web1", "nobody"], NOW)
    points = levels["web1", "/var"]
    assert set(levels) == {("web1", "/var")} and len(points) > 40
    assert [at for at, _ in points] == sorted(at for at, _ in points)
    for at, share in points:
        assert abs(share - full(timedelta(seconds=NOW.timestamp() - at))) < 0.004
    assert NOW.timestamp() - points[-1][0] < 1800
