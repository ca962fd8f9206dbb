"""What was raised and what rightly was not: ``python -m tests.alerts.scenarios`` prints the table, pytest runs it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from core.models import (
    CheckFigures,
    ContainerFigures,
    DatabaseState,
    DatabaseView,
    DriveFigures,
    Host,
    JobInfo,
    PoolFigures,
    Reason,
    ServiceFigures,
    UpdateFigures,
    WriterStats,
    ZfsFigures,
)
from core.models.alerts import alert_key
from tests.alerts.world import CALM, GIB, START, World, busy

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class Scenario:
    """What happens, who was told of what, in order, and what rightly went without a word."""

    name: str
    play: Callable[[], World]
    raised: tuple[str, ...]
    resolved: tuple[str, ...] = ()
    quiet: str = ""  # what was not raised, and why


def spike() -> World:
    world = World()
    for at in range(12):  # one frame in ten minutes
        world.set("web-01", system=busy(100.0), disks={"/": 99.0, "/var": 50.0})
        world.run(10)
        world.set("web-01", system=CALM, disks={"/": 40.0, "/var": 50.0})
        world.run(10 * MINUTE - at)
    return world


def busy_for_long() -> World:
    world = World()
    world.set("web-01", system=busy(99.0))
    world.run(20 * MINUTE)
    world.set("web-01", system=busy(92.0))  # not under the bound by the slack
    world.run(10 * MINUTE)
    world.set("web-01", system=CALM)
    world.run(10 * MINUTE)
    return world


def slow_climb() -> World:
    world = World(interval_s=20)
    world.run(30 * HOUR, lambda gone: world.set("web-01", disks={"/": 40.0, "/var": 50.0 + 12.0 * gone / DAY}))
    return world


def fast_fill() -> World:
    world = World()
    world.run(5 * MINUTE)
    world.run(5 * MINUTE, lambda gone: world.set("web-01", disks={"/": 40.0, "/var": 50.0 + gone / 10}))
    world.run(20 * MINUTE)  # somebody stopped it
    return world


def rotation() -> World:
    """Logs grow by 8% a day and are rotated at night; it has done so for a week before."""
    world = World(interval_s=20)

    def level(gone: float) -> float:
        return 62.0 + 8.0 * (gone % DAY) / DAY

    start = START.timestamp()
    past = [(start - 7 * DAY + at, level(at) / 100) for at in range(0, int(7 * DAY), 2 * int(HOUR))]
    world.engine.seed("web-01", "/var", past)
    world.run(30 * HOUR, lambda gone: world.set("web-01", disks={"/": 40.0, "/var": level(gone)}))
    return world


def noise() -> World:
    dice = random.Random(7)
    world = World(interval_s=20)
    world.run(3 * HOUR, lambda _: world.set("web-01", disks={"/": 40.0, "/var": 70.0 + dice.uniform(-3, 3)}))
    return world


def flapping() -> World:
    world = World()
    for _ in range(10):
        world.find("web-01", "services", (ServiceFigures("nginx.service", "loaded", "failed", result="signal"),))
        world.run(60)
        world.find("web-01", "services", (ServiceFigures("nginx.service", "loaded", "failed", result="signal"),))
        world.run(60)
        world.find("web-01", "services", ())
        world.run(2 * MINUTE)
        world.find("web-01", "services", ())
    world.run(HOUR, lambda gone: world.find("web-01", "services", ()) if gone % 60 == 0 else None)
    return world


def gap() -> World:
    """Two minutes of trouble, a gap in the data, two minutes of trouble: nobody saw it last five."""
    world = World()
    starved = replace(CALM, mem_available=GIB // 10, swap_free=0)
    world.set("web-01", system=starved)
    world.run(2 * MINUTE)
    world.set("web-01", silent=True)
    world.run(4 * MINUTE)
    world.set("web-01", silent=False)
    world.run(2 * MINUTE)
    world.set("web-01", system=CALM)
    world.run(5 * MINUTE)
    return world


def our_pause() -> World:
    world = World("web-01", "web-02", "web-03")
    world.run(MINUTE)
    world.paused = True
    world.run(HOUR)
    world.paused = False
    for name in world.boxes:  # their connections had been closed meanwhile
        world.down(name)
    world.run(20)
    for name in world.boxes:
        world.up(name)
    world.run(5 * MINUTE)
    return world


def our_sleep() -> World:
    world = World("web-01", "web-02", "web-03")
    world.set("web-01", system=busy(99.0))
    world.run(5 * MINUTE)
    world.sleep(8 * HOUR)
    for name in world.boxes:
        world.down(name, Reason.LOST)
    world.run(20)
    for name in world.boxes:
        world.up(name)
    world.set("web-01", system=CALM)
    world.run(30 * MINUTE)
    return world


def host_away() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    world.set("web-01", disks={"/": 40.0, "/var": 93.0})
    world.run(5 * MINUTE)
    world.down("web-01")
    world.run(10 * MINUTE)
    hidden = world.open["disk-full", "/var"]
    assert hidden.state.value == "suppressed" and hidden.hidden == "host away"
    world.up("web-01")
    world.run(5 * MINUTE)
    assert world.open["disk-full", "/var"].loud
    return world


def short_absence() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    for _ in range(20):
        world.down("web-01")
        world.run(MINUTE)
        world.up("web-01")
        world.run(2 * MINUTE)
    return world


def our_network() -> World:
    world = World(*(f"web-{number:02d}" for number in range(20)))
    world.run(MINUTE)
    for name in world.boxes:
        world.down(name)
    world.run(30 * MINUTE)
    for name in world.boxes:
        world.up(name)
    world.run(5 * MINUTE)
    return world


def maintenance() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    end = START + timedelta(hours=2)
    world.set("web-01", host=Host("web-01", maintenance=True, maintenance_until=end), disks={"/": 99.0, "/var": 99.0})
    world.down("web-01")
    world.run(HOUR)
    return world


def trouble_before_maintenance() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    world.set("web-01", disks={"/": 93.0, "/var": 50.0})
    world.run(5 * MINUTE)
    end = world.clock.now() + timedelta(minutes=30)
    world.set("web-01", host=Host("web-01", maintenance=True, maintenance_until=end))
    world.run(10 * MINUTE)
    assert world.open["disk-full", "/"].hidden == "maintenance"
    world.run(30 * MINUTE, lambda _: world.set("web-01"))
    assert world.open["disk-full", "/"].loud
    return world


def our_clock() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    world.set("web-01", system=busy(99.0))
    world.run(5 * MINUTE)
    world.clock.wall += timedelta(hours=3)
    for box in world.boxes.values():
        box.clock_off_s = -3 * HOUR
    world.run(10 * MINUTE)
    world.clock.wall -= timedelta(hours=3)
    for box in world.boxes.values():
        box.clock_off_s = 0.0
    world.run(20 * MINUTE)  # what has to last begins anew where our own clock cannot be trusted
    world.set("web-01", system=CALM)
    world.run(10 * MINUTE)
    return world


def host_clock() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    world.set("web-02", clock_off_s=600.0)  # set right again after two minutes
    world.run(2 * MINUTE)
    world.set("web-02", clock_off_s=0.0)
    world.set("web-01", clock_off_s=3600.0)
    world.run(20 * MINUTE)
    return world


def kept_over_restart() -> World:
    world = World()
    world.set("web-01", disks={"/": 93.0, "/var": 50.0})
    world.run(5 * MINUTE)
    key = alert_key("disk-full", "web-01", "/")
    world.engine.book.acknowledge([key], "anna", "ordered a disk", world.clock.now())
    world.look()
    world.restart(world.engine.alerts)
    world.run(30 * MINUTE)
    kept = world.open["disk-full", "/"]
    assert kept.state.value == "acknowledged" and kept.note == "ordered a disk" and kept.acked_by == "anna"
    return world


def worse_after_acknowledgement() -> World:
    world = World()
    world.set("web-01", disks={"/": 93.0, "/var": 50.0})
    world.run(5 * MINUTE)
    world.engine.book.acknowledge([alert_key("disk-full", "web-01", "/")], "anna", "known", world.clock.now())
    world.set("web-01", disks={"/": 98.5, "/var": 50.0})
    world.run(5 * MINUTE)
    assert world.open["disk-full", "/"].severity == "error" and world.open["disk-full", "/"].loud
    return world


def silence_runs_out() -> World:
    world = World()
    world.set("web-01", disks={"/": 93.0, "/var": 50.0})
    world.run(5 * MINUTE)
    until = world.clock.now() + timedelta(hours=1)
    world.engine.book.silence(
        [alert_key("disk-full", "web-01", "/")], until, "anna", "copying until noon", world.clock.now()
    )
    world.run(30 * MINUTE)
    assert world.open["disk-full", "/"].state.value == "silenced"
    world.restart(world.engine.alerts)
    world.run(10 * MINUTE)
    assert world.open["disk-full", "/"].state.value == "silenced"
    world.run(30 * MINUTE)
    assert world.open["disk-full", "/"].loud
    return world


def silenced_comes_and_goes() -> World:
    world = World()
    key = alert_key("disk-full", "web-01", "/")
    world.engine.book.silence([key], world.clock.now() + timedelta(hours=4), "anna", "", world.clock.now())
    for _ in range(3):
        world.set("web-01", disks={"/": 93.0, "/var": 50.0})
        world.run(5 * MINUTE)
        world.set("web-01", disks={"/": 60.0, "/var": 50.0})
        world.run(30 * MINUTE)
    return world


def counter_reset() -> World:
    """A unit's restarts: reset by a reboot, then one start too many within ten minutes."""
    world = World()

    def restarts(count: int) -> None:
        world.find("web-01", "services", (ServiceFigures("app.service", "loaded", "active", restarts=count),))
        world.run(MINUTE)

    for count in (4000, 4000, 0, 0, 1, 0, 0):  # rebooted, restarted once, reset
        restarts(count)
    for count in (0,) * 20:
        restarts(count)
    for count in (0, 1, 3, 4, 4):
        restarts(count)
    return world


def verdicts() -> World:
    """What hosts say of themselves is believed at once, or when it is said twice."""
    world = World()
    drive = DriveFigures("/dev/sda", "ata", passed=False, problems=("8 pending sectors",))
    world.find("web-01", "drives", (drive, DriveFigures("/dev/sdb", "ata", passed=True)))
    world.find("web-01", "zfs", ZfsFigures((PoolFigures("tank", "DEGRADED", capacity_pct=40),)))
    world.find("web-01", "updates", UpdateFigures("apt", 4, 0, reboot_needed=True))
    world.find("web-01", "check:http", CheckFigures("http", "critical", "connection refused"))
    world.run(20)
    world.find("web-01", "check:http", CheckFigures("http", "ok", "200"))
    world.find("web-01", "containers", None)  # docker does not answer: nothing is known
    world.run(MINUTE)
    return world


def restart_loop() -> World:
    world = World()

    def loop(gone: float) -> None:
        if gone % 30 == 0:
            up = gone % 60 == 0
            rows = [ContainerFigures("1", "indexer", "i", "docker", "running" if up else "restarting", "Up 4 seconds")]
            rows += [ContainerFigures("2", "web", "w", "docker", "running", "Up 3 weeks (healthy)", "healthy")]
            if gone == 60:  # deployed anew, once
                rows += [ContainerFigures("3", "shop", "s", "docker", "running", "Up 20 seconds")]
            else:
                rows += [ContainerFigures("3", "shop", "s", "docker", "running", "Up 4 minutes")]
            world.find("web-01", "containers", tuple(rows))

    world.run(10 * MINUTE, loop)
    return world


def silent_collector() -> World:
    world = World()

    def answer(gone: float) -> None:
        if gone % 30 == 0:
            world.find("web-01", "processes", ())
        if gone % 60 == 0 and gone < 10 * MINUTE:
            world.find("web-01", "services", ())

    world.run(30 * MINUTE, answer)
    return world


def database() -> World:
    world = World()
    world.run(MINUTE)
    away = DatabaseView(DatabaseState.AWAY, "connection refused")

    def outage(gone: float) -> None:
        world.database, world.writer = away, WriterStats(spooled=int(gone))

    world.run(10 * MINUTE, outage)
    failed = JobInfo(1001, "Retention", "host_samples", 3600, True, START, False, None, 9, 1, "deadlock detected")
    world.database = DatabaseView(DatabaseState.CONNECTED, jobs=(failed,))
    world.run(10 * MINUTE, lambda gone: setattr(world, "writer", WriterStats(spooled=max(0, int(600 - 3 * gone)))))
    return world


def all_jobs_fail() -> World:
    world = World()
    error = "background workers are used up"
    world.database = DatabaseView(
        DatabaseState.CONNECTED,
        jobs=tuple(
            JobInfo(1000 + n, "Columnstore", "host_samples", 3600, True, START, False, None, 9, 1, error)
            for n in range(20)
        ),
    )
    world.run(10 * MINUTE)
    world.database = DatabaseView(DatabaseState.CONNECTED)
    world.run(10 * MINUTE)
    return world


def key_changed() -> World:
    world = World("web-01", "web-02", "web-03", "web-04")
    world.down("web-01", Reason.KEY_CHANGED)
    world.down("web-02", Reason.KEY_UNKNOWN)
    world.run(10 * MINUTE)
    return world


SCENARIOS = (
    Scenario("one spike", spike, (), quiet="CPU 100% and / 99% in a single frame, twelve times"),
    Scenario("busy for long", busy_for_long, ("cpu-busy web-01",), ("cpu-busy web-01",), "at 92% it still stands"),
    Scenario("slow climb", slow_climb, ("disk-filling /var",), quiet="no second word while it climbs on"),
    Scenario("fast fill", fast_fill, ("disk-filling /var",), ("disk-filling /var",), "80% is not 'nearly full'"),
    Scenario("log rotation", rotation, (), quiet="8% a day, but never over where it has been"),
    Scenario("noise", noise, (), quiet="70% give or take three"),
    Scenario(
        "flapping", flapping, ("unit-failed nginx.service",) * 3, ("unit-failed nginx.service",) * 3,
        "the third time it is held open: seven more are not told",
    ),
    Scenario("gap in the data", gap, (), quiet="2 min, a gap, 2 min are not 5 min of trouble"),
    Scenario("our pause", our_pause, (), quiet="an hour without data is our own doing"),
    Scenario("our sleep", our_sleep, (), quiet="8 h asleep: no host away, no CPU busy for 8 h"),
    Scenario(
        "host away", host_away, ("disk-full /var", "host-away web-01"), ("host-away web-01",),
        "its full disk is hidden meanwhile, and not told again",
    ),
    Scenario("short absence", short_absence, (), quiet="a minute off the network, twenty times"),
    Scenario("our network", our_network, ("hosts-away",), ("hosts-away",), "one alert, not twenty"),
    Scenario("maintenance", maintenance, (), quiet="off and full, and meant so"),
    Scenario(
        "before maintenance", trouble_before_maintenance, ("disk-full /",), quiet="hidden for the window, then back"
    ),
    Scenario("our clock jumps", our_clock, ("cpu-busy web-01",), ("cpu-busy web-01",), "no clock off, nobody away"),
    Scenario("host's clock jumps", host_clock, ("clock-off web-01",), quiet="two minutes off are no news"),
    Scenario("restart", kept_over_restart, ("disk-full /",), quiet="acknowledged stays so, nothing is raised again"),
    Scenario("worse", worse_after_acknowledgement, ("disk-full /",), quiet="but 'worse' is told"),
    Scenario("silence runs out", silence_runs_out, ("disk-full /",), quiet="nothing for an hour, over a restart too"),
    Scenario("silenced", silenced_comes_and_goes, (), quiet="comes and goes three times, silenced by key"),
    Scenario("counter reset", counter_reset, ("unit-restarting app.service",), quiet="4000 -> 0 is a reboot"),
    Scenario(
        "verdicts", verdicts, ("drive-failing /dev/sda", "zfs-degraded tank", "reboot-needed web-01"), (),
        "a check that failed once; a docker that does not answer",
    ),
    Scenario("restart loop", restart_loop, ("container-restarting indexer",), quiet="a container deployed anew"),
    Scenario("silent collector", silent_collector, ("collector-silent services",), quiet="the one that answers"),
    Scenario(
        "database", database, ("database-away", "spool-growing", "job-failed 1001 Retention"),
        ("database-away", "spool-growing"), "a spool that shrinks",
    ),
    Scenario("all jobs fail", all_jobs_fail, ("job-failed",), ("job-failed",), "one alert, not twenty"),
    Scenario("host key", key_changed, ("host-key-changed web-01",), quiet="an unknown key waits for a person"),
)  # fmt: skip


def told(scenario: Scenario) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Play it; return what was raised and what was resolved, in order."""
    world = scenario.play()
    return tuple(world.told("raised")), tuple(world.told("resolved"))


def main() -> int:
    """Print the table; 1 where one differs."""
    differ = 0
    print(f"{'scenario':<20} {'raised':<44} {'resolved':<28} rightly not")
    for scenario in SCENARIOS:
        raised, resolved = told(scenario)
        right = (raised, resolved) == (scenario.raised, scenario.resolved)
        differ += not right
        print(f"{scenario.name:<20} {_short(raised):<44} {_short(resolved):<28} {scenario.quiet}")
        if not right:
            print(f"  DIFFERS: wanted {_short(scenario.raised)} and {_short(scenario.resolved)}")
    print(f"{len(SCENARIOS) - differ} of {len(SCENARIOS)} as they should be")
    return 1 if differ else 0


def _short(names: tuple[str, ...]) -> str:
    counted = [f"{names.count(name)}x {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    return ", ".join(counted) or "-"


if __name__ == "__main__":
    sys.exit(main())
