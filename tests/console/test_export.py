"""Tables as files: typed, safe in a spreadsheet, for the user alone, and never over another file."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.actions.export import as_csv, as_json, format_of, new_name, write_new
from console.widgets.columns import TableData
from core.exceptions import ResourceConflictError, ValidationError
from tests.console.driving import running, screen_text, table, until

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TABLE = TableData(
    "made",
    ("host", "cpu", "delta", "ok", "at", "none"),
    (("=cmd|' /C calc'!A1", 1.5, -3, True, NOW, None), (' @SUM("a,b")', float("nan"), 0, False, None, "\x1b[31mred\n")),
)


def test_csv_is_typed_and_no_text_is_a_formula() -> None:
    head, first, second = csv.reader(io.StringIO(as_csv(TABLE), newline=""))
    assert head == ["host", "cpu", "delta", "ok", "at", "none"]
    assert first == ["'=cmd|' /C calc'!A1", "1.5", "-3", "true", "2026-01-02T03:04:05+00:00", ""]
    assert second[0] == '\' @SUM("a,b")' and second[2] == "0" and second[5] == "red "


def test_json_tells_unknown_from_zero() -> None:
    first, second = json.loads(as_json(TABLE))
    assert first["none"] is None and first["delta"] == -3 and first["ok"] is True
    assert second["cpu"] is None and second["delta"] == 0


def test_a_file_is_new_and_for_the_user_alone(tmp_path: Path) -> None:
    path = new_name("fleet", "csv", tmp_path, NOW)
    assert path.name == "jumpwatch-fleet-20260102-030405.csv"
    write_new(path, "a\r\n")
    assert path.read_bytes() == b"a\r\n" and os.stat(path).st_mode & 0o777 == 0o600
    with pytest.raises(ResourceConflictError, match="not overwritten"):
        write_new(path, "b")
    assert path.read_bytes() == b"a\r\n"
    assert new_name("fleet", "csv", tmp_path, NOW).name == "jumpwatch-fleet-20260102-030405-2.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResourceConflictError):
        write_new(link, "b")
    with pytest.raises(ValidationError, match="another place"):
        write_new(tmp_path / "no" / "folder.csv", "b")
    with pytest.raises(ValidationError, match="must end in"):
        format_of("fleet.txt")


async def test_keys_write_table_and_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(size=(100, 30)) as (app, pilot, _services):
        names = [str(row) for row in table(app).rows]
        await pilot.press("e")
        await until(pilot, lambda: "12 rows of fleet" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(tmp_path.glob("*.csv"))) and "wrote" in screen_text(app))
        (file,) = tmp_path.glob("jumpwatch-fleet-*.csv")
        rows = list(csv.DictReader(file.open(newline="")))
        assert [row["host"] for row in rows] == names and rows[0]["cpu_pct"] == ""
        await pilot.press("e")
        await until(pilot, lambda: "12 rows of fleet" in screen_text(app))
        await pilot.press("f4", "enter")
        await until(pilot, lambda: bool(list(tmp_path.glob("*.svg"))))
        (picture,) = tmp_path.glob("*.svg")
        await until(pilot, lambda: picture.stat().st_size > 0)
        text = picture.read_text()
        assert "build-01" in text.replace("&#160;", " ") and "nothing is overwritten" not in text


async def test_a_pane_without_a_table_offers_the_picture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot, _services):
        await pilot.press("2", "e")
        await until(pilot, lambda: "This pane has no table" in screen_text(app))
        await pilot.press("ctrl+u", *"x.csv", "enter")
        await until(pilot, lambda: ".svg writes the screen" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert not list(tmp_path.iterdir())


async def test_every_list_can_be_exported() -> None:
    async with running(size=(100, 30)) as (app, pilot, services):
        for key, name, rows in (
            ("1", "fleet", 12),
            ("4", "events", 60),
            ("5", "hypertables", 5),
            ("6", "containers", 4),
        ):
            await pilot.press(key)
            await pilot.pause()
            data = app.main.pane.table_data()
            assert data is not None and (data.name, len(data.rows)) == (name, rows)
            assert all(len(row) == len(data.columns) for row in data.rows)
            json.loads(as_json(data)), as_csv(data)
        await pilot.press("5", "tab")
        await pilot.pause()
        data = app.main.pane.table_data()
        assert data is not None and data.name == "chunks" and len(data.rows) == len(services.chunks)
