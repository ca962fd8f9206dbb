"""A moving fleet behind the ConsoleServices port: for drawing, not for truth."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from console.services import Post, Progress
from core.exceptions import BusinessLogicError
from core.models import (
    Capability,
    ChunkInfo,
    DatabaseState,
    DatabaseView,
    DiskFigures,
    EventLine,
    FilesystemFigures,
    FleetView,
    HealthCheck,
    Host,
    HostHistory,
    HostKeyReview,
    HostSample,
    HostState,
    HostView,
    HypertableInfo,
    InterfaceFigures,
    JobInfo,
    Outcome,
    Plan,
    PlanRequest,
    PlanTarget,
    PollerRole,
    PoolInfo,
    Reason,
    SectionStatus,
    StorageMode,
    SystemFigures,
    WriterStats,
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
        hosts[5] = replace(hosts[5], sample=replace(sample, system=system, interfaces=None))
    return hosts


TABLES = (
    ("host_sample", 10, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("filesystem_sample", 8, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("disk_sample", 7, 86_400.0, 2 * 86_400.0, 30 * 86_400.0),
    ("interface_sample", 4, 86_400.0, 2 * 86_400.0, None),
    ("host_sample_1m", 1, 7 * 86_400.0, None, 180 * 86_400.0),
)


def make_chunks(now: datetime) -> tuple[ChunkInfo, ...]:
    """Return thirty chunks of five hypertables, the older ones compressed."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    chunks = []
    serial = 0
    for number, (table, count, interval, compress, _drop) in enumerate(TABLES):
        for back in range(count):
            serial += 1
            start = day - timedelta(seconds=interval * back)
            packed = compress is not None and back >= 2 and not (number == 2 and back == 4)
            before = (180 << 20) // (number + 1) + back * 1_000_000
            after = before // (9 + number) if packed else None
            chunks.append(
                ChunkInfo(
                    hypertable=table,
                    name=f"_timescaledb_internal._hyper_{number + 1}_{serial}_chunk",
                    start=start,
                    end=start + timedelta(seconds=interval),
                    compressed=packed,
                    partial=packed and number == 0 and back == 3,
                    total_bytes=after if packed else before // (3 if back == 0 else 1),
                    before_bytes=before if packed else None,
                    after_bytes=after,
                    rows=120_000 // (number + 1),
                )
            )
    return tuple(chunks)


def make_database(now: datetime, chunks: tuple[ChunkInfo, ...]) -> DatabaseView:
    """Return the Database view of these chunks."""
    tables = []
    for table, _count, interval, compress, drop in TABLES:
        own = [chunk for chunk in chunks if chunk.hypertable == table]
        packed = [chunk for chunk in own if chunk.compressed]
        tables.append(
            HypertableInfo(
                name=table,
                chunks=len(own),
                compressed_chunks=len(packed),
                total_bytes=sum(chunk.total_bytes or 0 for chunk in own),
                before_bytes=sum(chunk.before_bytes or 0 for chunk in packed) or None,
                after_bytes=sum(chunk.after_bytes or 0 for chunk in packed) or None,
                chunk_interval_s=interval,
                compress_after_s=compress,
                drop_after_s=drop,
                compression_enabled=compress is not None,
                rollup=table.endswith("_1m"),
            )
        )
    hour = timedelta(hours=1)
    jobs = (
        JobInfo(
            1000, "Columnstore Policy", "host_sample", 43_200, True, now - hour, True, now + 11 * hour, 41, 0, None
        ),
        JobInfo(
            1001,
            "Columnstore Policy",
            "filesystem_sample",
            43_200,
            True,
            now - 2 * hour,
            False,
            now + hour,
            38,
            2,
            "deadlock detected while waiting for ShareLock on transaction 7712; blocked by process 511",
        ),
        JobInfo(
            1002, "Columnstore Policy", "disk_sample", 43_200, True, None, None, now + hour, 0, 0, None, running=True
        ),
        JobInfo(
            1003, "Retention Policy", "host_sample", 86_400, True, now - 5 * hour, True, now + 19 * hour, 9, 0, None
        ),
        JobInfo(
            1004,
            "Refresh Continuous Aggregate Policy",
            "host_sample_1m",
            3600,
            True,
            now - hour / 3,
            True,
            now + hour,
            212,
            1,
            None,
        ),
        JobInfo(3, "Job History Log Retention Policy", None, 86_400, False, None, None, None, 0, 0, None),
    )
    return DatabaseView(
        state=DatabaseState.CONNECTED,
        at=now,
        capability=Capability(
            StorageMode.TIMESCALEDB, "18.0", "2.27.2", "timescale", True, False, True, "jumpwatch", False, "given"
        ),
        hypertables=tuple(tables),
        chunks=chunks,
        jobs=jobs,
        pool=PoolInfo(5, 2, 0, 10),
        health=(
            HealthCheck("connection", True, "answers in 2 ms"),
            HealthCheck("session settings", True, "UTC, statement timeout 15 s, jit off"),
            HealthCheck("compression lag", False, "1 chunk of disk_sample is older than its policy and not compressed"),
            HealthCheck("background workers", None, "needs pg_monitor to see them"),
        ),
        sessions=6,
        database_bytes=sum(chunk.total_bytes or 0 for chunk in chunks) + (11 << 20),
        workers=8,
        name="jumpwatch at db-01:5432",
    )


def partitions(database: DatabaseView) -> DatabaseView:
    """Return the same as plain PostgreSQL would show it."""
    capability = Capability(
        StorageMode.PARTITIONS, "18.0", None, None, False, False, True, "jumpwatch", False, "embedded"
    )
    plain = tuple(
        replace(chunk, compressed=False, partial=False, before_bytes=None, after_bytes=None)
        for chunk in database.chunks
    )
    tables = tuple(
        replace(
            table,
            compressed_chunks=0,
            before_bytes=None,
            after_bytes=None,
            compress_after_s=None,
            compression_enabled=False,
        )
        for table in database.hypertables
    )
    return replace(database, capability=capability, chunks=plain, hypertables=tables, workers=None)


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


class FakeServices:
    """Views that move, plans that read well, an apply that takes a moment."""

    def __init__(
        self,
        hosts: int = len(NAMES),
        *,
        trouble: bool = True,
        tick_s: float = 0.5,
        moving: bool = True,
        slow_start_s: float = 0.0,
        wasm: bool = False,
        plain: bool = False,
    ) -> None:
        self.tick_s, self.moving, self.trouble, self.plain = tick_s, moving, trouble, plain
        self.slow_start_s = slow_start_s
        self.names = [NAMES[i] if i < len(NAMES) else f"node-{i:04d}" for i in range(hosts)]
        self.view = FleetView(at=datetime.now(UTC))
        self.startup_lines: tuple[str, ...] = ()
        self.read_only = True
        self.read_only_until: datetime | None = None
        self.interval_s = 2.0
        self.paused = False
        self.reviews = make_reviews() if trouble else ()
        self.notices: tuple[str, ...] = ()
        self.accepted: list[HostKeyReview] = []
        self.rejected: list[HostKeyReview] = []
        self.applied: list[tuple[Plan, str]] = []
        self.polled: list[str | None] = []
        self.apply_s = 0.2
        self.fail_with = ""
        self.stopped = 0
        self._step = 0
        self._post: Post | None = None
        self._task: asyncio.Task[None] | None = None
        self.chunks = make_chunks(datetime.now(UTC))

    def make_view(self) -> FleetView:
        """Return the fleet at the present step."""
        now = datetime.now(UTC)
        hosts = [make_host(index, name, self._step, now) for index, name in enumerate(self.names)]
        if self.trouble:
            hosts = troubled(hosts, now)
        database = make_database(now, self.chunks)
        if self.plain:
            database = partitions(database)
        events = tuple(
            EventLine(
                now - timedelta(seconds=20 * (60 - each)),
                "host.state",
                ("info", "info", "warning", "error")[each % 4],
                NAMES[each % len(NAMES)],
                ("is back after 3 m", "poll took 2.1 s", "/var/lib/data over 90%", "port: connection refused")[
                    each % 4
                ],
            )
            for each in range(60)
        )
        return FleetView(
            at=now,
            hosts=tuple(hosts),
            database=database,
            role=PollerRole.POLLER,
            writer=WriterStats(stored=10_000 + self._step * 12, queued=12, last_flush=now),
            reviews=self.reviews,
            events=events,
            notices=self.notices,
            lag_s=0.08,
            version=self._step,
        )

    def push(self, view: FleetView | None = None) -> None:
        """Post a view now."""
        self.view = view if view is not None else self.make_view()
        if self._post is not None:
            self._post(self.view)

    async def start(self, post: Post) -> None:
        self._post = post
        for text in ("reading the inventory", "starting the database", "migrating the schema", "connecting to hosts"):
            self.startup_lines += (text,)
            await asyncio.sleep(self.slow_start_s)
        self.push()
        if self.moving:
            self._task = asyncio.create_task(self._move())

    async def _move(self) -> None:
        while True:
            await asyncio.sleep(self.tick_s)
            self._step += 1
            self.push()

    async def stop(self) -> None:
        self.stopped += 1
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def plan(self, request: PlanRequest) -> Plan:
        await asyncio.sleep(0)
        chunk = request.arguments.get("chunk")
        targets = [each for each in self.chunks if chunk in (None, each.name)][:8]
        confirm = str(chunk or request.arguments.get("table") or request.action).rsplit(".", 1)[-1]
        return Plan(
            request=request,
            title=f"{request.action} {chunk or ''}".strip(),
            targets=tuple(
                PlanTarget(each.name, f"{each.start:%Y-%m-%d}, {each.rows} rows", each.total_bytes) for each in targets
            ),
            statements=tuple(f"SELECT compress_chunk('{each.name}', if_not_compressed => true)" for each in targets),
            confirm=confirm,
            destructive=True,
            summary=f"{len(targets)} chunk(s), 180.0 MiB now, about 18 MiB after (ratio of its neighbours 10.1x)",
            hash="c0ffee",
            warnings=("the chunk is locked against writes while it is compressed",),
            refused="read-only: nothing may be applied" if self.read_only else "",
        )

    async def apply(self, plan: Plan, typed: str, on_progress: Progress | None = None) -> Outcome:
        if self.read_only:
            raise BusinessLogicError("read-only: w leaves it")
        if typed != plan.confirm:
            raise BusinessLogicError(f"{typed!r} was typed, {plan.confirm!r} is wanted")
        self.applied.append((plan, typed))
        for done, target in enumerate(plan.targets):
            if on_progress is not None:
                on_progress(done, len(plan.targets), target.name)
            await asyncio.sleep(self.apply_s)
        if self.fail_with:
            raise BusinessLogicError(self.fail_with)
        return Outcome(
            True,
            "a-000123",
            "compressed 1 chunk in 0.2 s",
            tuple(t.name for t in plan.targets),
            (),
            180 << 20,
            18 << 20,
        )

    async def accept_host_key(self, review: HostKeyReview) -> None:
        if review.changed:
            raise BusinessLogicError("a changed key is not accepted here")
        self.accepted.append(review)
        self.reviews = tuple(each for each in self.reviews if each is not review)
        self.push()

    async def reject_host_key(self, review: HostKeyReview) -> None:
        self.rejected.append(review)
        self.reviews = tuple(each for each in self.reviews if each is not review)
        self.push()

    def unlock(self, seconds: float) -> None:
        self.read_only, self.read_only_until = False, datetime.now(UTC) + timedelta(seconds=seconds)

    def lock(self) -> None:
        self.read_only, self.read_only_until = True, None

    def poll_now(self, host: str | None) -> None:
        self.polled.append(host)

    def set_interval(self, host: str | None, seconds: float) -> None:
        self.interval_s = seconds if host is None else self.interval_s

    def pause(self) -> bool:
        self.paused = not self.paused
        return self.paused
