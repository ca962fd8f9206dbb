"""A fleet made up for drawing: hosts in each kind of trouble, events, host keys."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import datetime, timedelta

from core.models import (
    DiskFigures,
    EventLine,
    FilesystemFigures,
    Host,
    HostHistory,
    HostKeyReview,
    HostSample,
    HostState,
    HostView,
    InterfaceFigures,
    Reason,
    SectionStatus,
    SystemFigures,
)

GIB = 1 << 30
NAMES = (
    "web-01",
    "web-02",
    "web-03",
    "db-01",
    "db-02",
    "cache-01",
    "mq-01",
    "build-01",
    "backup-01",
    "edge-ams-01",
    "edge-nyc-01",
    "lab-arm64",
)
SECTIONS = {
    "system": SectionStatus.OK,
    "disk": SectionStatus.OK,
    "io": SectionStatus.OK,
    "net": SectionStatus.OK,
    "pressure": SectionStatus.ABSENT,
    "smart": SectionStatus.FORBIDDEN,
}


def make_host(index: int, name: str, step: int, now: datetime, simulated: bool = True) -> HostView:
    """Return the host at that step of the story."""
    rng = random.Random(index)
    base = rng.uniform(5, 60)

    def wave(at: int, scale: float = 20.0) -> float:
        return max(0.0, min(100.0, base + scale * math.sin(at / 7 + index) + rng.uniform(-3, 3)))

    cpu = tuple(wave(step - 119 + each) for each in range(120))
    mem = tuple(min(99.0, 40 + index * 4 + 3 * math.sin((step + each) / 30)) for each in range(120))
    net = tuple((wave(each + step, 30) + 1) * 40_000 * (1 + index) for each in range(120))
    fill = min(99.4, 40 + index * 5 + step * 0.02)
    host = Host(
        name=name,
        address=f"10.0.{index // 4}.{10 + index}",
        user="ops",
        groups=("web",) if name.startswith("web") else ("infra",),
        tags=("prod",) if index % 3 else ("prod", "eu"),
        simulated=simulated,
    )
    total = 8 * GIB * (1 + index % 4)
    sample = HostSample(
        host=name,
        ts=now,
        seq=step,
        boot_id="8c4e5b7a-0b1e-4a5d",
        uptime_s=86_400.0 * (index + 3) + step,
        host_clock=now,
        system=SystemFigures(
            cpu_pct=cpu[-1],
            cpus=4 * (1 + index % 3),
            load1=cpu[-1] / 25,
            load5=cpu[-1] / 30,
            load15=cpu[-1] / 33,
            mem_total=total,
            mem_available=int(total * (1 - mem[-1] / 100)),
        ),
        filesystems=(
            FilesystemFigures("/", "/dev/sda2", "ext4", 40 * GIB, 18 * GIB, 20 * GIB, 2_600_000, 410_000),
            FilesystemFigures(
                "/var/lib/data",
                "/dev/mapper/vg0-data",
                "xfs",
                500 * GIB,
                int(5 * GIB * fill),
                int(5 * GIB * (100 - fill)),
                52_000_000,
                1_200_000,
            ),
            FilesystemFigures("/boot", "/dev/sda1", "ext4", GIB, 200 << 20, 700 << 20, 65_536, 350),
        ),
        disks=(
            DiskFigures("sda", 120_000.0, 2_400_000.0 + index * 1000, 3.0, 88.0, min(100.0, cpu[-1])),
            DiskFigures("sdb", None, None, None, None, None),
        ),
        interfaces=(
            InterfaceFigures("eth0", net[-1] * 0.7, net[-1] * 0.3, 900.0, 700.0, 0.0, 0.0),
            InterfaceFigures("lo", 100.0, 100.0, 1.0, 1.0, 0.0, 0.0),
        ),
        sections=SECTIONS,
        interval_s=2.0,
    )
    history = HostHistory(
        cpu=cpu,
        mem=mem,
        net=net,
        load=tuple(value / 25 for value in cpu),
        disk=tuple(max(0.0, fill - (119 - each) * 0.1) for each in range(120)),
        io=cpu,
        times=tuple(now - timedelta(seconds=2 * (119 - each)) for each in range(120)),
    )
    view = HostView(
        host,
        HostState.ONLINE,
        since=now - timedelta(hours=index + 1, minutes=7),
        sample=sample,
        history=history,
        version=step,
        lag_s=0.05,
    )
    if fill >= 90:
        view = replace(
            view, state=HostState.DEGRADED, reason=Reason.RESOURCE, detail=f"/var/lib/data is {fill:.0f}% full"
        )
    return view


def troubled(hosts: list[HostView], now: datetime) -> list[HostView]:
    """Return the fleet with a host for each kind of trouble."""
    gone = {
        4: (HostState.OFFLINE, Reason.PORT, "10.0.1.14 port 22 refuses the connection: is sshd up?", 340),
        7: (HostState.OFFLINE, Reason.KEY_UNKNOWN, "the host key is not in known_hosts", None),
        9: (HostState.DEGRADED, Reason.TIMEOUT, "no frame for 45 s", 47),
        11: (HostState.UNKNOWN, Reason.PENDING, "", None),
    }
    for index, (state, reason, detail, old) in gone.items():
        if index >= len(hosts):
            continue
        view = hosts[index]
        sample = None if old is None or view.sample is None else replace(view.sample, ts=now - timedelta(seconds=old))
        history = view.history if old is not None else HostHistory()
        hosts[index] = replace(
            view,
            state=state,
            reason=reason,
            detail=detail,
            sample=sample,
            history=history,
            failures=3,
            next_try=now + timedelta(seconds=12),
        )
    if len(hosts) > 5 and (sample := hosts[5].sample) is not None:
        system = replace(sample.system, cpu_pct=None, load1=None)
        sections = {**SECTIONS, "netdev": SectionStatus.FORBIDDEN}
        hosts[5] = replace(hosts[5], sample=replace(sample, system=system, interfaces=None, sections=sections))
    return hosts


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"


def make_reviews() -> tuple[HostKeyReview, ...]:
    """Return two unknown keys and a changed one."""
    known = "~/.ssh/known_hosts"
    return (
        HostKeyReview(
            "build-01",
            "10.0.1.17",
            22,
            "ssh-ed25519",
            "SHA256:Qm3vXcT0oWf0nHk2yJ8sVt1bYpLrA9dEuGiZxC4wKjM",
            KEY,
            False,
            (),
            known,
        ),
        HostKeyReview(
            "lab-arm64",
            "10.0.2.21",
            2222,
            "ssh-ed25519",
            "SHA256:9fKwL2pNs7uYxQzR4vTbHc8mJdEgAi1oXqWyZn5rSkU",
            KEY,
            False,
            (),
            known,
        ),
        HostKeyReview(
            "db-02",
            "10.0.1.14",
            22,
            "ssh-ed25519",
            "SHA256:Zt8qBn4wMx2cVrLk7yHj5sGd1fPo0iUuYtReWqAsDfG",
            KEY,
            True,
            ("SHA256:OldOldOld2cVrLk7yHj5sGd1fPo0iUuYtReWqAsDfG",),
            known,
        ),
    )


def make_events(now: datetime) -> tuple[EventLine, ...]:
    """Return sixty events of all severities."""
    kinds = (
        ("info", "is back after 3 m"),
        ("info", "poll took 2.1 s"),
        ("warning", "/var/lib/data over 90%"),
        ("error", "port: connection refused"),
    )
    return tuple(
        EventLine(
            now - timedelta(seconds=20 * (60 - each)),
            "host.state",
            kinds[each % 4][0],
            NAMES[each % len(NAMES)],
            kinds[each % 4][1],
        )
        for each in range(60)
    )
