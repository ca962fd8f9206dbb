"""Findings in the database and in the spool: what is put comes back, in every mode, by every way of moving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from core.models import (
    CheckFigures,
    ContainerFigures,
    DriveFigures,
    Finding,
    HostFinding,
    Perfdatum,
    PoolFigures,
    PortFigures,
    ProcessFigures,
    SectionStatus,
    ServiceFigures,
    UpdateFigures,
    VdevFigures,
    ZfsFigures,
)
from core.storage import housekeeping, queries
from core.storage.engine import Database
from core.storage.finding_body import MOST_BODY, finding_from, pack_body
from core.storage.ingest import Ingest
from core.storage.spool import Spool
from core.storage.spool_records import decode, encode
from tests.storage.made import NOW, count, sample

VALUES: Mapping[str, Any] = {
    "processes": (ProcessFigures(1, "init", "root", "S", 0.5, 1 << 20, 1), ProcessFigures(7, "k\x1b[31mworker")),
    "services": (ServiceFigures("nginx.service", "loaded", "failed", "failed", "web – server", "exit-code", 3),),
    "containers": (ContainerFigures("1f", "web", "nginx:1", "docker", "running", cpu_pct=1.5, mem=1 << 33),),
    "drives": (DriveFigures("/dev/sda", "ata", passed=False, problems=("8 pending sectors",)),),
    "zfs": ZfsFigures((PoolFigures("tank", "ONLINE", 1 << 45, vdevs=(VdevFigures("sda", "ONLINE", 1, 0, 0, 3),)),)),
    "updates": UpdateFigures("apt", 12, 3, ("libc6", "openssl"), True),
    "sessions": (),
    "ports": (PortFigures("tcp", "::", 22), PortFigures("udp", "127.0.0.1", 53, process="dnsmasq", pid=9)),
    "check:disk": CheckFigures("disk", "warning", "DISK", ("/var",), (Perfdatum("/var", 91.5, "%", "80", "90"),)),
}


def found(kind: str = "services", host: str = "web1", ago_s: float = 0, **changes: Any) -> HostFinding:
    values = {"status": SectionStatus.OK, "value": VALUES.get(kind), "detail": "one line", "severity": "error"}
    return HostFinding(host, NOW - timedelta(seconds=ago_s), Finding(kind, **{**values, **changes}))


@pytest.mark.parametrize("kind", VALUES)
def test_a_spooled_finding_comes_back_as_it_was(kind: str) -> None:
    record = found(kind)
    assert decode(encode(record)) == record
    absent = found(kind, value=None, status=SectionStatus.ABSENT, detail="", severity="info")
    assert decode(encode(absent)) == absent


def test_a_value_that_cannot_be_read_back_is_unknown_and_no_error() -> None:
    for body in ('{"a":1}', "[[1,2]]", "null", "", "{", '"x"'):
        assert finding_from("drives", "ok", "error", "a line", body).value is None
    assert finding_from("own:thing", "ok", "loud", "", '[{"a": 1}]') == Finding(
        "own:thing",
        SectionStatus.OK,
        [{"a": 1}],
        "",
        "info",  # type: ignore[arg-type]
    )


def test_what_json_cannot_tell_or_is_too_large_is_not_stored_and_its_line_is() -> None:
    huge = Finding("own", SectionStatus.OK, ("x" * (MOST_BODY + 1),), "much")
    strange = Finding("own", SectionStatus.OK, (object(),), "strange")
    lone = Finding("own", SectionStatus.OK, ("\udc80",), "lone")
    for finding in (huge, strange, lone):
        assert pack_body(finding) is None
    assert pack_body(Finding("own", SectionStatus.OK, (MappingProxyType({"a": float("nan")}),))) in (
        None,
        '[{"a":null}]',
    )


async def test_findings_are_stored_once_and_the_latest_of_each_kind_is_read_back(database: Database) -> None:
    ingest = Ingest(database)
    old, new = found(ago_s=60), found(severity="info", detail="all is well")
    every = [found(kind, ago_s=5) for kind in VALUES if kind != "services"]
    await ingest.findings([old, *every])
    await ingest.findings([old, new, found(host="db1", detail="a\x00b")])
    assert await count(database, "findings") == len(VALUES) + 2
    latest = await queries.findings(database, NOW)
    assert latest["web1"] == {each.kind: each for each in (new, *every)}
    assert latest["db1"]["services"].finding.detail == "ab"
    assert (await queries.findings(database, NOW - timedelta(seconds=30)))["web1"] == {"services": old}
    assert set(await queries.findings(database, NOW, host="db1")) == {"db1"}
    assert await queries.findings(database, NOW + queries.FINDING_AGE) == {}  # too old to be said of that moment
    assert await queries.findings(database, NOW - queries.FINDING_AGE) == {}


async def test_findings_past_the_retention_of_raw_data_go_and_no_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_TRIM_ROWS", 2)
    kept = database.retention.raw_retention.total_seconds()
    old = [found(ago_s=kept + seconds) for seconds in (3600, 7200, 7300, 7400, 7500)]
    await Ingest(database).findings([*old, found(ago_s=kept - 3600), found()])
    assert await housekeeping.trim_findings(database, NOW) == 5
    assert await count(database, "findings") == 2
    assert await housekeeping.trim_findings(database, NOW) == 0


def test_the_spool_counts_samples_alone_and_keeps_findings_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 20, max_age_s=3600)
    spool.open()
    records = [found(), sample(ts=NOW), replace(found("drives"), host="nas")]
    spool.append(records)
    assert spool.samples == 1
    read = spool.oldest(10)
    assert read is not None and read.records == records and read.samples == 1
    spool.stored(read)
    assert spool.empty
