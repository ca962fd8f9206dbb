"""Findings made up for the fake fleet: containers, units, drives, pools and proxies in each kind of trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from core.models import (
    CertificateFigures,
    ContainerFigures,
    DatasetFigures,
    DriveFigures,
    Finding,
    HostFinding,
    HostView,
    ItemHistory,
    Level,
    PoolFigures,
    ProxiesFigures,
    ProxyFigures,
    SectionStatus,
    ServiceFigures,
    VdevFigures,
    ZfsFigures,
)

MIB = 1 << 20
NEEDS = "needs root: allow sudo -n smartctl for this login"
CONTAINERS = (
    ContainerFigures("a1b2c3d4e5f6", "shop", "shop:4.2", "docker", "running", "Up 3 weeks (healthy)", "healthy",
                     None, 31.0, 900 * MIB, 8192 * MIB, 1 << 30, 1 << 29, pids=14),
    ContainerFigures("b1b2c3d4e5f6", "indexer", "indexer:1.9", "docker", "restarting", "Restarting (137) 5 s ago"),
    ContainerFigures("c1b2c3d4e5f6", "queue", "rabbitmq:3.13", "docker", "running", "Up 3 weeks", None, None, 4.0,
                     240 * MIB, 8192 * MIB, pids=31),
    ContainerFigures("d1b2c3d4e5f6", "migrate", "shop:4.2", "docker", "exited", "Exited (1) 3 weeks ago", exit_code=1),
)  # fmt: skip
UNITS = (
    ServiceFigures("nginx.service", "loaded", "failed", "failed", "A high performance web server", "signal", 2, None),
    ServiceFigures("ssh.service", "loaded", "active", "running", "OpenBSD Secure Shell server", None, 0, 9 * MIB,
                   812, chosen=True),
)  # fmt: skip
DRIVES = (
    DriveFigures("/dev/sda", "ata", "WDC WD80EFZX", "VK1", 8_001_563_222_016, False, False, 47, 51_234, 232, 16,
                 problems=("SMART says that the drive fails", "sectors that wait to be reallocated: 16")),
    DriveFigures("/dev/sdb", "ata", "WDC WD80EFZX", "VK2", 8_001_563_222_016, True, False, 38, 31_234, 0, 0),
    DriveFigures("/dev/md0", "md", size=8 << 40, passed=False, level="raid1", state="clean, degraded", members=2,
                 working=1, failed=1, problems=("missing members: 1 of 2",)),
)  # fmt: skip
ZFS = ZfsFigures(
    (
        PoolFigures("tank", "DEGRADED", 4 << 40, 3 << 40, 1 << 40, 12, 75, "One or more devices has failed.",
                    "Replace the device.", "scrub repaired 0B", "No known data errors",
                    (VdevFigures("sdc", "FAULTED", 2, 3, 0, 1, "too many errors"),)),
        PoolFigures("rpool", "ONLINE", 1 << 38, 1 << 36, 1 << 37, 3, 25, scan="none requested"),
    ),
    (DatasetFigures("tank/media", "filesystem", 2 << 40, 1 << 40), DatasetFigures("rpool/root", "filesystem", 1 << 35)),
)  # fmt: skip


def proxies(now: datetime) -> ProxiesFigures:
    """Return three proxies, one of them unreadable, and a certificate that ends soon."""
    return ProxiesFigures(
        (
            ProxyFigures("wiki.subdomain.conf", "subdomain", ("wiki.*",), ("/",), ("http://wiki:3000",),
                         "authelia", True),
            ProxyFigures("grafana.subfolder.conf", "subfolder", (), ("/grafana",), ("http://grafana:3000",)),
            ProxyFigures("broken.subdomain.conf", "subdomain", problem='line 9: unexpected end of file, expecting "}"'),
        ),
        (
            CertificateFigures("example.org", "/config/etc/letsencrypt/live/example.org/fullchain.pem",
                               now + timedelta(days=6), "CN = example.org", "C = US, O = Let's Encrypt, CN = R11",
                               ("example.org", "*.example.org"), problem="ends in 6 days"),
        ),
        120,
    )  # fmt: skip


def _found(host: str, now: datetime, kind: str, value: Any, severity: Level = "info") -> HostFinding:
    return HostFinding(host, now - timedelta(seconds=12), Finding(kind, SectionStatus.OK, value, "", severity))


def _told(host: str, now: datetime, kind: str, status: SectionStatus, detail: str) -> HostFinding:
    level: Level = "info" if status is SectionStatus.ABSENT else "warning"
    return HostFinding(host, now - timedelta(seconds=12), Finding(kind, status, None, detail, level))


def found(hosts: list[HostView], now: datetime) -> list[HostView]:
    """Return the hosts with findings: the fourth has all, the fifth was never asked, others lack or refuse."""
    return [
        replace(
            view,
            findings={one.kind: one for one in _of(index, view, now)},
            items=_items(now) if index % 12 == 3 else {},
        )
        for index, view in enumerate(hosts)
    ]


def _items(now: datetime) -> dict[tuple[str, str], ItemHistory]:
    """Half an hour of looks: a restart loop with gaps, and steady ones."""
    times = tuple(now - timedelta(seconds=12 + 30 * ago) for ago in range(59, -1, -1))
    loop = tuple(None if n % 6 == 5 else 40.0 * (n % 6) for n in range(60))
    grown = tuple(None if share is None else (100 + share) * MIB for share in loop)
    return {
        ("container", "indexer"): ItemHistory(times, loop, grown),
        ("container", "shop"): ItemHistory(times, tuple(20.0 + n % 9 for n in range(60)), (900.0 * MIB,) * 60),
        ("unit", "ssh.service"): ItemHistory(times, (None, *(3.0,) * 59), (9.0 * MIB,) * 60),
    }


def _of(index: int, view: HostView, now: datetime) -> list[HostFinding]:
    host = view.host.name
    if index % 12 == 4:
        return []
    if index % 12 == 3:
        return [
            _found(host, now, "containers", CONTAINERS, "error"),
            _found(host, now, "services", UNITS, "error"),
            _found(host, now, "drives", DRIVES, "error"),
            _found(host, now, "zfs", ZFS, "error"),
            _found(host, now, "proxies", proxies(now), "warning"),
        ]
    refuses = index % 12 in (1, 2)
    absent, forbidden = SectionStatus.ABSENT, SectionStatus.FORBIDDEN
    return [
        _told(host, now, "containers", forbidden, "this login may not ask docker: allow sudo -n docker")
        if refuses
        else _told(host, now, "containers", absent, "neither docker nor podman is there"),
        _found(host, now, "services", UNITS[1:] if index % 2 else ()),
        _told(host, now, "drives", forbidden, f"SMART {NEEDS}")
        if refuses
        else _told(host, now, "drives", absent, "neither smartctl nor nvme is there"),
        _told(host, now, "zfs", absent, "ZFS is not there"),
        _told(host, now, "proxies", absent, "no SWAG in /config"),
    ]
