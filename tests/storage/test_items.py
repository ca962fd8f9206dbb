"""What containers and units used: from the sink to the tables by every way, and back as a past."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from core.models import ContainerUse, Host, ItemSample, UnitUse
from core.storage import rollups
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.ingest import Ingest
from core.storage.item_past import item_history
from core.storage.setup import initialise
from core.storage.spool import Spool
from core.storage.spool_records import decode, encode
from tests.storage.made import GIB, NOW, count, look, sample
from tests.storage.test_writer import Running, until

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEB = ("container", "web")


@pytest.mark.parametrize("fresh", [True, False])
async def test_what_is_put_is_what_the_tables_hold(database: Database, fresh: bool) -> None:
    ingest, told = Ingest(database), look()
    odd = ItemSample("db1", NOW, (ContainerUse("a\x00b\ud800", image="x\x00"),), (UnitUse("-.mount", mem_used=0),))
    await ingest.items([told, odd], fresh=fresh)
    await ingest.items([told, replace(odd, ts=NOW + HOUR)], fresh=fresh)  # the first one is there already
    names = text(
        "SELECT h.name AS host, i.name, i.extra, s.* FROM container_samples s JOIN items i USING (host_id, item_id) "
        "JOIN hosts h USING (host_id) ORDER BY h.name, i.name, s.ts"
    )
    async with database.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(names)]
        units = text("SELECT cpu_pct, mem_used, tasks, restarts FROM unit_samples ORDER BY host_id, ts")
        kept = [tuple(row) for row in await connection.execute(units)]
    assert sorted(row[:2] for row in rows) == [("db1", "ab\\ud800")] * 2 + [("web1", "db"), ("web1", "web")]
    by_name = {row[1]: row for row in rows}
    assert by_name["web"][2] == '{"engine":"docker","image":"nginx:1"}'
    assert by_name["web"][5:] == (NOW, 1.0, GIB, 4 * GIB, 1 << 40, 7, 0, 9 * GIB, 12)
    assert by_name["db"][6:] == (250.5, 2 * GIB, None, None, None, None, None, None)  # unknown is not zero
    assert sorted(kept, key=str) == sorted([(12.5, 30 << 20, 5, 1), *[(None, 0, None, None)] * 2], key=str)


def test_a_spooled_look_comes_back_as_it_was_and_is_counted(tmp_path: Path) -> None:
    records = [look(), ItemSample("web1", NOW, units=(UnitUse("a.service", restarts=3),)), sample(ts=NOW)]
    assert [decode(encode(record)) for record in records] == records
    spool = Spool(tmp_path, max_bytes=1 << 20, max_age_s=3600)
    spool.open()
    spool.append(records)
    assert spool.samples == 3
    spool.close()
    again = Spool(tmp_path, max_bytes=1 << 20, max_age_s=3600)
    again.open()
    again.adopt()
    read = again.oldest(10)
    assert again.samples == 3 and read is not None and read.records == records and read.samples == 3
    again.close()


async def test_looks_wait_in_the_spool_for_a_database_and_poison_blocks_none(blank: Database, tmp_path: Path) -> None:
    async with Running(blank, tmp_path) as writer:
        for number in range(40):
            one = look("web1", NOW - timedelta(seconds=30 * number), number)
            bad = replace(one, units=(UnitUse("bad.service", mem_used=1 << 63),))
            writer.put_items(bad if number == 7 else one)
        await until(lambda: writer.stats().spooled == 40)
        await blank.open()
        await initialise(blank)
        await until(lambda: writer.stats().stored == 39 and writer.stats().spooled == 0)
        assert writer.stats().dropped == 1 and "web1" in (writer.stats().last_error or "")
        writer.put_items(look("web1", NOW + timedelta(seconds=30)))
        await until(lambda: writer.stats().stored == 40)
    assert await count(blank, "container_samples") == 80 and await count(blank, "unit_samples") == 40


async def test_the_past_of_an_item_is_the_same_from_looks_and_from_hours(database: Database) -> None:
    end = rollups.floor(NOW, 3600)
    looks = [look("web1", end - timedelta(minutes=5 * number), number % 12) for number in range(1, 12 * 48 + 1)]
    await write_history(database, [Host("web1")], looks)
    start = end - 2 * DAY
    raw = await item_history(database, "web1", WEB, start, end, points=48, source="raw")
    hours = await item_history(database, "web1", WEB, start, end, points=48, source="1h")
    assert raw.step_s == hours.step_s == 3600 and len(raw.mean.times) == 48
    assert raw.mean == hours.mean and raw.high == hours.high
    assert set(raw.mean.cpu) == {5.5} and set(raw.high.cpu) == {11.0} and set(raw.mean.mem) == {float(GIB)}
    unit = await item_history(database, "web1", ("unit", "nginx.service"), start, end, points=10)
    assert unit.source == "raw" and set(unit.mean.cpu) == {12.5}
    assert (await item_history(database, "web1", WEB, end - 9 * DAY, end)).source == "1h"
    for nobody in (("container", "nobody"), ("unit", "web"), ("disk", "sda")):
        told = await item_history(database, "web1", nobody, start, end)
        assert set(told.mean.cpu) == {None} and len(told.mean.times) <= 241


async def test_the_newest_looks_are_in_it_and_hours_tell_where_looks_are_gone(database: Database) -> None:
    bucket = rollups.floor(NOW, 3600) - 3 * HOUR
    await write_history(database, [Host("web1")], [look("web1", bucket + timedelta(minutes=1), 10)])
    late = [look("web1", bucket + timedelta(minutes=2), 30), look("web1", bucket + HOUR, 50)]
    await Ingest(database).items(late, fresh=True)  # not rolled up
    told = await item_history(database, "web1", WEB, bucket, bucket + 3 * HOUR, source="1h")
    assert told.mean.cpu == (20.0, 50.0, None)
    async with database.connect() as connection:
        await connection.execute(text("DELETE FROM container_samples"))
    told = await item_history(database, "web1", WEB, bucket, bucket + 3 * HOUR)
    assert told.source == "1h" and told.mean.cpu == (10.0, None, None)


async def test_two_writers_of_one_hosts_items_do_not_meet(database: Database, other: Database) -> None:
    batches = [
        [look("web1", NOW - timedelta(seconds=number + part), number) for number in range(20)] for part in (0, 7)
    ]
    await asyncio.gather(*(Ingest(d).items(b, fresh=True) for d, b in zip((database, other), batches, strict=True)))
    assert await count(database, "unit_samples") == 27
