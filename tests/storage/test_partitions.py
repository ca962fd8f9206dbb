"""Which partitions are missing; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from core.storage.partitions import EPOCH, known_table, missing_ranges, partition_interval, partition_name
from core.storage.rollups import ceil, floor

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_nothing_there_all_is_made_in_whole_intervals() -> None:
    assert missing_ranges([], at(1, 5), at(3, 1), DAY) == [(at(1), at(2)), (at(2), at(3)), (at(3), at(4))]


def test_what_is_there_is_left_out() -> None:
    assert missing_ranges([(at(2), at(3))], at(1, 5), at(3, 1), DAY) == [(at(1), at(2)), (at(3), at(4))]
    assert missing_ranges([(at(1), at(9))], at(1, 5), at(3, 1), DAY) == []
    assert missing_ranges([(at(1), at(2))], at(2), at(2), DAY) == []


@pytest.mark.parametrize("interval", [HOUR, 6 * HOUR, 7 * HOUR, DAY, 3 * DAY])
def test_an_interval_that_was_changed_never_overlaps(interval: timedelta) -> None:
    there = [(at(2, 6), at(2, 18)), (at(4), at(5)), (at(5), at(5, 1))]
    made = missing_ranges(there, at(1, 3), at(7, 5), interval)
    whole = sorted([*there, *made])
    assert all(before[1] <= after[0] for before, after in pairwise(whole))
    inside = [r for r in whole if r[1] > at(1, 3) and r[0] < at(7, 5)]
    assert all(before[1] == after[0] for before, after in pairwise(inside))
    assert inside[0][0] <= at(1, 3) and inside[-1][1] >= at(7, 5)
    assert all(begin < end for begin, end in made)


def test_before_the_epoch_too() -> None:
    early = EPOCH - 3 * HOUR
    assert missing_ranges([], early, early + HOUR, DAY) == [(EPOCH - DAY, EPOCH)]


def test_names_and_tables() -> None:
    assert partition_name("host_samples", at(2)) == "host_samples_p20260302"
    assert partition_name("host_samples", at(2, 6)) == "host_samples_p20260302t060000"
    assert partition_interval("host_samples", DAY) == DAY and partition_interval("host_samples_1h", DAY) > DAY
    with pytest.raises(ValueError, match="no table of samples"):
        known_table("hosts; DROP TABLE hosts")


def test_buckets() -> None:
    moment = at(1, 3) + timedelta(seconds=90)
    assert floor(moment, 60) == at(1, 3) + timedelta(seconds=60) and ceil(moment, 60) == at(1, 3) + timedelta(minutes=2)
    assert ceil(at(1, 3), 3600) == at(1, 3) == floor(at(1, 3), 3600)
