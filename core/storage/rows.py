"""From a sample to the rows of its tables; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from core.models import HostFinding, HostSample, ItemSample, SectionStatus, Transition
from core.storage.finding_body import pack_body
from core.storage.schema import (
    CONTAINER_SAMPLES,
    DISK_SAMPLES,
    FILESYSTEM_SAMPLES,
    HOST_SAMPLES,
    INTERFACE_SAMPLES,
    SYSTEM_COLUMNS,
    UNIT_SAMPLES,
    SampleTable,
)

ItemKey = tuple[str, str, str]  # host, kind, name
Row = tuple[Any, ...]
Sample = HostSample | ItemSample
# For each table of items: where a sample has its things, and what names one.
_ITEM_TABLES = (
    (FILESYSTEM_SAMPLES, attrgetter("filesystems"), attrgetter("mount")),
    (DISK_SAMPLES, attrgetter("disks"), attrgetter("device")),
    (INTERFACE_SAMPLES, attrgetter("interfaces"), attrgetter("interface")),
)
_LOOK_TABLES = (
    (CONTAINER_SAMPLES, attrgetter("containers"), attrgetter("name")),
    (UNIT_SAMPLES, attrgetter("units"), attrgetter("name")),
)
_system = attrgetter(*SYSTEM_COLUMNS)


def clean(text: str) -> str:
    """Return the text as PostgreSQL takes it: no NUL, no lone surrogates."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def pack_sections(sections: Mapping[str, SectionStatus]) -> str | None:
    """Return the sections that were not ok as JSON; None where all were."""
    odd = [section for section in sections.items() if section[1] is not SectionStatus.OK]
    return _packed(tuple(sorted(odd))) if odd else None


@lru_cache(maxsize=1024)  # a fleet knows but few ways of being odd
def _packed(odd: tuple[tuple[str, SectionStatus], ...]) -> str:
    return json.dumps({name: status.value for name, status in odd}, separators=(",", ":"))


def unpack_sections(packed: str | None) -> dict[str, SectionStatus]:
    """Return the sections that were not ok."""
    return {name: SectionStatus(value) for name, value in json.loads(packed).items()} if packed else {}


def sample_items(sample: HostSample) -> Iterable[tuple[ItemKey, str | None]]:
    """Yield the items that the sample speaks of, with what describes them."""
    for filesystem in sample.filesystems or ():
        yield (sample.host, "fs", clean(filesystem.mount)), _describe(filesystem.device, filesystem.fstype)
    for disk in sample.disks or ():
        yield (sample.host, "disk", clean(disk.device)), None
    for interface in sample.interfaces or ():
        yield (sample.host, "net", clean(interface.interface)), None


@lru_cache(maxsize=4096)
def _describe(device: str, fstype: str | None) -> str:
    return json.dumps({"device": clean(device), "fstype": fstype and clean(fstype)}, separators=(",", ":"))


def look_items(sample: ItemSample) -> Iterable[tuple[ItemKey, str | None]]:
    """Yield the containers and units that the sample speaks of, with what describes them."""
    for container in sample.containers:
        yield (sample.host, CONTAINER_SAMPLES.kind, clean(container.name)), _origin(container.engine, container.image)
    for unit in sample.units:
        yield (sample.host, UNIT_SAMPLES.kind, clean(unit.name)), None


@lru_cache(maxsize=4096)
def _origin(engine: str | None, image: str | None) -> str:
    return json.dumps({"engine": engine and clean(engine), "image": image and clean(image)}, separators=(",", ":"))


def sample_rows(
    samples: Sequence[HostSample], hosts: Mapping[str, int], items: Mapping[ItemKey, int]
) -> dict[SampleTable, Iterator[Row]]:
    """Return by table the rows of the samples, columns in the schema's order; ids must all be known.

    Rows are made as they are asked for, so that the server works on the first ones while the next ones are made.
    """
    rows = {HOST_SAMPLES: _host_rows(samples, hosts)}
    for table, things, name in _ITEM_TABLES:
        rows[table] = _item_rows(table, things, name, samples, hosts, items)
    return rows


def look_rows(
    samples: Sequence[ItemSample], hosts: Mapping[str, int], items: Mapping[ItemKey, int]
) -> dict[SampleTable, Iterator[Row]]:
    """Return by table the rows of looks at containers and units, as ``sample_rows`` does."""
    return {table: _item_rows(table, things, name, samples, hosts, items) for table, things, name in _LOOK_TABLES}


def _host_rows(samples: Iterable[HostSample], hosts: Mapping[str, int]) -> Iterator[Row]:
    for sample in samples:
        yield (
            hosts[sample.host],
            sample.ts,
            sample.host_clock,
            sample.seq,
            clean(sample.boot_id) if sample.boot_id else None,
            sample.uptime_s,
            sample.interval_s,
            *_system(sample.system),
            pack_sections(sample.sections),
        )


def _item_rows(
    table: SampleTable,
    things_of: attrgetter[Sequence[Any] | None],
    name_of: attrgetter[str],
    samples: Iterable[Sample],
    hosts: Mapping[str, int],
    items: Mapping[ItemKey, int],
) -> Iterator[Row]:
    figures = attrgetter(*table.columns[3:])
    for sample in samples:
        things = things_of(sample)
        if not things:
            continue
        host, ts = sample.host, sample.ts
        host_id = hosts[host]
        # A frame that names a mount twice (bind mounts) would break the whole batch: the first one counts.
        seen: set[int] = set()
        for thing in things:
            item = items[host, table.kind, clean(name_of(thing))]
            if item not in seen:
                seen.add(item)
                yield (host_id, item, ts, *figures(thing))


def transition_rows(transitions: Iterable[Transition], hosts: Mapping[str, int]) -> list[Row]:
    """Return the rows of the table of transitions: host_id, ts, old, new, reason, detail."""
    return [
        (hosts[t.host], t.ts, t.old.value, t.new.value, t.reason.value, clean(t.detail)[:2000]) for t in transitions
    ]


def finding_rows(findings: Iterable[HostFinding], hosts: Mapping[str, int]) -> list[Row]:
    """Return the rows of the table of findings: host_id, kind, ts, status, severity, detail, body."""
    rows = []
    for each in findings:
        found = each.finding
        body = pack_body(found)
        rows.append(
            (
                hosts[each.host],
                clean(found.kind)[:200],
                each.ts,
                found.status.value,
                found.severity,
                clean(found.detail)[:2000],
                body and clean(body),
            )
        )
    return rows


def span(samples: Iterable[Sample]) -> tuple[datetime, datetime]:
    """Return the earliest and the latest ts; there must be a sample."""
    times = [sample.ts for sample in samples]
    return min(times), max(times)
