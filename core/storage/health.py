"""What is well with the database and what is not, each with its reason; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.models import Capability, HealthCheck, JobInfo, StorageMode
from core.storage.capability import GET_LICENCE
from core.storage.health_deep import THRESHOLDS, Thresholds


@dataclass(frozen=True, slots=True)
class Findings:
    """What was read of the database; the checks judge it."""

    capability: Capability | None
    extension: str | None
    available: str | None  # the extension's version that the server could give, or None
    latency_s: float
    clock_off_s: float
    sessions: int
    max_sessions: int
    workers: int
    jobs: tuple[JobInfo, ...]
    stray: int  # rows in default partitions
    rolled_up_to: datetime | None
    newest_raw: datetime | None  # end of the newest raw chunk
    refresh_start: timedelta
    left: tuple[str, ...] = ()  # chunks that a compression job has passed over
    held: tuple[str, ...] = ()  # tables whose retention waits for their rollups


def checks(found: Findings, now: datetime | None = None, limits: Thresholds = THRESHOLDS) -> tuple[HealthCheck, ...]:
    """Return the checks, the gravest kinds first; ``now`` is for tests."""
    return tuple(_checks(found, now or datetime.now(UTC), limits))


def _checks(found: Findings, now: datetime, limits: Thresholds) -> Iterator[HealthCheck]:
    slow = found.latency_s > limits.latency_s
    text = f"answers in {found.latency_s * 1000:.1f} ms"
    way = f" (limit {limits.latency_s * 1000:.0f} ms): look at its load, and at the network between"
    yield HealthCheck("connection", not slow, text + (way if slow else ""))
    yield _mode(found)
    off = abs(found.clock_off_s)
    text = f"the server's clock is {off:.1f} s off ours" if off >= 1 else "agrees with ours"
    way = f" (limit {limits.clock_off_s:.0f} s): have both follow one time service (chrony, ntp)"
    yield HealthCheck("clock", off < limits.clock_off_s, text + (way if off >= limits.clock_off_s else ""))
    room = found.sessions < limits.sessions * found.max_sessions or found.max_sessions <= 1
    way = f" (limit {limits.sessions:.0%}): end idle ones, or raise max_connections"
    yield HealthCheck("sessions", room, f"{found.sessions} of {found.max_sessions}" + ("" if room else way))
    failing = [job for job in found.jobs if job.last_ok is False]
    text = "; ".join(f"{job.name} ({job.job_id}): {job.last_error or 'failed'}" for job in failing[:3])
    yield HealthCheck("jobs", not failing, text or f"{len(found.jobs)} jobs, none failing")
    if found.left:
        text = f"{len(found.left)} chunks were due when their job last ran, and are not compressed"
        way = f"`jumpwatch db compress {found.left[0]}` says why"
        yield HealthCheck("compression", False, f"{text}: {way}")
    if found.capability is not None and found.capability.mode is StorageMode.TIMESCALEDB:
        yield _workers(found)
    else:
        stray = f"{found.stray} rows lie in default partitions: `jumpwatch db init` moves them to their own"
        yield HealthCheck("partitions", not found.stray, stray if found.stray else "every row has its partition")
    yield _rollups(found, now)
    if found.held:
        names = ", ".join(found.held)
        yield HealthCheck("retention", False, f"held for {names}: their rollups are behind, see the refresh jobs")


def _mode(found: Findings) -> HealthCheck:
    capability = found.capability
    if capability is None:
        return HealthCheck("mode", None, "not known yet")
    if capability.mode is StorageMode.TIMESCALEDB:
        if found.extension is None:
            return HealthCheck("mode", False, "set up for TimescaleDB, and the extension is gone")
        return HealthCheck("mode", True, f"TimescaleDB {found.extension}, licence {capability.licence}")
    if found.extension is not None and capability.licence not in (None, "timescale"):
        why = (
            f"plain partitions: TimescaleDB {found.extension} runs under its Apache licence; compression {GET_LICENCE}"
        )
        return HealthCheck("mode", True, why)
    if found.extension is not None:
        why = "plain partitions; the extension came later: `jumpwatch db migrate-to` moves to a new database"
        return HealthCheck("mode", True, why)
    if found.available is not None:
        why = (
            f"plain partitions, though the server has TimescaleDB {found.available}: have CREATE EXTENSION timescaledb "
            "run in a new database by a superuser, then `jumpwatch db migrate-to` it"
        )
        return HealthCheck("mode", True, why)
    return HealthCheck("mode", True, "plain partitions; compression needs TimescaleDB")


def _workers(found: Findings) -> HealthCheck:
    if found.capability is not None and not found.capability.background_workers:
        return HealthCheck("workers", None, "no job runs by itself here; the console runs those that are due")
    if not found.workers:
        return HealthCheck("workers", False, "no scheduler is seen: is timescaledb in shared_preload_libraries?")
    return HealthCheck("workers", True, f"{found.workers} at work")


def _rollups(found: Findings, now: datetime) -> HealthCheck:
    if found.rolled_up_to is None:
        return HealthCheck("rollups", None, "nothing is rolled up yet")
    behind = min(now, found.newest_raw or now) - found.rolled_up_to
    if behind > found.refresh_start:
        days = behind / timedelta(days=1)
        return HealthCheck("rollups", False, f"{days:.1f} days behind: older data will not be rolled up by itself")
    return HealthCheck("rollups", True, f"up to {found.rolled_up_to:%Y-%m-%d %H:%M} UTC")
