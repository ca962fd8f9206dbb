"""The demo's hosts acted on over real SSH: a failed unit is mended, a log followed, a host rebooted."""

from __future__ import annotations

import asyncio
import json
import shlex

from core.collectors.hostacts import unit_look
from core.models import LogFeed, LogSource
from core.operations.logs import follow
from core.simulator.acting import played
from core.simulator.fleet import build_fleet, local_spec
from core.simulator.logs import follower
from core.simulator.machine import Machine
from core.simulator.units import nginx_is_down, nginx_lies
from tests.hostwork.bench import Bench


async def test_a_failed_unit_of_the_demo_is_restarted_and_runs(bench: Bench) -> None:
    plan = await bench.plan("unit.restart", "nas-01", unit="smartd.service")
    assert plan.refused == "" and plan.targets[0].note.startswith("failed (failed)")
    outcome = await bench.apply(plan)
    assert outcome.ok and "was failed, is active (running)" in outcome.summary
    assert "not-found" in (await bench.plan("unit.restart", "nas-01", unit="none.service")).refused
    assert (await bench.plan("unit.restart", "edge-01", unit="mosquitto")).statements == (
        "edge-01: rc-service mosquitto restart",
    )


async def test_containers_commands_and_a_reboot_of_the_demo(bench: Bench) -> None:
    plan = await bench.plan("container.stop", "docker-01", container="queue", engine="docker")
    outcome = await bench.apply(plan)
    assert outcome.ok and "was running, is exited" in outcome.summary
    plan = await bench.plan("host.run", "web-01 web-02", command="uptime")
    outcome = await bench.apply(plan)
    assert outcome.ok and all("load average" in each.output for each in outcome.results)
    plan = await bench.plan("host.run", "web-01", command="rm -rf /")
    outcome = await bench.apply(plan)
    assert not outcome.ok and "exit 126" in outcome.failed[0][1]
    plan = await bench.plan("host.reboot", "web-03")
    outcome = await bench.apply(plan)
    assert outcome.ok and "not known yet" in outcome.summary


async def test_a_log_of_the_demo_is_followed_live(bench: Bench) -> None:
    feed = LogFeed()
    assert bench.operations._reach is not None
    task = asyncio.create_task(follow(bench.operations._reach, LogSource("db-01"), feed))
    try:
        async with asyncio.timeout(60):
            while len(feed.records) < 20:
                await asyncio.sleep(0.05)
            begun = feed.records[-1].number
            while feed.records[-1].number == begun:  # a new line came
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert all(record.ts is not None and record.priority is not None for record in feed.records)


def machine(name: str) -> Machine:
    here = local_spec(
        cpus=2, memory=1 << 33, swap=0, filesystems=(), disks=(), interfaces=(), uptime_s=1e6, name="here"
    )  # fmt: skip
    return Machine(next(spec for spec in build_fleet(30, 0, here) if spec.name == name), 1_893_456_000.0)


def test_nginx_is_mended_until_it_falls_again() -> None:
    host = machine("web-02")
    down = next(at for at in range(600) if nginx_is_down(host.spec, at))
    host.advance(down + 1.0)
    assert nginx_lies(host)
    look = shlex.join(unit_look("nginx.service"))
    before = played(look, host)
    assert before is not None and "ActiveState=failed" in before.text
    assert played("systemctl --no-ask-password restart -- nginx.service", host) is not None
    after = played(look, host)
    assert not nginx_lies(host) and after is not None and "ActiveState=active" in after.text
    host.advance(down + 181.0)
    assert nginx_lies(host)


def test_what_was_done_stands_in_the_log() -> None:
    host = machine("web-02")
    host.advance(50.0)
    played("systemctl --no-ask-password restart -- nginx.service", host)
    host.advance(60.0)
    telling = follower(shlex.join(_argv("nginx.service")), host)
    assert telling is not None
    records = [json.loads(line) for line in telling(40.0, 60.0).splitlines()]
    assert "Restarted nginx.service." in [record["MESSAGE"] for record in records]
    assert {record["_SYSTEMD_UNIT"] for record in records} == {"nginx.service"}


def _argv(unit: str) -> tuple[str, ...]:
    from core.collectors.logs import log_argv

    return log_argv(LogSource("x", unit=unit), sudo=False)


def test_a_reboot_begins_anew() -> None:
    host = machine("web-02")
    host.advance(50.0)
    boot, stat = host.boot_id, host.stat()
    assert played("systemctl --no-ask-password reboot", host) is not None
    assert host.boot_id != boot and len(host.boot_id) == len(boot) and host.uptime < 1 and host.stat() != stat


def test_foreign_words_are_no_action() -> None:
    host = machine("docker-01")
    for command in (
        "",
        "'",
        "systemctl restart nginx",
        "docker rm shop",
        "docker exec shop sh",
        "sh -c reboot",
        "sudo -n sh",
    ):
        answer = played(command, host)
        assert answer is None, command
