"""Samples, transitions and findings as the bytes of a spool's record, and back; pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import orjson

from core.models import (
    ContainerUse,
    DiskFigures,
    FilesystemFigures,
    HostFinding,
    HostSample,
    HostState,
    InterfaceFigures,
    ItemSample,
    Reason,
    SectionStatus,
    SystemFigures,
    Transition,
    UnitUse,
)
from core.storage.finding_body import finding_from, pack_body

Record = HostSample | ItemSample | Transition | HostFinding
SAMPLES = (HostSample, ItemSample)  # the records that are counted where they are kept, stored or lost


def _columns(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in fields(kind)))


_SYSTEM, _FILESYSTEM, _DISK = _columns(SystemFigures), _columns(FilesystemFigures), _columns(DiskFigures)
_INTERFACE, _CONTAINER, _UNIT = _columns(InterfaceFigures), _columns(ContainerUse), _columns(UnitUse)


def encode(record: Record) -> bytes:
    """Return the record's payload; a figure that is infinite or no number is unknown in it."""
    if isinstance(record, Transition):
        flat: list[Any] = [
            "t", record.host, record.ts.timestamp(), record.old.value, record.new.value, record.reason.value,
            record.detail,
        ]  # fmt: skip
    elif isinstance(record, HostFinding):
        found = record.finding
        flat = [
            "f", record.host, record.ts.timestamp(), found.kind, found.status.value, found.severity, found.detail,
            pack_body(found),
        ]  # fmt: skip
    elif isinstance(record, ItemSample):
        flat = [
            "i", record.host, record.ts.timestamp(), _pack(record.containers, _CONTAINER), _pack(record.units, _UNIT),
        ]  # fmt: skip
    else:
        flat = [
            "s", record.host, record.ts.timestamp(), record.seq, record.boot_id, record.uptime_s,
            record.host_clock and record.host_clock.timestamp(), _SYSTEM(record.system),
            _pack(record.filesystems, _FILESYSTEM), _pack(record.disks, _DISK), _pack(record.interfaces, _INTERFACE),
            dict(record.sections), record.interval_s,
        ]  # fmt: skip
    try:
        return orjson.dumps(flat)
    except TypeError:  # half a surrogate pair in a name, a number over 64 bits: what it refuses must not be lost
        return json.dumps(flat, separators=(",", ":")).encode()


def _pack(things: Sequence[Any] | None, columns: Callable[[Any], tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    return None if things is None else list(map(columns, things))


def is_sample(payload: bytes) -> bool:
    """Tell a sample's payload from other records' without reading it."""
    return payload.startswith((b'["s"', b'["i"'))


def decode(payload: bytes) -> Record:
    """Return the record of a payload; ValueError, KeyError or TypeError where it is none."""
    try:
        flat = orjson.loads(payload)
    except ValueError:
        flat = json.loads(payload)
    if flat[0] == "t":
        _, host, ts, old, new, reason, detail = flat
        return Transition(host, _time(ts), HostState(old), HostState(new), Reason(reason), detail)
    if flat[0] == "f":
        _, host, ts, kind, status, severity, detail, body = flat
        return HostFinding(host, _time(ts), finding_from(kind, status, severity, detail, body))
    if flat[0] == "i":
        _, host, ts, containers, units = flat
        used = tuple(ContainerUse(*each) for each in containers)
        return ItemSample(host, _time(ts), used, tuple(UnitUse(*each) for each in units))
    _, host, ts, seq, boot, uptime, clock, system, filesystems, disks, interfaces, sections, interval = flat
    return HostSample(
        host=host,
        ts=_time(ts),
        seq=seq,
        boot_id=boot,
        uptime_s=uptime,
        host_clock=None if clock is None else _time(clock),
        system=SystemFigures(*system),
        filesystems=None if filesystems is None else tuple(FilesystemFigures(*f) for f in filesystems),
        disks=None if disks is None else tuple(DiskFigures(*d) for d in disks),
        interfaces=None if interfaces is None else tuple(InterfaceFigures(*i) for i in interfaces),
        sections={name: SectionStatus(value) for name, value in sections.items()},
        interval_s=interval,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
