"""Moments of the past on every engine: figures, states and findings as they were, rollups, gaps, marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from core.events import HostStateChanged
from core.models import (
    Finding,
    FleetView,
    Host,
    HostFinding,
    HostSample,
    HostState,
    HostView,
    Mark,
    MarkKind,
    Outcome,
    Reason,
    SectionStatus,
    ServiceFigures,
    Transition,
)
from core.replay import ReplaySource
from core.storage import moments, rollups, timeline
from core.storage.audit import StorageAudit
from core.storage.catalogue import read_chunks
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.ingest import Ingest
from core.storage.past import PastFindings
from core.storage.schema import FRAME_TABLES
from core.storage.timeline import reach
from tests.storage.made import NOW, sample, series

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATE = (HostState.ONLINE, HostState.OFFLINE)


def source_of(database: Database, *hosts: str) -> ReplaySource:
    live = FleetView(at=NOW, hosts=tuple(HostView(Host(name), HostState.ONLINE) for name in hosts))
    return ReplaySource(database, lambda: live, 10.0)


def host(view: FleetView, name: str) -> HostView:
    return next(each for each in view.hosts if each.host.name == name)


async def stored(database: Database, samples: Sequence[HostSample], transitions: Sequence[Transition] = ()) -> None:
    names = sorted({each.host for each in samples} | {each.host for each in transitions})
    await write_history(database, [Host(name) for name in names], samples, transitions=transitions)


async def test_hosts_are_as_they_were(database: Database) -> None:
    then = NOW - 5 * HOUR
    went = Transition("web", then - 20 * MINUTE, *STATE, Reason.PORT, "connection refused")
    back = Transition("web", then + 20 * MINUTE, HostState.OFFLINE, HostState.ONLINE)
    samples = [
        sample("gone", then - 10 * MINUTE),
        sample("gone", then - 5 * MINUTE, filesystems=None, disks=None),
        sample("db", then - timedelta(seconds=30), 42),
        sample("db", then + MINUTE, 43),
    ]
    await stored(database, samples, [went, back])
    await Ingest(database).findings([failed("db", then - 10 * MINUTE, 2), failed("db", then + MINUTE, 0)])

    source = source_of(database, "db", "web", "new")
    view = await source.fleet(then)
    assert not view.live and view.at == then and view.past is not None and view.past.source == "raw"
    db, web, new = host(view, "db"), host(view, "web"), host(view, "new")
    assert db.sample is not None and db.sample == replace(samples[2], sections=db.sample.sections)
    assert (web.state, web.reason, web.detail, web.since) == (HostState.OFFLINE, Reason.PORT, went.detail, went.ts)
    assert web.sample is None
    gone = host(view, "gone").sample
    assert gone is not None, "a host that has left the inventory is there in its time"
    assert gone.filesystems is None and gone.disks is None and gone.interfaces is not None, "not of another time"
    assert new.state is HostState.UNKNOWN and "nothing is known" in new.detail
    assert [event.text for event in view.events] == ["web: online -> offline (connection refused)"]

    found = host(await source.whole(view), "db").findings["services"].finding
    assert found.severity == "error" and isinstance(found.value, tuple) and len(found.value) == 2
    later = await source.whole(await source.fleet(then + 40 * MINUTE))
    assert host(later, "web").state is HostState.UNKNOWN, "online, it left no sample: nobody saw it"
    assert host(later, "db").findings["services"].finding.value == ()
    assert {each.version for each in later.hosts}.isdisjoint({each.version for each in view.hosts})


async def test_findings_that_changed_are_events_of_their_moment(database: Database) -> None:
    then = NOW - 5 * HOUR
    went = Transition("db", then - 30 * MINUTE, *STATE, Reason.PORT, "connection refused")
    await stored(database, [sample("db", then - MINUTE), sample("web", then - MINUTE)], [went])
    worse = HostFinding("web", then - 10 * MINUTE, Finding("drives", SectionStatus.FORBIDDEN, None, "sudo", "warning"))
    await Ingest(database).findings(
        [
            failed("db", then - 47 * HOUR, 1),  # before the window, and beside what follows
            failed("db", then - 23 * HOUR, 0),
            failed("db", then - 50 * MINUTE, 0),  # the same again
            failed("db", then - 40 * MINUTE, 2),
            failed("db", then - 35 * MINUTE, 3),  # another value is no other severity
            failed("db", then - 20 * MINUTE, 0),
            failed("web", then - 15 * MINUTE, 1),  # the first one, an error
            replace(
                worse, ts=then - 12 * MINUTE, finding=replace(worse.finding, status=SectionStatus.OK, severity="info")
            ),
            worse,
            failed("web", then + MINUTE, 0),  # not yet
        ]
    )
    source = source_of(database, "db", "web")
    view = await source.fleet(then)
    assert [event.type for event in view.events] == ["host.state"], "they are read when the screen stands still"
    whole = await source.whole(view)
    events = [(then - event.ts, event.type, event.severity, event.source, event.text) for event in whole.events]
    assert events == [
        (23 * HOUR, "host.finding", "info", "db", "db: services ok"),
        (40 * MINUTE, "host.finding", "error", "db", "db: services ERROR"),
        (30 * MINUTE, "host.state", "error", "db", "db: online -> offline (connection refused)"),
        (20 * MINUTE, "host.finding", "info", "db", "db: services ok"),
        (15 * MINUTE, "host.finding", "error", "web", "web: services ERROR"),
        (10 * MINUTE, "host.finding", "warning", "web", "web: drives WARNING (sudo)"),
    ]
    found = PastFindings(database)
    newest = await found.changes(then - DAY, then, 2)
    assert [(each.host, each.kind) for each in newest] == [("web", "services"), ("web", "drives")]
    assert len(await found.changes(then - 38 * MINUTE, then, 500)) == 3, "the one before the window counts as before"


def failed(name: str, ts: datetime, units: int) -> HostFinding:
    value = tuple(ServiceFigures(f"unit{n}.service", active="failed") for n in range(units))
    return HostFinding(name, ts, Finding("services", SectionStatus.OK, value, "", "error" if units else "info"))


async def test_where_nothing_was_stored_it_says_so(database: Database) -> None:
    then = NOW - 5 * HOUR
    went = Transition("web", then - 4 * HOUR, *STATE, Reason.PORT, "connection refused")
    await stored(database, [sample("db", then - HOUR, 7), sample("db", then + HOUR, 8)], [went])
    source = source_of(database, "db", "web")
    view = await source.fleet(then)
    assert view.past is not None and view.past.source == "" and "no data at that time" in view.past.note
    assert {each.state for each in view.hosts} == {HostState.UNKNOWN}
    assert "last known offline" in host(view, "web").detail, "nobody polled: that it was offline is old news"
    assert host(await source.fleet(then + HOUR), "web").state is HostState.OFFLINE, "somebody polled, and it was away"
    assert (await source.fleet(NOW - 300 * DAY)).past == view.past


async def test_rollups_tell_where_raw_data_is_gone(database: Database) -> None:
    hour = rollups.floor(NOW - 20 * DAY, 3600)
    await stored(database, list(series(2, 30, end=hour + 50 * MINUTE, step=MINUTE)))
    at = hour + 35 * MINUTE + timedelta(seconds=20)
    raw = await moments.moment(database, at)
    assert raw.source == "raw"
    assert (await moments.moment(database, hour - 10 * MINUTE)).source == ""
    for dropped, source, width in (("", "1m", 60), ("_1m", "1h", 3600)):
        for table in FRAME_TABLES:
            for chunk in await read_chunks(database, f"{table.name}{dropped}"):
                if chunk.end < NOW:  # partitions are made ahead
                    await StorageChunks(database).drop(chunk)
        for then in (
            await moments.moment(database, at),
            await moments.moment(database, at, reach=await reach(database)),
        ):
            assert then.source == source and set(then.samples) == {"host0", "host1"}
            one = then.samples["host0"]
            assert one.interval_s == width and one.ts == at
            assert one.system.mem_pct == 75.0 and one.system.load1 == 0.25 and one.system.user_pct is None
            assert one.system.cpu_pct == (14.0 if source == "1m" else 14.5)
            assert [f.used_pct for f in one.filesystems or ()] == [40.0, 75.0]
            assert [(d.device, d.busy_pct, d.read_iops) for d in one.disks or ()] == [("sda", 5.5, None)]
            assert [(i.interface, i.rx_bps) for i in one.interfaces or ()] == [("eth0", 1e6)]
        view = await source_of(database, "host0").fleet(at)
        assert view.past is not None and "gone" in view.past.note
        shown = await source_of(database, "host0").whole(view)
        assert bool(host(shown, "host0").history.times) is (source == "1m")
        window = (hour + 5 * HOUR, hour - 5 * HOUR)
        found = await timeline.gaps(database, window[1], window[0], await reach(database))
        assert len(found) == 2 and found[0][1] <= hour + 21 * MINUTE and found[1][0] >= hour + 50 * MINUTE


async def test_a_state_that_has_another_reason_is_still_the_same_state(database: Database) -> None:
    still = Transition("web", NOW - HOUR, HostState.OFFLINE, HostState.OFFLINE, Reason.ROUTE, "no route to host")
    await stored(database, [], [still])
    before, _ = await timeline.marks(database, still.ts - HOUR, still.ts)
    event = HostStateChanged(source="poller", host="web", old=still.old, new=still.new, detail=still.detail)
    assert [f"web: {mark.text}" for mark in before] == [event.summary()] == ["web: still offline (no route to host)"]


async def test_marks_of_states_and_actions(database: Database) -> None:
    at = NOW - HOUR
    steps = [
        Transition("web", at - 30 * MINUTE, *STATE, Reason.PORT, "connection refused"),
        Transition("web", at - 20 * MINUTE, HostState.OFFLINE, HostState.ONLINE),
        Transition("db", at - 10 * MINUTE, HostState.ONLINE, HostState.DEGRADED, Reason.RESOURCE, "/ 95% full"),
    ]
    await stored(database, [sample("web", at)], steps)
    audit = StorageAudit(database)
    done = await audit.intent(action="retention.run", actor="ops", plan={})
    await audit.outcome(done, Outcome(False, done, "1 of 2 done"))
    await audit.intent(action="job.run", actor="ops", plan={})

    found, cut = await timeline.marks(database, NOW - DAY, NOW + HOUR)
    told = [(mark.kind, mark.severity, mark.host) for mark in found]
    assert not cut and told == [
        (MarkKind.STATE, "error", "web"),
        (MarkKind.STATE, "info", "web"),
        (MarkKind.STATE, "warning", "db"),
        (MarkKind.ACTION, "error", ""),
        (MarkKind.ACTION, "warning", ""),
    ]
    assert found[0] == Mark(steps[0].ts, MarkKind.STATE, "error", "web", "online -> offline (connection refused)")
    assert found[1].text == "offline -> online"
    assert found[3].text == "retention.run by ops: 1 of 2 done" and "no outcome" in found[4].text
    newest, more = await timeline.marks(database, NOW - DAY, NOW + HOUR, most=2)
    assert more and newest == found[3:]

    async def beside(when: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        return await timeline.mark_beside(database, when, later=later, loud=loud)

    assert await beside(at, later=False) == found[2]
    assert await beside(found[2].ts, later=False) == found[1], "standing on a mark, the one before is another"
    assert await beside(found[0].ts, later=True) == found[1]
    assert await beside(found[2].ts, later=False, loud=True) == found[0]
    assert await beside(found[0].ts, later=False) is None


async def test_gaps_are_where_no_host_left_anything(database: Database) -> None:
    end = rollups.floor(NOW, 3600)
    early, late = end - 10 * HOUR, end - 3 * HOUR
    half = [one for one in series(30, 13, end=late + HOUR) if one.host not in ("host0", "host1")]
    await stored(database, [*series(30, 13, end=early), *half])
    known = await reach(database)
    window = (early - HOUR, late + HOUR)
    assert await timeline.gaps(database, *window, known) == ((early + 5 * MINUTE, late),)
    assert await timeline.gaps(database, early - HOUR, early, known) == ()
    empty = (NOW - 300 * DAY, NOW - 299 * DAY)
    assert await timeline.gaps(database, *empty, known) == (empty,)
    line = await source_of(database, "host0").timeline(*window, 300.0)
    assert line.gaps and not line.marks
