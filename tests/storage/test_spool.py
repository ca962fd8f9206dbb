"""The spool on disk: order, bounds, torn and corrupt ends, several consoles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.exceptions import ConfigurationError
from core.models import HostSample, HostState, Reason, Transition
from core.storage.spool import Spool
from core.storage.spool_records import Record, decode, encode
from tests.storage.made import sample


def now(back_s: float = 0) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=back_s)


def spool(folder: Path, *, max_bytes: int = 16 << 20, max_age_s: float = 3600) -> Spool:
    made = Spool(folder, max_bytes=max_bytes, max_age_s=max_age_s)
    made.open()
    return made


def drain(made: Spool) -> list[Record]:
    records: list[Record] = []
    while (read := made.oldest(7)) is not None:
        records += read.records
        made.stored(read)
    return records


@pytest.mark.parametrize(
    "record",
    [
        sample(ts=now()),
        sample(ts=now(), filesystems=None, disks=(), interfaces=None, host_clock=None, sections={}, boot_id=None),
        replace(sample(ts=now()), system=replace(sample().system, mem_total=1 << 70, load1=None)),
        Transition("web1", now(), HostState.ONLINE, HostState.OFFLINE, Reason.ROUTE, "no route to 10.0.0.1 …"),
        Transition("web\udc801", now(), HostState.ONLINE, HostState.OFFLINE, Reason.ROUTE, "half a pair: \ud83d"),
    ],
)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert decode(encode(record)) == record


def test_what_is_no_number_comes_back_as_unknown() -> None:
    system = replace(sample().system, cpu_pct=float("inf"), load1=float("nan"))
    found = decode(encode(replace(sample(ts=now()), system=system)))
    assert isinstance(found, HostSample) and found.system == replace(system, cpu_pct=None, load1=None)


def test_records_come_back_in_order_and_once(tmp_path: Path) -> None:
    first = spool(tmp_path)
    records: list[Record] = [sample(ts=now(100 - number), seq=number) for number in range(50)]
    first.append(records[:20])
    first.append(records[20:])
    assert first.samples == 50 and not first.empty
    assert drain(first) == records
    assert first.empty and first.oldest(1) is None and list(tmp_path.glob("*.spool")) == []


def test_what_a_console_left_is_taken_over_by_the_next(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append([sample(ts=now())])
    second = spool(tmp_path)
    assert second.samples == 0  # the first one lives, and holds its segment
    first.close()
    assert second.adopt() == 1 and second.samples == 1
    third = spool(tmp_path)
    assert third.samples == 0
    assert len(drain(second)) == 1


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_end_is_left_out_and_counted(tmp_path: Path, cut: int) -> None:
    first = spool(tmp_path)
    records: list[Record] = [sample(ts=now(9 - number), seq=number) for number in range(5)]
    first.append(records)
    first.close()
    path = next(tmp_path.glob("*.spool"))
    path.write_bytes(path.read_bytes()[:-cut])
    second = spool(tmp_path)
    assert second.samples == 4 and second.broken == 1
    assert drain(second) == records[:4] and second.broken == 1


def test_a_corrupt_record_in_the_middle_costs_that_record_alone(tmp_path: Path) -> None:
    first = spool(tmp_path)
    records: list[Record] = [sample(ts=now(9 - number), seq=number) for number in range(5)]
    first.append(records)
    first.close()
    path = next(tmp_path.glob("*.spool"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    second = spool(tmp_path)
    assert second.samples == 4 and second.broken == 1
    assert drain(second) == [*records[:2], *records[3:]] and second.broken == 1


def test_garbage_is_no_segment(tmp_path: Path) -> None:
    (tmp_path / "1.spool").write_bytes(b"\xff" * 1000)
    (tmp_path / "2.spool").write_bytes(b"")
    made = spool(tmp_path)
    assert made.empty and made.broken == 1 and list(tmp_path.glob("*.spool")) == []


def test_bytes_are_bounded_and_what_goes_is_counted(tmp_path: Path) -> None:
    made = spool(tmp_path, max_bytes=1 << 20)
    put = 0
    while made.dropped == 0:
        made.append([sample(ts=now(), seq=put + number) for number in range(50)])
        put += 50
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= 1 << 20
    kept = drain(made)
    assert len(kept) + made.dropped == put
    assert isinstance(kept[-1], HostSample) and kept[-1].seq == put - 1  # the oldest went, not the newest


def test_what_is_too_old_is_dropped_and_counted(tmp_path: Path) -> None:
    made = spool(tmp_path, max_age_s=60)
    made.append([sample(ts=now(120)), sample(ts=now(61)), sample(ts=now(5))])
    made.seal()
    made.append([sample(ts=now(90))])
    assert len(drain(made)) == 1 and made.dropped == 3


def test_what_was_read_and_not_stored_comes_again(tmp_path: Path) -> None:
    made = spool(tmp_path, max_age_s=60)
    records: list[Record] = [sample(ts=now(90), seq=0), *(sample(ts=now(9 - n), seq=n) for n in range(1, 9))]
    made.append(records)
    failed, read = made.oldest(4), made.oldest(4)
    assert failed == read and read is not None and read.records == records[1:4]
    assert (made.samples, made.dropped) == (9, 0)
    made.stored(read)
    assert (made.samples, made.dropped) == (5, 1)
    made.close()
    again = spool(tmp_path, max_age_s=60)  # how far it had come is forgotten with the console: rows are known by key
    assert drain(again) == records[1:] and again.dropped == 1


def test_what_is_stored_while_the_spool_drops_it_is_no_loss(tmp_path: Path) -> None:
    made = spool(tmp_path, max_bytes=1 << 20)
    made.append([sample(ts=now(), seq=number) for number in range(50)])
    read = made.oldest(30)
    assert read is not None and len(read.records) == 30
    put = 50
    while made.dropped == 0:
        made.append([sample(ts=now(), seq=put + number) for number in range(50)])
        put += 50
    made.stored(read)
    assert made.dropped == 20
    assert len(drain(made)) + 30 + made.dropped == put


def test_a_segment_of_any_size_is_read_in_parts(tmp_path: Path) -> None:
    made = spool(tmp_path, max_bytes=1 << 30)
    records: list[Record] = [sample(ts=now(), seq=number, boot_id="x" * 500_000) for number in range(20)]
    made.append(records)
    read = made.oldest(1000)
    assert read is not None and 0 < len(read.records) < 20
    made.close()
    again = spool(tmp_path, max_bytes=1 << 30)
    assert again.samples == 20 and drain(again) == records and again.broken == 0


def test_a_segment_removed_twice_closes_nothing_of_others(tmp_path: Path) -> None:
    made = spool(tmp_path)
    made.append([sample(ts=now())])
    segment = made.seal()
    assert segment is not None
    made.remove(segment)
    with (tmp_path / "other").open("wb") as other:  # may have got the same descriptor
        made.remove(segment)
        other.write(b"still open")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="spool folder"):
        spool(tmp_path / "file" / "below")
