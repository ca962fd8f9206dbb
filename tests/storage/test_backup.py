"""A backup and its way back, in every mode; nothing half-written is left, nothing damaged is restored."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

from core.exceptions import (
    BusinessLogicError,
    DatabaseOperationError,
    InfrastructureException,
    ResourceConflictError,
    ResourceNotFoundError,
    ValidationError,
)
from core.storage import restore as restoring
from core.storage.archive import Writing
from core.storage.backup import backup
from core.storage.engine import Database
from core.storage.ingest import Ingest
from core.storage.restore import restore
from core.storage.schema import ROLLUPS
from tests.storage.made import NOW, count, sample
from tests.storage.test_transfer import PAIRS, assert_same, fill, pair, rows

__all__ = ["pair"]
FEW = [("embedded", "native"), ("native", "embedded"), ("embedded", "wasm"), ("wasm", "embedded")]
ONE = [("embedded", "embedded")]


@pytest.mark.parametrize("pair", FEW, indirect=True, ids="-".join)
async def test_a_backup_comes_back_as_it_was(pair: tuple[Database, Database], tmp_path: Path) -> None:
    source, target = pair
    file = tmp_path / "all.zip"
    report = await backup(source, file)
    assert file.stat().st_mode & 0o777 == 0o600 and [p.name for p in tmp_path.iterdir()] == ["all.zip"]
    assert report.bytes == file.stat().st_size and {t.name for t in report.tables} >= {r.name for r in ROLLUPS}
    with pytest.raises(ResourceConflictError, match="there already"):
        await backup(source, file)
    back = await restore(target, file)
    assert back.ok, back
    await assert_same(source, target)
    await Ingest(target).samples([sample("another", NOW)], fresh=True)
    assert await count(target, "hosts") == 3  # it numbers on
    with pytest.raises(ResourceConflictError):
        await restore(target, file)


@pytest.mark.parametrize("pair", ONE, indirect=True, ids="-".join)
async def test_it_is_of_one_moment(
    pair: tuple[Database, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = pair
    before = {name: len(await rows(source, name)) for name in ("hosts", "items", "host_samples", "filesystem_samples")}
    begin = Writing.begin

    async def meanwhile(self: Writing, name: str) -> None:
        """Polling goes on while each table is written."""
        await Ingest(source).samples([sample(f"during {name}", NOW)], fresh=True)
        await begin(self, name)

    monkeypatch.setattr(Writing, "begin", meanwhile)
    report = await backup(source, tmp_path / "all.zip")
    assert {table.name: table.rows for table in report.tables if table.name in before} == before


@pytest.mark.parametrize("pair", ONE, indirect=True, ids="-".join)
async def test_what_goes_wrong_leaves_no_file(
    pair: tuple[Database, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # as a full disk: a write fails half-way
    try:
        with pytest.raises(BusinessLogicError, match=r"all\.zip cannot be written: .*nothing is left"):
            await backup(source, tmp_path / "all.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BusinessLogicError, match="cannot be written"):
        await backup(source, tmp_path / "nowhere" / "all.zip")

    async def gone(self: Writing, data: bytes) -> None:
        raise DatabaseOperationError("the server went away")

    monkeypatch.setattr(Writing, "write", gone)
    with pytest.raises(DatabaseOperationError):
        await backup(source, tmp_path / "all.zip")

    async def cancelled(self: Writing, data: bytes) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Writing, "write", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await backup(source, tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []
    assert await count(source, "hosts") == 2  # its connection is well


def changed(file: Path, to: Path, **changes: object) -> Path:
    """A copy of a backup whose manifest says something else."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "manifest.json":
                data = json.dumps({**json.loads(data), **changes}).encode()
            new.writestr(name, data)
    return to


@pytest.mark.parametrize("pair", ONE, indirect=True, ids="-".join)
async def test_what_is_damaged_or_strange_is_refused(pair: tuple[Database, Database], tmp_path: Path) -> None:
    source, target = pair
    file = tmp_path / "all.zip"
    await backup(source, file)
    whole = file.read_bytes()
    manifest = json.loads(zipfile.ZipFile(file).read("manifest.json"))
    tables = manifest["tables"]
    cut, torn, text_file = tmp_path / "cut", tmp_path / "torn", tmp_path / "text"
    cut.write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(file) as old:
        place = old.getinfo("tables/host_samples.copy").header_offset + 500
    torn.write_bytes(whole[:place] + bytes(byte ^ 0xFF for byte in whole[place : place + 50]) + whole[place + 50 :])
    text_file.write_text("no zip")
    odd = [{**tables[0], "name": "hosts; DROP TABLE hosts"}, *tables[1:]]
    other = [{**table, "sha256": "0" * 64} if table["name"] == "hosts" else table for table in tables]
    column = [{**table, "columns": ['x") --', *table["columns"]]} for table in tables]
    cases = (
        (tmp_path / "none", "there is no file"),
        (cut, "no backup of jumpwatch"),
        (text_file, "no backup of jumpwatch"),
        (torn, "is damaged: host_samples"),
        (changed(file, tmp_path / "a", format="tar"), "no whole backup"),
        (changed(file, tmp_path / "b", version=2), "newer jumpwatch"),
        (changed(file, tmp_path / "c", revision="9999"), "newer jumpwatch.*9999"),
        (changed(file, tmp_path / "d", tables=odd), "does not know"),
        (changed(file, tmp_path / "e", tables=other), "damaged: hosts.*SHA-256"),
        (changed(file, tmp_path / "f", tables=column), "does not know"),
        (changed(file, tmp_path / "g", tables=[{"name": "hosts"}]), "no whole backup"),
        (changed(file, tmp_path / "h", begins={"host_samples": "yesterday"}), "no whole backup"),
    )
    for path, why in cases:
        with pytest.raises((ValidationError, ResourceNotFoundError), match=why):
            await restore(target, path)
    async with target.connect() as connection:  # not even set up
        assert not await connection.scalar(text("SELECT to_regclass('jumpwatch_meta') IS NOT NULL"))
    await restoring.initialise(target)
    await fill(target, hosts=1)
    with pytest.raises(ResourceConflictError, match="not empty"):
        await restore(target, file)


@pytest.mark.parametrize("pair", [*ONE, PAIRS[0]], indirect=True, ids="-".join)
async def test_a_cut_restore_goes_on(
    pair: tuple[Database, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    file = tmp_path / "all.zip"
    await backup(source, file)
    put = restoring.copy_in
    seen: list[str] = []

    async def cut(*arguments: object) -> int:
        copied = await put(*arguments)  # type: ignore[arg-type]
        seen.append(str(arguments[2]))
        if "disk_samples" in seen[-1]:  # its rows are in, and not committed
            raise DatabaseOperationError("cut")
        return copied

    monkeypatch.setattr(restoring, "copy_in", cut)
    with pytest.raises(InfrastructureException, match="cut"):
        await restore(target, file)
    assert await count(target, "host_samples") and not await count(target, "disk_samples")
    monkeypatch.setattr(restoring, "copy_in", put)
    lines: list[str] = []
    assert (await restore(target, file, lines.append)).ok
    assert any("going on" in line for line in lines) and not any("restoring host_samples:" in line for line in lines)
    await assert_same(source, target)
    assert os.listdir(tmp_path) == ["all.zip"]
