"""Live state: what is unknown stays unknown, what is old goes, views are immutable and cheap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.events import HostPolled, Notice
from core.live_state import LiveState
from core.models import (
    ContainerFigures,
    FilesystemFigures,
    Finding,
    Host,
    HostFinding,
    HostSample,
    HostState,
    ItemHistory,
    Reason,
    SectionStatus,
    SystemFigures,
    Transition,
)
from core.models.items import container_names
from core.ports import SystemClock
from core.recent_items import POINTS

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = (FilesystemFigures("/", "/dev/sda1", "ext4", 100, 60, 40),)


def sample(seconds: float, *, cpu: float | None = None, fs: tuple[FilesystemFigures, ...] | None = None) -> HostSample:
    ts = T0 + timedelta(seconds=seconds)
    return HostSample("web", ts, int(seconds), "boot", seconds, ts, SystemFigures(cpu_pct=cpu), filesystems=fs)


def live() -> LiveState:
    state = LiveState(SystemClock(), history_points=3)
    state.set_hosts([Host("web"), Host("db")])
    return state


def test_a_host_not_tried_yet_is_unknown_with_no_figures() -> None:
    view = live().current().hosts[0]
    assert (view.state, view.reason, view.sample, view.history.cpu) == (HostState.UNKNOWN, Reason.PENDING, None, ())


def test_a_view_keeps_its_history_whatever_comes_later() -> None:
    state, seen = live(), []
    for n in range(100):  # the rows are cut and begun anew meanwhile
        state.apply_sample(sample(n, cpu=float(n)))
        seen.append((n, state.current().hosts[0].history))
    for n, history in seen:
        last = range(max(0, n - 2), n + 1)
        assert history.cpu == tuple(map(float, last)) and history.mem == (None,) * len(last)
        assert history.times == tuple(T0 + timedelta(seconds=each) for each in last)
    assert seen[-1][1] == state.current().hosts[0].history != seen[-2][1]


def test_history_is_bounded_and_keeps_unknowns() -> None:
    state = live()
    for n, cpu in enumerate((1.0, None, 3.0, 4.0)):
        state.apply_sample(sample(n, cpu=cpu))
    assert state.current().hosts[0].history.cpu == (None, 3.0, 4.0)


def containers(seconds: float, **cpu: float | None) -> HostFinding:
    each = tuple(
        ContainerFigures("1f" * 6, name, "x:1", "docker", "running", cpu_pct=share, mem=share and 7)
        for name, share in cpu.items()
    )
    return HostFinding("web", T0 + timedelta(seconds=seconds), Finding("containers", SectionStatus.OK, each))


def test_the_last_looks_at_containers_are_kept_with_their_gaps_and_views_stay() -> None:
    state, web, db = live(), ("container", "web"), ("container", "db")
    state.apply_finding(containers(0, web=1.0, db=None))
    first = state.current().hosts[0].items
    assert dict(first) == {web: ItemHistory((T0,), (1.0,), (7.0,))}
    state.apply_finding(containers(30, db=2.0))
    state.apply_finding(containers(20, web=9.0))  # older than what is held
    assert state.current().hosts[0].items[web].cpu == (1.0, None)
    assert first[web].cpu == (1.0,) and db not in first
    for number in range(2, POINTS + 2):
        state.apply_finding(containers(30.0 * number, db=float(number)))
    last = state.current().hosts[0].items
    assert set(last) == {db}  # the other one told nothing for all of the time kept
    assert len(last[db].cpu) == POINTS and last[db].cpu[-1] == POINTS + 1
    broken = HostFinding("web", T0 + timedelta(days=1), Finding("containers", SectionStatus.TIMEOUT))
    state.apply_finding(broken)
    assert state.current().hosts[0].items[db].cpu[-1] is None


def test_containers_of_two_engines_are_told_apart_and_one_without_a_name_is_its_id() -> None:
    known = (("web", "docker"), ("web", "podman"), ("db", "docker"), ("", "docker"))
    every = [ContainerFigures(f"{place}" * 12, name, "", engine, "up") for place, (name, engine) in enumerate(known)]
    assert container_names(every) == ["web (docker)", "web (podman)", "db", "3" * 12]


def test_an_older_sample_changes_nothing() -> None:
    state = live()
    state.apply_sample(sample(10, cpu=50))
    state.apply_sample(sample(5, cpu=1))
    newest = state.current().hosts[0].sample
    assert newest is not None and newest.system.cpu_pct == 50


def test_slow_sections_stand_for_a_while_and_then_are_unknown() -> None:
    state = live()
    state.apply_sample(sample(0, fs=ROOT))
    state.apply_sample(sample(30))
    held = state.current().hosts[0].sample
    assert held is not None and held.filesystems == ROOT
    state.apply_sample(sample(61))
    late = state.current().hosts[0].sample
    assert late is not None and late.filesystems is None


def test_unchanged_hosts_are_the_same_objects_in_the_next_view() -> None:
    state = live()
    first = state.current()
    state.apply_sample(sample(1))
    second = state.current()
    assert first.hosts[0] is not second.hosts[0] and first.hosts[1] is second.hosts[1]
    assert first.hosts[0].sample is None


def test_the_start_of_a_state_is_kept_while_its_detail_changes() -> None:
    state = live()
    for n, detail in enumerate(("90% full", "91% full")):
        state.apply_transition(
            Transition("web", T0 + timedelta(seconds=n), HostState.ONLINE, HostState.DEGRADED, Reason.RESOURCE, detail)
        )
    view = state.current().hosts[0]
    assert view.since == T0 and view.detail == "91% full"


def test_a_new_inventory_keeps_what_is_known_and_forgets_who_left() -> None:
    state = live()
    state.apply_sample(sample(1, cpu=7))
    state.set_hosts([Host("web", tags=("x",)), Host("new")])
    view = state.current()
    assert [h.host.name for h in view.hosts] == ["web", "new"]
    assert view.hosts[0].sample is not None and view.hosts[0].host.tags == ("x",)


def test_the_same_inventory_once_more_changes_nothing_and_a_shorter_one_does() -> None:
    state = live()
    before, version = state.current(), state.version
    state.set_hosts([Host("web"), Host("db")])
    assert state.version == version and state.current().hosts[0] is before.hosts[0]
    state.set_hosts([Host("web")])
    assert state.version > version and len(state.current().hosts) == 1


async def test_only_now_can_be_asked_and_quiet_events_are_no_lines() -> None:
    state = live()
    state.record_event(HostPolled(host="web"))
    state.record_event(Notice(text="hello"))
    view = await state.fleet()
    assert [e.text for e in view.events] == ["hello"]
    with pytest.raises(ValueError, match="no past"):
        await state.fleet(T0)


def test_a_host_whose_maintenance_is_over_is_unknown_until_it_is_polled() -> None:
    state = live()
    state.set_hosts([Host("web", maintenance=True), Host("db")])
    assert state.current().hosts[0].state is HostState.MAINTENANCE
    line = Host("web", maintenance=True, maintenance_until=T0).maintenance_line
    assert line == "not polled until 2026-01-01 00:00 UTC"
    state.apply_transition(Transition("web", T0, HostState.UNKNOWN, HostState.MAINTENANCE, Reason.NONE, line))
    state.set_hosts([Host("web"), Host("db")])
    view = state.current().hosts[0]
    assert (view.state, view.reason, view.detail, view.since) == (HostState.UNKNOWN, Reason.PENDING, "", None)
