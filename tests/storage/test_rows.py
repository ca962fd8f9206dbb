"""What is put is what the tables hold, by either way in: extremes, unknowns, odd text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, timedelta
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import DiskFigures, FilesystemFigures, HostSample, InterfaceFigures, SectionStatus, SystemFigures
from core.storage.engine import Database
from core.storage.errors import PoisonError
from core.storage.ingest import Ingest
from core.storage.rows import clean
from core.storage.schema import SAMPLE_TABLES
from tests.parts import examples
from tests.storage.made import NOW, count, sample

WHOLE = st.integers(-(2**63), 2**63 - 1)
# U+0000 and lone surrogates too: hosts send what they like.
TEXT = st.text(st.characters(), max_size=12)
TIMES = st.datetimes(timezones=st.just(UTC))


def figures(kind: type[Any], **texts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Every figure may be unknown, and each takes what its column takes."""
    hints = get_type_hints(kind)
    known = {field.name: WHOLE if hints[field.name] == int | None else st.floats() for field in fields(kind)}
    return st.builds(kind, **{name: st.none() | value for name, value in known.items()} | texts)


def some(things: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(things, max_size=3).map(tuple)


SAMPLES = st.builds(
    HostSample,
    host=st.sampled_from(["web1", "wéb2", "3"]),
    ts=st.integers(0, 10**6).map(lambda microseconds: NOW - timedelta(microseconds=microseconds)),
    seq=WHOLE,
    boot_id=st.none() | TEXT,
    uptime_s=st.none() | st.floats(),
    host_clock=st.none() | TIMES,
    system=figures(SystemFigures),
    filesystems=some(figures(FilesystemFigures, mount=TEXT, device=TEXT, fstype=st.none() | TEXT)),
    disks=some(figures(DiskFigures, device=TEXT)),
    interfaces=some(figures(InterfaceFigures, interface=TEXT)),
    sections=st.dictionaries(TEXT.map(clean), st.sampled_from(SectionStatus), max_size=2),
    interval_s=st.none() | st.floats(),
)


def same(stored: Any, put: Any) -> bool:
    if isinstance(put, float) and math.isnan(put):
        return isinstance(stored, float) and math.isnan(stored)
    return type(stored) is type(put) and bool(stored == put)


def rows_of(one: HostSample) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Yield table, key (host, ts and the item's name) and columns of every row that a sample must become."""
    odd = {name: status for name, status in one.sections.items() if status is not SectionStatus.OK}
    own = {
        "host_clock": one.host_clock,
        "seq": one.seq,
        "boot_id": clean(one.boot_id) if one.boot_id else None,
        "uptime_s": one.uptime_s,
        "interval_s": one.interval_s,
        "sections": json.dumps(odd, sort_keys=True, separators=(",", ":")) if odd else None,
    }
    yield "host_samples", (one.host, one.ts, None), {**asdict(one.system), **own}
    for kind, table, things in (
        ("mount", "filesystem_samples", one.filesystems),
        ("device", "disk_samples", one.disks),
        ("interface", "interface_samples", one.interfaces),
    ):
        seen: set[str] = set()
        for thing in map(asdict, things or ()):
            name = clean(thing[kind])
            if name not in seen:  # a name that comes twice counts once
                seen.add(name)
                figures = {k: v for k, v in thing.items() if k not in ("mount", "device", "interface", "fstype")}
                yield table, (one.host, one.ts, name), figures


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=st.lists(SAMPLES, max_size=12, unique_by=lambda one: (one.host, one.ts)), fresh=st.booleans())
async def test_what_is_put_is_what_is_stored(database: Database, samples: list[HostSample], fresh: bool) -> None:
    async with database.driver() as connection:  # one database for all examples
        for name in ("items", "hosts", *(table.name for table in SAMPLE_TABLES)):
            await connection.execute(f"DELETE FROM {name}")
    await Ingest(database).samples(samples, fresh=fresh)
    wanted = {(name, *key): row for one in samples for name, key, row in rows_of(one)}
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    async with database.driver() as connection:
        for table in SAMPLE_TABLES:
            item, join = ("i.name", "JOIN items i USING (host_id, item_id)") if table.kind else ("NULL::text", "")
            for row in await connection.fetch(
                f"SELECT h.name, s.ts, {item}, s.* FROM {table.name} s JOIN hosts h USING (host_id) {join}"
            ):
                columns = dict(list(row.items())[3:])
                found[(table.name, *tuple(row)[:3])] = {k: columns[k] for k in columns if k not in (*table.keys, "ts")}
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert found[key].keys() == row.keys()
        assert all(same(found[key][column], value) for column, value in row.items()), (
            f"{key}: {row} became {found[key]}"
        )


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_value_that_no_column_holds_is_refused_whole(database: Database, fresh: bool) -> None:
    """What comes with it is left out too, so that the writer can find the bad one; nothing of it is stored."""
    good = sample("web1", NOW)
    ingest = Ingest(database)
    bad: list[HostSample] = [
        replace(good, seq=2**63),
        replace(good, system=replace(good.system, cpus=-(2**63) - 1)),
        replace(good, system=replace(good.system, load1=10**400)),
        replace(good, uptime_s="long"),  # type: ignore[arg-type]
        replace(good, disks=(DiskFigures("sda", busy_pct=10**400),)),
    ]
    for number, one in enumerate(bad):
        with pytest.raises(PoisonError):
            await ingest.samples([sample("web2", NOW), replace(one, ts=NOW + timedelta(seconds=number))], fresh=fresh)
    assert await count(database, "host_samples") == await count(database, "disk_samples") == 0
    await ingest.samples([good], fresh=fresh)
    assert await count(database, "host_samples") == 1
