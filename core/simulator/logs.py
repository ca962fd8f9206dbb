"""The simulated hosts' logs: the same story as their figures, as journalctl's JSON and as a container's lines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from core.collectors.logs import BACKLOG, log_argv
from core.models import LogSource
from core.simulator.inspection import CONTAINERS, container_state
from core.simulator.machine import Machine
from core.simulator.story import noise
from core.simulator.units import nginx_lies, smartd_lies

_STEP_S = 4.0
_HOST_ARGV, _CONTAINER_ARGV = (
    log_argv(LogSource("x"), sudo=False)[:4],
    log_argv(LogSource("x", container="x", engine="docker"), sudo=False)[:4],
)
_QUIET = (
    ("cron.service", "CRON", 6, "(root) CMD (cd / && run-parts --report /etc/cron.hourly)"),
    ("ssh.service", "sshd", 6, "Accepted publickey for deploy from 10.0.0.7 port 50122 ssh2: ED25519"),
    ("systemd-timesyncd.service", "systemd-timesyncd", 6, "Contacted time server 10.0.0.2:123 (ntp.example.net)."),
)
_OWN: dict[str, tuple[tuple[str, str, int, str], ...]] = {
    "web": (("nginx.service", "nginx", 6, "10.0.0.3 - - GET /health 200 2"),
            ("nginx.service", "nginx", 4, "upstream response is buffered to a temporary file while reading upstream"),
            ("php8.2-fpm.service", "php-fpm8.2", 5, "server reached pm.max_children setting (20)")),
    "db": (("postgresql.service", "postgres", 6, "LOG:  checkpoint complete: wrote 4127 buffers (3.1%)"),
           ("postgresql.service", "postgres", 4, "WARNING:  transaction left non-empty SSL error queue")),
    "fill": (("mysql.service", "mysqld", 4, "[Warning] Binary log './binlog.004211' grew by 1.0G in 60 s on /var"),
             ("mysql.service", "mysqld", 6, "[Note] Start binlog_dump to slave_server(2), pos(binlog.004211, 4)"),
             ("rsyslog.service", "rsyslogd", 3, "file '/var/log/app/debug.log': write error - /var is nearly full")),
    "nas": (("smbd.service", "smbd", 6, "connect to service srv by user anna (uid=1001, gid=1001)"),
            ("", "kernel", 3, "ata1.00: error: { UNC } sda: Unrecovered read error - auto reallocate failed")),
    "cache": (("redis-server.service", "redis-server", 5, "Background saving terminated with success"),),
    "docker": (("docker.service", "dockerd", 4, "container indexer exited (137): out of memory"),),
}  # fmt: skip


def follower(command: str, machine: Machine) -> Callable[[float, float], str] | None:
    """Return the maker of a log's text between two moments of the story; None where no log is asked for."""
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return None
    if words[:4] == _HOST_ARGV and len(words) == 6:
        return lambda since, until: _journal(machine, words[5], since, until)
    known = {row[0] for row in CONTAINERS} if machine.spec.kind == "docker" else set()
    if words[:4] == _CONTAINER_ARGV and len(words) == 7 and words[6] in known:
        return lambda since, until: _container(machine, words[6], since, until)
    return None


def backlog_s() -> float:
    """Seconds of the past that a log begins with."""
    return BACKLOG * _STEP_S


def _journal(machine: Machine, unit: str, since: float, until: float) -> str:
    lines = []
    for at, (own, program, priority, text) in _moments(machine, since, until):
        if unit and own != unit:
            continue
        record = {
            "__REALTIME_TIMESTAMP": str(int((machine.epoch + at) * 1e6)),
            "PRIORITY": str(priority),
            "SYSLOG_IDENTIFIER": program,
            "_SYSTEMD_UNIT": own or "-",
            "MESSAGE": text,
        }
        lines.append(json.dumps(record) + "\n")
    return "".join(lines)


def _moments(machine: Machine, since: float, until: float) -> list[tuple[float, tuple[str, str, int, str]]]:
    spec = machine.spec
    found = []
    pool = (*_QUIET, *_OWN.get(spec.kind, ()), *_OWN.get(spec.kind, ()))
    for number in _steps(since, until):
        at = number * _STEP_S
        if noise(spec.key ^ 0x77, number) < 0.7:
            found.append((at, pool[int(noise(spec.key ^ 0x99, number) * len(pool))]))
        live = since < at and at > until - 2 * _STEP_S
        if live and nginx_lies(machine):
            text = "nginx.service: Failed with result 'exit-code'. bind() to 0.0.0.0:80 failed (98: in use)"
            found.append((at + 0.5, ("nginx.service", "systemd", 3, text)))
        if live and smartd_lies(machine) and number % 4 == 0:
            found.append(
                (at + 0.5, ("smartd.service", "systemd", 3, "smartd.service: Failed with result 'exit-code'."))
            )
    for name, (verb, at) in machine.deeds.items():
        if since < at <= until:
            done = {"restart": "Restarted", "start": "Started", "stop": "Stopped", "reload": "Reloaded"}[verb]
            found.append((at, (name, "systemd", 6, f"{done} {name}.")))
    return sorted(found)


def _container(machine: Machine, name: str, since: float, until: float) -> str:
    row = next(row for row in CONTAINERS if row[0] == name)
    lines = []
    for number in _steps(since, until):
        at = datetime.fromtimestamp(machine.epoch + number * _STEP_S, UTC)
        text = f"request {number} served in {3 + int(40 * noise(machine.spec.key, number))} ms"
        if name == "indexer":
            text = "\x1b[31mFATAL\x1b[0m heap exhausted: raise -Xmx or the container's limit; exiting (137)"
        if container_state(row, machine)[0] == "exited" and since >= 0:
            continue
        lines.append(f"{at:%Y-%m-%dT%H:%M:%S}.000000000Z {text}\n")
    return "".join(lines)


def _steps(since: float, until: float) -> Iterable[int]:
    first = int(since // _STEP_S) + 1
    return range(first, int(until // _STEP_S) + 1)


def mark_of(command: str) -> str:
    """The line that a follower's text begins with."""
    return "@jw container\n" if _CONTAINER_ARGV[2] in tuple(shlex.split(command)) else "@jw journal\n"
