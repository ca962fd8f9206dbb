"""What the simulated hosts answer to the slow collectors: one story with their figures, in the tools' own formats.

nas-01's sda fails, and tells it to root alone; docker-01 has a restart loop, and a certificate that ends soon.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from core.collectors.catalog import COLLECTORS, services_of
from core.collectors.collector import Collector
from core.simulator.fleet import MIB, WATCHED, HostSpec
from core.simulator.machine import Machine
from core.simulator.story import noise, wave
from core.simulator.units import nginx_lies, services, watched_by, watched_units

_HZ = 100
_RESTART_S = 20.0  # as its CPU shows it
_COMMANDS: dict[str, tuple[Collector, bool]] = {
    shlex.join(one.command(root=root)): (one, root)
    for one in (*COLLECTORS.values(), *map(services_of, WATCHED.values()))
    for root in (True, False)
}
_JOBS: dict[str, tuple[tuple[str, str, float, float], ...]] = {
    # name, user, share of the host's CPU, fraction of its memory
    "web": (("nginx", "www-data", 0.5, 0.05), ("php-fpm8.2", "www-data", 0.4, 0.1), ("memcached", "nobody", 0.05, 0.1)),
    "db": (("postgres", "postgres", 0.9, 0.45), ("pgbouncer", "postgres", 0.05, 0.01)),
    "fill": (("mysqld", "mysql", 0.7, 0.4), ("rsyslogd", "syslog", 0.2, 0.02)),
    "cache": (("redis-server", "redis", 0.9, 0.7),),
    "batch": (("python3", "batch", 0.92, 0.3), ("celery", "batch", 0.05, 0.05)),
    "nas": (("smbd", "root", 0.4, 0.05), ("nfsd", "root", 0.3, 0.0), ("md0_raid1", "root", 0.2, 0.0)),
    "ci": (("cc1plus", "runner", 0.7, 0.1), ("ld", "runner", 0.2, 0.05), ("Runner.Worker", "runner", 0.05, 0.05)),
    "edge": (("mosquitto", "mosquitto", 0.5, 0.05), ("node-red", "pi", 0.4, 0.2)),
    "docker": (("dockerd", "root", 0.2, 0.05), ("java", "root", 0.5, 0.25), ("node", "root", 0.2, 0.08)),
}  # fmt: skip
_PORTS: dict[str, tuple[tuple[int, str], ...]] = {
    "web": ((80, "nginx"), (443, "nginx")),
    "db": ((5432, "postgres"), (6432, "pgbouncer")),
    "fill": ((3306, "mysqld"),),
    "cache": ((6379, "redis-server"),),
    "nas": ((445, "smbd"), (2049, "-")),
    "edge": ((1883, "mosquitto"), (1880, "node-red")),
    "docker": ((8080, "docker-proxy"), (9000, "docker-proxy")),
}
ContainerRow = tuple[str, str, str, str, float, float]
CONTAINERS: tuple[ContainerRow, ...] = (  # name, image, state, status, CPU percent, fraction of memory
    ("shop", "shop:4.2", "running", "Up 3 weeks (healthy)", 31.0, 0.22),
    ("queue", "rabbitmq:3.13", "running", "Up 3 weeks", 4.0, 0.06),
    ("indexer", "indexer:1.9", "restarting", "", 288.0, 0.11),
    ("traefik", "traefik:v3.1", "running", "Up 3 weeks (healthy)", 1.0, 0.01),
    ("migrate", "shop:4.2", "exited", "Exited (0) 3 weeks ago", 0.0, 0.0),
)
_PROXIES = (  # name, container, port, who asks for a login
    ("shop", "shop", 8080, ""), ("queue", "queue", 15672, "authelia"), ("grafana", "grafana", 3000, "authelia"),
)  # fmt: skip
_PACKAGES = ("openssl", "libssl3", "curl", "libcurl4", "openssh-server", "linux-image-amd64", "tzdata", "vim-common",
             "systemd", "udev", "bind9-host", "less", "perl-base", "libc6", "sudo", "python3.11")  # fmt: skip


def collector_of(command: str) -> tuple[Collector, bool] | None:
    """Return the collector whose command this is, letter by letter, and whether it asks for root; else None."""
    return _COMMANDS.get(command)


def told(collector: Collector, root: bool, machine: Machine) -> str:
    """Return what a simulated host prints to one of the catalogue's collectors."""
    lines = _TELLERS[collector.name](machine, root)
    watched = watched_units(machine, watched_by(collector)) if collector.name == "services" else ()
    return "".join(line + "\n" for line in (*lines, *watched, "@jw end"))


def container_state(row: ContainerRow, machine: Machine) -> tuple[str, str]:
    """Return the state and status of a container, as the story and what was done to it have it."""
    name, _, state, status, _, _ = row
    verb, at = machine.deeds.get(name, ("", 0.0))
    if verb == "stop":
        return "exited", f"Exited (0) {int(machine.elapsed - at)} seconds ago"
    if name == "indexer":
        place = machine.elapsed % _RESTART_S
        if place < 5.0:
            return "running", f"Up {int(place)} seconds"
        return "restarting", f"Restarting (137) {int(place - 5)} seconds ago"
    return ("running", f"Up {int(machine.elapsed - at)} seconds") if verb else (state, status)


def _processes(machine: Machine, _root: bool) -> Iterable[str]:
    spec, level = machine.spec, machine.level
    yield f"@jw uptime {machine.uptime:.2f} {machine.uptime + 1.0:.2f} {_HZ}"
    busy = level.cpu * spec.cpus / 100.0  # CPUs
    jobs = _JOBS.get(spec.kind, _JOBS["web"])
    if nginx_lies(machine):
        jobs = tuple(job for job in jobs if job[0] != "nginx")
    users = {name: 1000 + number for number, name in enumerate(sorted({job[1] for job in jobs} - {"root"}))}
    for number, (name, user, share, memory) in enumerate((*jobs, ("sshd", "root", 0.01, 0.001))):
        ticks = int(busy * share * _HZ * (0.8 + 0.4 * wave(spec.key + number, machine.elapsed, 7.0)))
        rss = int(memory * spec.memory * (0.9 + 0.1 * level.memory)) >> 10
        uid = users.get(user, 0)
        yield f"@jw process {700 + number * 37 + spec.key % 300} {ticks}"
        yield from (f"Name:\t{name}", f"State:\t{'R (running)' if ticks > 50 else 'S (sleeping)'}")
        yield f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}"
        if rss:
            yield f"VmRSS:\t{rss:>8} kB"
        yield f"Threads:\t{1 + int(share * 8)}"
    yield from (f"@jw user {uid} {name}" for name, uid in {**users, "root": 0}.items())


def _containers(machine: Machine, _root: bool) -> Iterable[str]:
    spec = machine.spec
    if spec.kind != "docker":
        return
    rows = [(*row[:2], *container_state(row, machine), *row[4:]) for row in CONTAINERS]
    ids = [f"{spec.key ^ (number * 0x9E3779B1):016x}"[-16:] * 4 for number in range(len(rows))]
    yield "@jw ps docker"
    for identity, (name, image, state, status, _, _) in zip(ids, rows, strict=True):
        yield json.dumps({"ID": identity, "Names": name, "Image": image, "State": state, "Status": status})
    yield from ("", "@jw exit docker 0", "@jw stats docker")
    for number, (identity, (name, _, state, _, cpu, memory)) in enumerate(zip(ids, rows, strict=True)):
        if state == "exited":
            continue
        share = cpu * (0.7 + 0.6 * wave(spec.key + number, machine.elapsed, 9.0)) if state == "running" else 0.0
        used, most = memory * spec.memory / MIB if state == "running" else 0.0, spec.memory / MIB
        yield json.dumps(
            {
                "ID": identity, "Name": name, "CPUPerc": f"{share:.2f}%", "MemUsage": f"{used:.1f}MiB / {most:.0f}MiB",
                "NetIO": f"{number + 1}.2GB / {number}.4GB", "BlockIO": "120MB / 34MB", "PIDs": str(12 + 7 * number),
            }
        )  # fmt: skip
    yield ""


def _drives(machine: Machine, root: bool) -> Iterable[str]:
    spec = machine.spec
    if spec.kind not in ("nas", "db"):  # virtual disks
        yield from ("@jw tool smartctl", "")
        return
    yield "@jw tool smartctl"
    for number, disk in enumerate(spec.disks):
        yield from ("", f"@jw smart /dev/{disk} {'nvme' if disk.startswith('nvme') else 'auto'}")
        if not root:
            message = f"Smartctl open device: /dev/{disk} failed: Permission denied"
            severe = [{"string": message, "severity": "error"}]
            device = {"name": f"/dev/{disk}", "protocol": "NVMe" if disk.startswith("nvme") else "ATA"}
            yield json.dumps({"smartctl": {"exit_status": 2, "messages": severe}, "device": device})
        elif disk.startswith("nvme"):
            yield json.dumps(_nvme(spec, number))
        else:
            yield json.dumps(_ata(spec, number, machine.elapsed))
    yield ""
    if spec.kind == "nas":
        yield from ("@jw mdstat", "Personalities : [raid1]", "md0 : active raid1 sdb1[1] sda1[0]",
                    "      8388608000 blocks super 1.2 [2/2] [UU]", "      bitmap: 2/63 pages [8KB], 65536KB chunk",
                    "", "unused devices: <none>")  # fmt: skip


def _ata(spec: HostSpec, number: int, elapsed: float) -> dict[str, object]:
    """A SATA drive; the first one of the nas fails: its pending sectors grow as it is watched."""
    bad = number == 0
    pending, moved = (8 + 8 * int(elapsed // 60.0), 232) if bad else (0, 0)
    raw = {5: moved, 197: pending, 198: pending // 2, 199: 0}
    return {
        "smartctl": {"exit_status": 0x58 if bad else 0},
        "device": {"name": f"/dev/{spec.disks[number]}", "protocol": "ATA"},
        "model_name": "WDC WD80EFZX-68UW8N0", "serial_number": f"VK{spec.key % 100000:05d}{number}",
        "user_capacity": {"bytes": 8001563222016}, "smart_status": {"passed": not bad},
        "temperature": {"current": 47 if bad else 38}, "power_on_time": {"hours": 51234 - 20000 * number},
        "ata_smart_attributes": {"table": [{"id": key, "raw": {"value": value}} for key, value in raw.items()]},
    }  # fmt: skip


def _nvme(spec: HostSpec, number: int) -> dict[str, object]:
    log = {"critical_warning": 0, "available_spare": 100, "percentage_used": 9 + 4 * number, "media_errors": 0}
    return {
        "smartctl": {"exit_status": 0}, "device": {"name": f"/dev/{spec.disks[number]}", "protocol": "NVMe"},
        "model_name": "SAMSUNG MZQL21T9HCJR", "serial_number": f"S64G{spec.key % 100000:05d}{number}",
        "nvme_total_capacity": 1920383410176, "smart_status": {"passed": True},
        "temperature": {"current": 36 + 3 * number}, "power_on_time": {"hours": 14021},
        "nvme_smart_health_information_log": log,
    }  # fmt: skip


def _updates(machine: Machine, _root: bool) -> Iterable[str]:
    spec = machine.spec
    yield from ("@jw kernel 6.1.0-18-amd64", "@jw modules", "@jw installed 6.1.0-18-amd64")
    if spec.kind in ("db", "nas"):  # long up, and a newer kernel waits for a reboot
        yield from ("@jw installed 6.1.0-21-amd64", "@jw reboot file")
    yield from (f"@jw age {3600 + spec.key % 40000}", "@jw apt")
    for number, name in enumerate(_PACKAGES):
        if noise(spec.key, number) < (0.8 if spec.kind in ("db", "edge") else 0.25):
            where = "Debian-Security:12/stable-security" if number < 3 else "Debian:12.5/stable"
            yield f"Inst {name} [1:2.{number}-1] (1:2.{number}-1+deb12u2 {where} [amd64])"
    yield "@jw exit 0"


def _zfs(_machine: Machine, _root: bool) -> Iterable[str]:
    return ("@jw none",)


def _sessions(machine: Machine, _root: bool) -> Iterable[str]:
    yield "@jw who"
    since = datetime.now(UTC) - timedelta(hours=1 + machine.spec.key % 20)
    for number, user in enumerate(("anna", "deploy")[: machine.spec.key % 3]):
        yield f"{user:<8} pts/{number}        {since:%Y-%m-%d %H:%M} (10.0.0.{7 + number})"


def _ports(machine: Machine, root: bool) -> Iterable[str]:
    yield "@jw ss"
    yield "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess"
    for number, (port, name) in enumerate(((22, "sshd"), *_PORTS.get(machine.spec.kind, ()))):
        if name == "nginx" and nginx_lies(machine):
            continue
        users = f' users:(("{name}",pid={700 + number * 37},fd=3))' if root and name != "-" else ""
        yield f"tcp   LISTEN 0      128          0.0.0.0:{port}       0.0.0.0:*{users}"
    yield "udp   UNCONN 0      0          127.0.0.1:323       0.0.0.0:*"


def _proxies(machine: Machine, _root: bool) -> Iterable[str]:
    """The docker host's SWAG: a certificate that ends soon, and one file that somebody left half done."""
    if machine.spec.kind != "docker":
        yield "@jw exit 2"
        return
    now = datetime.now(UTC)
    yield from ("@jw exit 0", f"@jw now {int(now.timestamp())}", "@jw samples 118")
    for name, app, port, auth in _PROXIES:
        yield f"@jw conf {name}.subdomain.conf"
        yield from (" server {", "     listen 443 ssl;", f"     server_name {name}.*;", "     location / {")
        if auth:
            yield f"         include /config/nginx/{auth}-location.conf;"
        yield from (f"         set $upstream_app {app};", f"         set $upstream_port {port};",
                    "         set $upstream_proto http;",
                    "         proxy_pass $upstream_proto://$upstream_app:$upstream_port;", "     }", " }")  # fmt: skip
    yield from ("@jw conf traefik.subfolder.conf", " location /traefik {", "     proxy_pass http://traefik:8080;")
    yield from ("@jw live 0", " README", " example.org", " example.net", "@jw tool openssl")
    for domain, days in (("example.org", 71.0), ("example.net", 5.4)):
        end = now + timedelta(days=days)
        yield from (f"@jw cert {domain}", f" notAfter={end:%b} {end.day:>2} {end:%H:%M:%S %Y} GMT",
                    f" subject=CN = {domain}", " issuer=C = US, O = Let's Encrypt, CN = R11",
                    " X509v3 Subject Alternative Name: ", f"     DNS:{domain}, DNS:*.{domain}")  # fmt: skip


_TELLERS: dict[str, Callable[[Machine, bool], Iterable[str]]] = {
    "processes": _processes,
    "services": services,
    "containers": _containers,
    "drives": _drives,
    "zfs": _zfs,
    "updates": _updates,
    "sessions": _sessions,
    "ports": _ports,
    "proxies": _proxies,
}
