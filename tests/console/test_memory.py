"""What the console remembers: a file that is written whole, read with distrust, and shared by several consoles."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from console import cli
from console.composition.comfort import differences, host_changes, options_of
from console.composition.early import early_theme
from console.composition.memory import NAME, MemoryFile
from core.config import load_settings
from core.exceptions import ConfigurationError
from core.models import HostState, Reason, Transition
from core.models.console import Memory

MEMORY = Memory(
    pane="database",
    panes={"fleet": {"sort": "cpu", "filter": "tag:web"}},
    theme="light",
    utc=False,
    commands=("host web-01", "db"),
    guided=True,
    left_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def test_it_comes_back_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path / "state" / NAME)
    assert file.load() == Memory() and not file.note
    assert file.save(MEMORY)
    assert MemoryFile(file.path).load() == MEMORY
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert {each.name for each in file.path.parent.iterdir()} == {NAME, "console.lock"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2}',
        '{"version": 1, "pane": 5}',
        '{"version": 1, "pane": "\\u001b[2J"}',
        '{"version": 1, "panes": {"fleet": ["x"]}}',
        '{"version": 1, "left_at": "yesterday"}',
        '{"version": 1, "commands": 7}',
        "[" * 100_000,
        "x" * 300_000,
    ],
)
def test_a_broken_file_is_set_aside_and_told(tmp_path: Path, text: str) -> None:
    file = MemoryFile(tmp_path / NAME)
    file.path.write_text(text)
    assert file.load() == Memory()
    assert "was broken" in file.note and not file.path.exists()
    assert (tmp_path / "console.broken").read_text() == text
    assert file.save(MEMORY) and MemoryFile(file.path).load() == MEMORY


def test_consoles_that_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    wrong: list[object] = []

    def write(pane: str) -> None:
        for _ in range(15):
            MemoryFile(path).save(Memory(pane=pane))
            if MemoryFile(path).load().pane not in ("fleet", "events", "host"):
                wrong.append(pane)

    threads = [threading.Thread(target=write, args=(pane,)) for pane in ("events", "host")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not (tmp_path / "console.broken").exists()
    assert MemoryFile(path).load().pane in ("events", "host")


def test_who_finds_another_writing_leaves_it_alone(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path / NAME)
    lock = os.open(tmp_path / "console.lock", os.O_RDWR | os.O_CREAT)
    try:
        flock(lock, LOCK_EX)
        assert not file.save(MEMORY) and not file.path.exists()
    finally:
        os.close(lock)
    assert file.save(MEMORY)


def test_the_first_paint_knows_the_theme(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "state" / "jumpwatch"
    home = {"HOME": str(tmp_path)}
    assert early_theme(home) == ""
    MemoryFile(folder / NAME).save(MEMORY)
    assert early_theme(home) == "light"
    assert early_theme({**home, "XDG_STATE_HOME": "relative"}) == "light"
    for text in ("{", '{"theme": "pink"}', '{"theme": 5}', "[]", json.dumps([1])):
        (folder / NAME).write_text(text)
        assert early_theme(home) == ""


# The file's table of keys, and what a change of the settings tells.
def test_keys_of_the_file_are_taken_dotted_or_quoted(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[keys]\nrows.sort = "o"\n"main.pause" = ["f5", "ctrl+p"]\n[keys.host]\nnext = ","\n')
    settings = load_settings(env={"HOME": str(tmp_path)}, config_file=file)
    assert settings.keys == {"rows.sort": "o", "main.pause": "f5,ctrl+p", "host.next": ","}
    assert options_of(settings, demo=False).keys == settings.keys
    for wrong in ("rows.sort = 5", 'x = ""', "x = []", 'x = ["a", 1]', "x = true"):
        file.write_text(f"[keys]\n{wrong}\n")
        with pytest.raises(ConfigurationError, match="must be a key or a list of keys"):
            load_settings(env={"HOME": str(tmp_path)}, config_file=file)


def test_the_command_lists_the_names_and_says_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text('[keys]\nrows.sort = "o"\n')
    assert cli.main(["--config", str(file), "config", "keys"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["rows.sort", "o", "sort"] in rows and any(row[0] == "main.help" for row in rows)
    file.write_text('[keys]\nrows.sotr = "o"\n')
    assert cli.main(["--config", str(file), "config", "keys", "--json"]) == 2
    said = capsys.readouterr()
    assert "the nearest is rows.sort" in json.loads(said.out)["problems"][0] and "rows.sotr" in said.err


def test_what_differs_is_told_by_name_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    env = {"HOME": str(tmp_path)}
    file.write_text("")
    old = load_settings(env=env, config_file=file)
    file.write_text(
        '[console]\ntheme = "light"\n[keys]\nrows.sort = "o"\n[polling]\ninterval_s = 5\n'
        '[database]\nurl = "postgresql://me:hunter2@h/d"\n'
    )
    new = load_settings(env=env, config_file=file)
    changed = differences(old, new)
    assert {"console.theme", "keys.rows.sort", "polling.interval_s", "database.url"} <= set(changed)
    assert "hunter2" not in " ".join(changed)
    assert differences(new, new) == []


def test_changes_of_a_host_are_one_line() -> None:
    def at(minute: int, old: HostState, new: HostState, host: str = "a") -> Transition:
        return Transition(host, datetime(2030, 1, 1, 0, minute, tzinfo=UTC), old, new, Reason.NONE, f"at {minute}")

    online, offline, degraded = HostState.ONLINE, HostState.OFFLINE, HostState.DEGRADED
    found = host_changes(
        [at(9, offline, online), at(8, online, offline, "b"), at(5, degraded, offline), at(2, online, degraded)]
    )
    assert [(each.host, each.before, each.now, each.times) for each in found] == [
        ("b", online, offline, 1),
        ("a", online, online, 3),
    ]
    assert found[1].detail == "at 9"
