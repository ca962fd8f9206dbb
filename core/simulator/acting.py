"""What a simulated host does when it is acted on: units, containers, a reboot, a few typed commands.

A client's words are compared with the catalogue's own, letter by letter, and never run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from core.collectors import hostacts
from core.collectors.hostacts import container_look, plain_look, reboot_look, unit_look
from core.simulator.inspection import CONTAINERS, container_state
from core.simulator.machine import Machine
from core.simulator.units import nginx_lies, smartd_lies

_UNITS: dict[str, tuple[str, ...]] = {
    "web": ("nginx.service", "php8.2-fpm.service"),
    "db": ("postgresql.service", "pgbouncer.service"),
    "fill": ("mysql.service", "rsyslog.service"),
    "cache": ("redis-server.service",),
    "nas": ("smbd.service", "smartd.service"),
    "docker": ("docker.service",),
    "edge": ("mosquitto", "sshd"),
}
_EVERYWHERE = ("ssh.service", "cron.service")
_UNIT_LOOK, _CONTAINER_LOOK = unit_look("x")[:4], container_look("docker", "x", sudo=False)[:4]


@dataclass(frozen=True, slots=True)
class Played:
    """What a command prints and how it ends; ``goes_down``: the host leaves the network for a while."""

    text: str = ""
    code: int = 0
    errors: str = ""
    goes_down: bool = False


def played(command: str, machine: Machine) -> Played | None:
    """Return what the host answers, its state changed by it; None where it is no action."""
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return None
    if words[:2] == ("sudo", "-n"):
        words = words[2:]
    if words == plain_look():
        return Played("@jw uid\n1000\n@jw end\n")
    if words == reboot_look():
        return Played(_before_reboot(machine))
    if words[:4] == _UNIT_LOOK and len(words) == 5:
        return Played(_look_at_unit(words[4], machine))
    if words[:4] == _CONTAINER_LOOK and len(words) == 7:
        return Played(_look_at_container(words[6], machine))
    return _act(words, machine) or _typed(words, machine)


def _act(words: tuple[str, ...], machine: Machine) -> Played | None:
    if words in (hostacts.reboot_argv("systemd"), hostacts.reboot_argv("")):
        machine.reboot()
        return Played(goes_down=True)
    if words[:2] == ("systemctl", "--no-ask-password") and len(words) == 5 and words[3] == "--":
        verb, unit = words[2], words[4]
    elif words[:1] == ("rc-service",) and len(words) == 3:
        unit, verb = words[1:]
    elif words[:1] == ("docker",) and len(words) == 3 and machine.spec.kind == "docker":
        verb, name = words[1:]
        if verb not in hostacts.CONTAINER_VERBS:
            return None
        if name not in {row[0] for row in CONTAINERS}:
            return Played("", 1, f"Error response from daemon: No such container: {name}\n")
        machine.deeds[name] = (verb, machine.elapsed)
        return Played(f"{name}\n")
    else:
        return None
    if verb not in hostacts.UNIT_VERBS:
        return None
    if unit not in units_of(machine):
        return Played("", 5, f"Failed to {verb} {unit}: Unit {unit} not found.\n")
    machine.deeds[unit] = (verb, machine.elapsed)
    return Played()


def units_of(machine: Machine) -> tuple[str, ...]:
    """The units that the host has."""
    own = _UNITS.get(machine.spec.kind, ())
    return own if machine.spec.kind == "edge" else (*own, *_EVERYWHERE)


def _look_at_unit(unit: str, machine: Machine) -> str:
    lines = ["@jw uid", "1000"]
    verb, at = machine.deeds.get(unit, ("", 0.0))
    there = unit in units_of(machine)
    if machine.spec.kind == "edge":
        said = " * status: started" if verb != "stop" else " * status: stopped"
        said = said if there else f" * rc-service: service `{unit}' does not exist"
        return "\n".join((*lines, "@jw openrc", said, "@jw end", ""))
    failed = (unit == "nginx.service" and nginx_lies(machine)) or (unit == "smartd.service" and smartd_lies(machine))
    active, sub, pid = ("failed", "failed", 0) if failed else ("active", "running", 700 + machine.spec.key % 300)
    if verb == "stop":
        active, sub, pid = "inactive", "dead", 0
    since = datetime.fromtimestamp(machine.epoch + (at if verb else max(0.0, machine.elapsed - 40.0)), UTC)
    lines += ["@jw systemd", f"Id={unit}", f"LoadState={'loaded' if there else 'not-found'}", f"ActiveState={active}"]
    lines += [f"SubState={sub}", f"Result={'exit-code' if failed else 'success'}", f"MainPID={pid}", "NRestarts=0"]
    return "\n".join((*lines, f"StateChangeTimestamp={since:%a %Y-%m-%d %H:%M:%S UTC}", "@jw end", ""))


def _look_at_container(name: str, machine: Machine) -> str:
    row = next((row for row in CONTAINERS if row[0] == name), None)
    if row is None or machine.spec.kind != "docker":
        return f"@jw uid\n1000\n@jw inspect\nError: No such object: {name}\n@jw exit 1\n@jw end\n"
    state, _ = container_state(row, machine)
    _, at = machine.deeds.get(name, ("", -1_800_000.0))
    since = datetime.fromtimestamp(machine.epoch + at, UTC)
    return f"@jw uid\n1000\n@jw inspect\n{state}|{since:%Y-%m-%dT%H:%M:%S}Z|0\n@jw exit 0\n@jw end\n"


def who(machine: Machine) -> list[str]:
    """The lines of who(1)."""
    since = datetime.fromtimestamp(machine.epoch + machine.elapsed - 3600 * (1 + machine.spec.key % 20), UTC)
    users = ("anna", "deploy")[: machine.spec.key % 3]
    return [f"{user:<8} pts/{n}        {since:%Y-%m-%d %H:%M} (10.0.0.{7 + n})" for n, user in enumerate(users)]


def _before_reboot(machine: Machine) -> str:
    manager = [] if machine.spec.kind == "edge" else ["@jw systemd"]
    uptime = f"{machine.uptime:.2f} {machine.uptime:.2f}"
    lines = ["@jw uid", "1000", *manager, "@jw boot", machine.boot_id, "@jw uptime", uptime, "@jw who", *who(machine)]
    return "\n".join((*lines, "@jw end", ""))


def _typed(words: tuple[str, ...], machine: Machine) -> Played | None:
    """The few harmless commands that a person may try on the demo's hosts."""
    now = datetime.fromtimestamp(machine.epoch + machine.elapsed, UTC)
    answers: dict[tuple[str, ...], Callable[[], str]] = {
        ("uptime",): lambda: (
            f" {now:%H:%M:%S} up {int(machine.uptime // 86400)} days, {len(who(machine))} users, "
            f"load average: {', '.join((machine.loadavg() or '').split()[:3])}\n"
        ),
        ("date",): lambda: f"{now:%a %b %e %H:%M:%S UTC %Y}\n",
        ("who",): lambda: "".join(f"{line}\n" for line in who(machine)),
        ("cat", "/etc/os-release"): lambda: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
        ("false",): lambda: "",
    }
    if words not in answers:
        return None
    return Played(answers[words](), 1 if words == ("false",) else 0)
