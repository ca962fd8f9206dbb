"""Actions on a real sshd: the plan's look, the exact words, canary, failures told apart, nothing after one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.collectors.hostacts import Look, command_argv, goes_down
from core.events import EventBus
from core.exceptions import BusinessLogicError, ResourceNotFoundError, ValidationError
from core.models import Outcome
from core.operations import hostrun
from core.operations.hostplan import HostStep
from tests.hostwork.bench import Bench, play_unit
from tests.hostwork.conftest import MakeReach, play


@pytest.fixture
async def bus() -> AsyncIterator[EventBus]:
    async with EventBus() as running:
        yield running


async def test_a_failed_unit_is_planned_restarted_and_looked_at_again(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    state = play_unit(tools)
    bench = Bench(bus, make_reach())
    plan = await bench.plan("unit.restart", "real", unit="web@1.service")
    assert plan.refused == "" and plan.confirm == "web@1.service"
    assert plan.targets[0].name == "real" and plan.targets[0].note.startswith("failed (sub)")
    assert plan.statements == ("real: systemctl --no-ask-password restart -- web@1.service",)
    assert state.read_text() == "failed" and not bench.audit.rows
    outcome = await bench.apply(plan)
    assert outcome.ok and outcome.done == ("real",) and "was failed, is active (sub)" in outcome.summary
    assert Path(f"{state}.log").read_text() == "--no-ask-password restart -- web@1.service\n"
    assert [row[0] for row in bench.audit.rows] == ["intent", "outcome"]


async def test_an_exit_code_of_zero_is_not_believed_where_the_unit_lies_failed(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    play_unit(tools, after="failed")
    bench = Bench(bus, make_reach())
    outcome = await bench.apply(await bench.plan("unit.restart", "real", unit="web.service"))
    assert not outcome.ok and outcome.failed[0][1].startswith("was failed, is failed")


async def test_a_unit_that_changed_since_the_plan_stops_it(bus: EventBus, make_reach: MakeReach, tools: Path) -> None:
    state = play_unit(tools)
    bench = Bench(bus, make_reach())
    plan = await bench.plan("unit.restart", "real", unit="web.service")
    state.write_text("active")
    with pytest.raises(BusinessLogicError, match="stale"):
        await bench.apply(plan)
    assert not Path(f"{state}.log").exists() and not bench.audit.rows


async def test_read_only_and_a_wrong_name_do_nothing(bus: EventBus, make_reach: MakeReach, tools: Path) -> None:
    state = play_unit(tools)
    bench = Bench(bus, make_reach(), read_only=True)
    plan = await bench.plan("unit.restart", "real", unit="web.service")
    assert "read-only" in plan.refused
    with pytest.raises(BusinessLogicError, match="read-only"):
        await bench.apply(plan)
    bench.gate.unlock(60)
    with pytest.raises(BusinessLogicError, match=r"type web\.service exactly"):
        await bench.operations.apply(replace(plan, refused=""), "web", "tester")
    assert not Path(f"{state}.log").exists() and not bench.audit.rows


async def test_names_that_are_no_names_are_refused(bus: EventBus, make_reach: MakeReach) -> None:
    bench = Bench(bus, make_reach())
    for unit in ("-H evil", "a b", "x;reboot", "$(id)", "--all", "x" * 300, "a\nb"):
        with pytest.raises(ValidationError):
            await bench.plan("unit.restart", "real", unit=unit)
    with pytest.raises(ValidationError):
        await bench.plan("container.stop", "real", container="a;b", engine="docker")
    with pytest.raises(ValidationError):
        await bench.plan("container.stop", "real", container="web", engine="rm")
    with pytest.raises(ResourceNotFoundError):
        await bench.plan("host.reboot", "nobody")


async def run_on(bench: Bench, hosts: str, command: str, **arguments: object) -> Outcome:
    return await bench.apply(await bench.plan("host.run", hosts, command=command, **arguments))


async def test_the_canary_runs_alone_and_its_failure_stops_all(
    bus: EventBus, make_reach: MakeReach, tools: Path, tmp_path: Path
) -> None:
    play(tools, "try-it", f"echo x >> {tmp_path}/ran; exit 3")
    bench = Bench(bus, make_reach("a", "b", "c"))
    plan = await bench.plan("host.run", "a b c", command="try-it")
    assert plan.confirm == "3 hosts" and "first a alone" in plan.summary
    outcome = await bench.apply(plan)
    assert (tmp_path / "ran").read_text() == "x\n"
    assert not outcome.ok and outcome.failed == (("a", "exit 3"),) and outcome.done == ()
    assert "2 not done" in outcome.summary and [each.host for each in outcome.results] == ["a"]


async def test_a_later_failure_begins_no_further_host(
    bus: EventBus, make_reach: MakeReach, tools: Path, tmp_path: Path
) -> None:
    play(tools, "try-it", f"echo x >> {tmp_path}/ran; [ $(wc -l < {tmp_path}/ran) -lt 2 ]")
    names = [f"h{n}" for n in range(10)]
    bench = Bench(bus, make_reach(*names))
    outcome = await run_on(bench, " ".join(names), "try-it")
    assert outcome.done[0] == "h0" and outcome.failed
    ended = {each.host for each in outcome.results}
    assert len((tmp_path / "ran").read_text().split()) == len(ended) < 10  # those under way ended, no more began


async def test_outputs_come_back_with_exit_codes_and_the_rest_runs_after_the_canary(
    bus: EventBus, make_reach: MakeReach
) -> None:
    bench = Bench(bus, make_reach("a", "b", "c"))
    outcome = await run_on(bench, "a b c", "echo out; echo bad >&2")
    assert outcome.ok and outcome.done[0] == "a" and set(outcome.done) == {"a", "b", "c"}
    assert {(each.exit_code, each.output, each.errors) for each in outcome.results} == {(0, "out\n", "bad\n")}


async def test_hostile_output_is_cut_and_the_audit_keeps_little(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    play(tools, "flood", r"printf '\033[2J\377[bold red]x'; head -c 5000000 /dev/zero")
    bench = Bench(bus, make_reach())
    plan = await bench.plan("host.run", "real", command="flood")
    outcome = await bench.apply(plan)
    result = outcome.results[0]
    assert result.truncated and len(result.output) == 1 << 16
    kept = bench.audit.rows[-1][2]
    assert isinstance(kept, Outcome) and len(kept.results[0].output) == 1000


async def test_sudo_that_asks_for_a_password_says_the_way_out(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    play_unit(tools)
    play(tools, "id", "echo 1000")
    play(tools, "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    bench = Bench(bus, make_reach(sudo=("actions",)))
    plan = await bench.plan("unit.restart", "real", unit="web.service")
    assert plan.statements == ("real: sudo -n systemctl --no-ask-password restart -- web.service",)
    outcome = await bench.apply(plan)
    assert "a password is required" in outcome.failed[0][1] and "NOPASSWD" in outcome.failed[0][1]


async def test_sudo_is_used_only_where_the_host_allows_it(bus: EventBus, make_reach: MakeReach, tools: Path) -> None:
    play(tools, "id", "echo 1000")
    bench = Bench(bus, make_reach())
    plan = await bench.plan("host.run", "real", command="true", sudo="yes")
    assert "allow no sudo" in plan.refused
    play(tools, "id", "echo 0")
    plan = await bench.plan("host.run", "real", command="true", sudo="yes")
    assert plan.refused == "" and plan.statements == ("real: true",)  # root needs none


async def test_a_deadline_does_not_claim_to_know(bus: EventBus, make_reach: MakeReach) -> None:
    bench = Bench(bus, make_reach())
    outcome = await run_on(bench, "real", "sleep 20.77", timeout_s=1)
    assert not outcome.ok and "what it did is not known" in outcome.failed[0][1]


async def test_a_reboot_that_cuts_the_connection_is_a_success_said_honestly(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    # The session's sshd dies under it, as it does when a host goes down before the command has told its end.
    play(tools, "systemctl", 'case "$*" in *reboot) kill -9 $(ps -o ppid= -p $PPID) $PPID; sleep 5;; *) exit 97;; esac')
    play(tools, "who", "echo 'anna pts/0 2030-01-02 03:04 (10.0.0.7)'")
    bench = Bench(bus, make_reach())
    plan = await bench.plan("host.reboot", "real")
    assert plan.destructive and plan.confirm == "real"
    assert "1 session logged in" in plan.targets[0].note and any("anna pts/0" in each for each in plan.warnings)
    assert plan.statements == ("real: systemctl --no-ask-password reboot",)
    outcome = await bench.apply(plan)
    assert outcome.ok and "not known yet" in outcome.summary


async def test_a_reboot_over_a_connection_that_was_gone_before_is_no_success(
    make_reach: MakeReach, tools: Path
) -> None:
    reach = make_reach()
    async with reach.session("real") as session:
        await session.close()
    argv = ("systemctl", "--no-ask-password", "reboot")
    assert goes_down(argv)
    result = await hostrun.run_step(HostStep("real", argv, 5.0, (), "host", Look()), reach)
    assert not result.ok and "connection is closed" in result.note and "not known" not in result.note


async def test_a_lost_connection_is_no_success_of_another_command(
    bus: EventBus, make_reach: MakeReach, tools: Path
) -> None:
    play(tools, "try-it", "kill -9 $(ps -o ppid= -p $PPID) $PPID; sleep 5")
    bench = Bench(bus, make_reach())
    outcome = await run_on(bench, "real", "try-it")
    assert not outcome.ok


async def test_a_host_that_cannot_be_reached_is_left_out_and_named(bus: EventBus, make_reach: MakeReach) -> None:
    good, gone = make_reach("a"), make_reach("gone", port=1)
    good._hosts |= gone._hosts
    bench = Bench(bus, good)
    plan = await bench.plan("host.run", "a gone", command="true")
    assert [target.name for target in plan.targets] == ["a"] and plan.refused == ""
    assert any(each.startswith("gone is left out: ") for each in plan.warnings)
    assert (await bench.plan("host.run", "gone", command="true")).refused.startswith("gone is left out: ")


async def test_containers_are_looked_at_and_acted_on(
    bus: EventBus, make_reach: MakeReach, tools: Path, tmp_path: Path
) -> None:
    play(
        tools,
        "docker",
        f'case "$1" in inspect) echo "running|2030-01-02T03:04:05.1Z|2";; *) echo "$@" > {tmp_path}/did;; esac',
    )
    bench = Bench(bus, make_reach())
    plan = await bench.plan("container.stop", "real", container="shop", engine="docker")
    assert plan.destructive and plan.targets[0].note == "running, started 2030-01-02T03:04:05, 2 restarts"
    assert (await bench.apply(plan)).ok and (tmp_path / "did").read_text() == "stop shop\n"
    play(tools, "docker", "echo 'permission denied while trying to connect to the docker socket'; exit 1")
    plan = await bench.plan("container.stop", "real", container="shop", engine="docker")
    assert "engine's group" in plan.refused


def test_typed_lines_become_words_only_where_no_shell_is_needed() -> None:
    assert command_argv("  uptime -p ") == ("uptime", "-p")
    for line in ("a | b", "echo $HOME", "A=1 env", "ls *", "x; y", "echo 'a b'", "a > b", "a && b", "~/x"):
        assert command_argv(line) == ("sh", "-c", line)
    for line in ("", "a\nb", "\x1b[0m", "x" * 5000):
        with pytest.raises(ValidationError):
            command_argv(line)


def test_commands_that_take_a_host_down_are_known() -> None:
    for argv in (("reboot",), ("sudo", "-n", "/sbin/shutdown", "-r", "now"), ("systemctl", "--force", "reboot"),
                 ("sh", "-c", "reboot now"), ("init", "6")):  # fmt: skip
        assert goes_down(argv)
    for argv in (("echo", "reboot"), ("systemctl", "status", "x"), ("init", "3"), ("sh", "-c", ""), ()):
        assert not goes_down(argv)


@pytest.mark.parametrize("returns", [True, False])
async def test_the_next_host_is_rebooted_when_the_one_before_has_come_back(
    bus: EventBus, make_reach: MakeReach, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returns: bool
) -> None:
    monkeypatch.setattr(hostrun, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(hostrun, "BACK_S", 60.0 if returns else 0.2)
    boots = tmp_path / "boots"
    boots.write_text("1\n")
    play(tools, "cat", f'case "$1" in */boot_id) /bin/cat {boots};; *) exec /bin/cat "$@";; esac')
    play(
        tools,
        "systemctl",
        f'case "$*" in *reboot) echo x >> {boots}.done; {f"echo $$ > {boots}" if returns else ":"};; esac',
    )
    bench = Bench(bus, make_reach("a", "b"))
    plan = await bench.plan("host.reboot", "a b")
    assert plan.confirm == "2 hosts" and "each awaited back before the next" in plan.summary
    outcome = await bench.apply(plan)
    told = Path(f"{boots}.done").read_text().split()
    if returns:
        assert outcome.ok and outcome.done == ("a", "b") and len(told) == 2
        assert all(each.note.startswith("rebooted, back after") for each in outcome.results)
    else:
        assert outcome.failed[0][0] == "a" and "not back within" in outcome.failed[0][1] and len(told) == 1


async def test_what_was_under_way_when_it_was_cut_off_is_not_called_undone(
    bus: EventBus, make_reach: MakeReach, tools: Path, tmp_path: Path
) -> None:
    play(tools, "try-it", f"echo x > {tmp_path}/begun; exec sleep 20")
    bench = Bench(bus, make_reach("a", "b"))
    task = asyncio.create_task(run_on(bench, "a b", "try-it"))
    async with asyncio.timeout(60):
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait({task})
    kept = bench.audit.rows[-1][2]
    assert isinstance(kept, Outcome) and not kept.ok and "1 not done" in kept.summary
    assert kept.failed == (("a", "cut off while it ran: what it did is not known"),)
