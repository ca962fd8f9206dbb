"""Samples, transitions and findings as the bytes of a spool's record, and back; pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

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
_SYSTEM = tuple(field.name for field in fields(SystemFigures))
_FILESYSTEM = tuple(field.name for field in fields(FilesystemFigures))
_DISK = tuple(field.name for field in fields(DiskFigures))
_INTERFACE = tuple(field.name for field in fields(InterfaceFigures))
_CONTAINER = tuple(field.name for field in fields(ContainerUse))
_UNIT = tuple(field.name for field in fields(UnitUse))


def encode(record: Record) -> bytes:
    """Return the record's payload."""
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
            record.host_clock and record.host_clock.timestamp(), [getattr(record.system, n) for n in _SYSTEM],
            _pack(record.filesystems, _FILESYSTEM), _pack(record.disks, _DISK), _pack(record.interfaces, _INTERFACE),
            {name: status.value for name, status in record.sections.items()}, record.interval_s,
        ]  # fmt: skip
    return json.dumps(flat, separators=(",", ":")).encode()


def _pack(things: Sequence[Any] | None, names: tuple[str, ...]) -> list[list[Any]] | None:
    return None if things is None else [[getattr(thing, name) for name in names] for thing in things]


def is_sample(payload: bytes) -> bool:
    """Tell a sample's payload from other records' without reading it."""
    return payload.startswith((b'["s"', b'["i"'))


def decode(payload: bytes) -> Record:
    """Return the record of a payload; ValueError, KeyError or TypeError where it is none."""
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
