"""From a sample to the rows of its tables; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core.models import FilesystemFigures, HostSample, SectionStatus, Transition
from core.storage.schema import (
    DISK_SAMPLES,
    FILESYSTEM_SAMPLES,
    HOST_SAMPLES,
    INTERFACE_SAMPLES,
    SYSTEM_COLUMNS,
)

ItemKey = tuple[str, str, str]  # host, kind, name
Row = tuple[Any, ...]


def clean(text: str) -> str:
    """Return the text as PostgreSQL takes it: no NUL, no lone surrogates."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def pack_sections(sections: Mapping[str, SectionStatus]) -> str | None:
    """Return the sections that were not ok as JSON; None where all were."""
    odd = {name: status.value for name, status in sections.items() if status is not SectionStatus.OK}
    return json.dumps(odd, separators=(",", ":"), sort_keys=True) if odd else None


def unpack_sections(packed: str | None) -> dict[str, SectionStatus]:
    """Return the sections that were not ok."""
    return {name: SectionStatus(value) for name, value in json.loads(packed).items()} if packed else {}


def sample_items(sample: HostSample) -> Iterable[tuple[ItemKey, str | None]]:
    """Yield the items that the sample speaks of, with what describes them."""
    for filesystem in sample.filesystems or ():
        yield (sample.host, "fs", clean(filesystem.mount)), _describe(filesystem)
    for disk in sample.disks or ():
        yield (sample.host, "disk", clean(disk.device)), None
    for interface in sample.interfaces or ():
        yield (sample.host, "net", clean(interface.interface)), None


def _describe(filesystem: FilesystemFigures) -> str:
    extra = {"device": clean(filesystem.device), "fstype": filesystem.fstype and clean(filesystem.fstype)}
    return json.dumps(extra, separators=(",", ":"))


def sample_rows(
    samples: Iterable[HostSample], hosts: Mapping[str, int], items: Mapping[ItemKey, int]
) -> dict[str, list[Row]]:
    """Return by table the rows of the samples, columns in the schema's order; ids must all be known."""
    rows: dict[str, list[Row]] = {
        table.name: [] for table in (HOST_SAMPLES, FILESYSTEM_SAMPLES, DISK_SAMPLES, INTERFACE_SAMPLES)
    }
    for sample in samples:
        _one(sample, hosts[sample.host], items, rows)
    return rows


def _one(sample: HostSample, host_id: int, items: Mapping[ItemKey, int], rows: dict[str, list[Row]]) -> None:
    ts, host, system = sample.ts, sample.host, sample.system
    rows["host_samples"].append(
        (
            host_id,
            ts,
            sample.host_clock,
            sample.seq,
            clean(sample.boot_id) if sample.boot_id else None,
            sample.uptime_s,
            sample.interval_s,
            *(getattr(system, name) for name in SYSTEM_COLUMNS),
            pack_sections(sample.sections),
        )
    )
    # A frame that names a mount twice (bind mounts) would break the whole batch: the first one counts.
    seen: set[int] = set()
    for f in sample.filesystems or ():
        item = items[host, "fs", clean(f.mount)]
        if item not in seen:
            seen.add(item)
            rows["filesystem_samples"].append(
                (host_id, item, ts, f.size, f.used, f.available, f.inodes, f.inodes_used)
            )  # fmt: skip
    for d in sample.disks or ():
        item = items[host, "disk", clean(d.device)]
        if item not in seen:
            seen.add(item)
            rows["disk_samples"].append(
                (host_id, item, ts, d.read_bps, d.write_bps, d.read_iops, d.write_iops, d.busy_pct)
            )
    for n in sample.interfaces or ():
        item = items[host, "net", clean(n.interface)]
        if item not in seen:
            seen.add(item)
            rows["interface_samples"].append(
                (host_id, item, ts, n.rx_bps, n.tx_bps, n.rx_pps, n.tx_pps, n.errors_ps, n.drops_ps)
            )


def transition_rows(transitions: Iterable[Transition], hosts: Mapping[str, int]) -> list[Row]:
    """Return the rows of the table of transitions: host_id, ts, old, new, reason, detail."""
    return [
        (hosts[t.host], t.ts, t.old.value, t.new.value, t.reason.value, clean(t.detail)[:2000]) for t in transitions
    ]


def span(samples: Iterable[HostSample]) -> tuple[datetime, datetime]:
    """Return the earliest and the latest ts; there must be a sample."""
    times = [sample.ts for sample in samples]
    return min(times), max(times)
