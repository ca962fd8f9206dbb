"""The demo fleet's answers to the slow collectors: in the tools' formats, one story, and nothing of a client's run."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path

import pytest

from core.collectors.catalog import COLLECTORS, services_of
from core.models import Finding, Host, SectionStatus
from core.ports import CommandResult
from core.simulator.fleet import WATCHED, build_fleet, local_spec
from core.simulator.inspection import collector_of, told
from core.simulator.local import run_here
from core.simulator.machine import Machine
from core.simulator.units import nginx_is_down
from tests.simulator.client import connect

LOCAL = local_spec(
    cpus=2, memory=1 << 33, swap=0, filesystems=(), disks=(), interfaces=(), uptime_s=1e6, name="here"
)  # fmt: skip
FLEET = {spec.name: spec for spec in build_fleet(30, 0, LOCAL)[1:]}


def found(name: str, kind: str, elapsed: float = 10.0, *, root: bool = False) -> Finding:
    machine = Machine(FLEET[name], time.time())
    machine.advance(elapsed)
    return COLLECTORS[kind].read(CommandResult(0, told(COLLECTORS[kind], root, machine), ""))


@pytest.mark.parametrize("kind", COLLECTORS)
def test_every_host_is_read_by_our_own_collectors(kind: str) -> None:
    for name in FLEET:
        for elapsed in (1.0, 61.0, 119.0, 3601.0):
            for root in (False, True):
                finding = found(name, kind, elapsed, root=root)
                assert finding.status in (SectionStatus.OK, SectionStatus.ABSENT, SectionStatus.FORBIDDEN), finding


def test_the_service_dies_and_comes_back_with_its_process_and_port() -> None:
    spec = FLEET["web-02"]
    down = next(at for at in range(600) if nginx_is_down(spec, at))
    up = next(at for at in range(down, 1200) if not nginx_is_down(spec, at))
    for at, there in ((down - 1.0, True), (down + 1.0, False), (up + 1.0, True)):
        services, processes, ports = (found("web-02", kind, at).value for kind in ("services", "processes", "ports"))
        assert [one.unit for one in services] == ([] if there else ["nginx.service"])  # type: ignore[union-attr]
        assert ("nginx" in {one.name for one in processes}) is there  # type: ignore[union-attr]
        assert (443 in {one.port for one in ports}) is there  # type: ignore[union-attr]
    assert not any(nginx_is_down(FLEET["web-01"], at) for at in range(600))


def test_watched_units_are_told_in_every_state_with_what_they_use() -> None:
    watched = services_of(WATCHED["web"])
    known = collector_of(shlex.join(watched.command()))
    assert known is not None and known[0].argv == watched.argv and not known[1]
    machine = Machine(FLEET["web-02"], time.time())
    spent = []
    for at in range(5, 400, 10):
        machine.advance(at)
        (unit,) = watched.read(CommandResult(0, told(watched, False, machine), "")).value  # type: ignore[misc,union-attr]
        assert unit.unit == "nginx.service" and unit.chosen and unit.failed is nginx_is_down(machine.spec, at)
        assert (unit.memory is None) is unit.failed
        spent += [unit.cpu_ns] if unit.cpu_ns is not None else []
    assert len(spent) > 20 and spent == sorted(spent) and spent[0] < spent[-1]
    machine.deeds["nginx.service"] = ("stop", float(at))
    (unit,) = watched.read(CommandResult(0, told(watched, False, machine), "")).value  # type: ignore[misc,union-attr]
    assert unit.active == "inactive" and unit.cpu_ns is None


def test_the_failing_drive_is_told_to_root_alone_and_gets_worse() -> None:
    assert found("db-01", "drives").status is SectionStatus.FORBIDDEN
    early, late = found("nas-01", "drives", root=True), found("nas-01", "drives", 600.0, root=True)
    assert early.severity == late.severity == "error" and "sda" in early.detail
    pending = [next(one.pending for one in f.value if one.device == "/dev/sda") for f in (early, late)]  # type: ignore[union-attr]
    assert pending[0] < pending[1]
    assert found("db-01", "drives", root=True).severity == "info"


def test_a_container_restarts_again_and_again_as_the_cpu_shows_it() -> None:
    states = set()
    for at in range(20, 40):
        value = found("docker-01", "containers", float(at)).value
        states |= {one.state for one in value if one.name == "indexer"}  # type: ignore[union-attr]
    assert states == {"running", "restarting"}


async def ask(host: Host, command: str) -> CommandResult:
    async with await connect(host) as connection:
        done = await asyncio.wait_for(connection.run(command, encoding=None), 60)
        return CommandResult(
            done.exit_status, bytes(done.stdout or b"").decode("utf-8", "replace"), bytes(done.stderr or b"").decode()
        )


async def test_over_ssh_the_first_host_is_this_machine_and_root_is_not_to_be_had(fleet: list[Host]) -> None:
    kinds = ("processes", "sessions", "ports", "services")
    results = await asyncio.gather(*(ask(fleet[0], shlex.join(COLLECTORS[kind].command())) for kind in kinds))
    findings = {kind: COLLECTORS[kind].read(result) for kind, result in zip(kinds, results, strict=True)}
    assert all(finding.status is not SectionStatus.BROKEN for finding in findings.values()), findings
    if findings["processes"].status is SectionStatus.OK:
        pids = [one.pid for one in findings["processes"].value or ()]  # type: ignore[union-attr]
        assert pids and any(Path(f"/proc/{pid}").exists() for pid in pids)
    refused = await ask(fleet[0], shlex.join(COLLECTORS["drives"].command(root=True)))
    assert refused.exit_code == 126


async def test_a_command_that_is_not_the_catalogues_to_the_letter_is_refused(fleet: list[Host], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    own = shlex.join(COLLECTORS["services"].command())
    for command in (f"{own}; touch {mark}", own + " x", own.replace("set -f", f"touch {mark}"), f"sudo -n {own}"):
        assert collector_of(command) is None
        for host in fleet[:2]:
            assert (await ask(host, command)).exit_code == 126
    assert not mark.exists()
    nas = next(host for host in fleet if host.name == "nas-01")
    assert nas.sudo == ("drives", "ports")
    drives = COLLECTORS["drives"]
    assert drives.read(await ask(nas, shlex.join(drives.command(root=True)))).severity == "error"


async def test_a_command_on_this_machine_ends_with_its_reader_and_in_time(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    argv = ("sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 600 & wait")
    task = asyncio.create_task(run_here(argv, 600.0, 100))
    async with asyncio.timeout(20):
        while not mark.exists():
            await asyncio.sleep(0.01)
    group = int(mark.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        while alive(group):
            await asyncio.sleep(0.01)
    assert await run_here(("sleep", "600"), 0.05, 100) == (124, b"", b"")
    assert await run_here(("sh", "-c", "echo 1234; echo 5 >&2; exit 3"), 60.0, 3) == (3, b"123", b"5\n")


async def test_a_command_that_is_cancelled_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    argv = ("sh", "-c", f"sleep 600 & echo $$ > {mark}.new; mv {mark}.new {mark}; wait")
    task = asyncio.create_task(run_here(argv, 600.0, 100))
    for _ in range(3):
        await asyncio.sleep(0)
    end = time.monotonic() + 20
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.01)  # the loop is busy elsewhere: the start is not over while the command runs
    task.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await task
        while alive(int(mark.read_text())):
            await asyncio.sleep(0.01)


def alive(group: int) -> bool:
    """Whether any process of a group is there that has not ended (one whose parent is gone may wait for init)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except (OSError, ValueError):
                continue
            if int(of) == group and state != "Z":
                return True
    return False
