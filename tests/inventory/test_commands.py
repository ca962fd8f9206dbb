"""jumpwatch hosts import, export, set, maintenance: what they print, what they change, how they end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console import cli
from core.inventory import Inventory
from tests.parts import kept_logging

INI = "[web]\na ansible_host=10.0.0.1 ansible_password=hunter2\nb\n[db]\nc x\n"


class Terminal:
    """Runs commands in this process, in a home of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        self.inventory = home / ".config" / "jumpwatch" / "hosts.toml"
        self.out = self.err = ""

    def run(self, *argv: str, expect: int = 0) -> str:
        code = cli.main(argv)
        self.out, self.err = self._capsys.readouterr()
        assert code == expect, f"{argv}: {code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.out + self.err
        return self.out

    def json(self, *argv: str, expect: int = 0) -> Any:
        return json.loads(self.run(*argv, "--json", expect=expect))

    def file(self, name: str, text: str) -> str:
        (self.home / name).write_text(text)
        return str(self.home / name)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with kept_logging():
        yield Terminal(tmp_path, capsys)


def test_a_dry_run_tells_and_the_import_does_it_once(terminal: Terminal) -> None:
    file = terminal.file("hosts", INI)
    told = terminal.json("hosts", "import", file, "--dry-run", "--group", "imported", "--tag", "t")
    assert told["format"] == "ansible-ini" and told["dry_run"] and not terminal.inventory.exists()
    assert [one["host"]["name"] for one in told["added"]] == ["a", "b"]
    assert told["added"][0]["host"]["groups"] == ["web", "imported"] and told["added"][0]["where"] == f"{file}:2"
    assert {one["name"] for one in told["skipped"]} == {"a: ansible_password", "c"}
    table = terminal.run("hosts", "import", file, "--dry-run")
    assert "would be added" in table and "skipped: is a secret" in table and "2 hosts to be added" in terminal.err
    terminal.run("hosts", "import", file, "--group", "imported", "--tag", "t")
    assert "hunter2" not in terminal.out + terminal.err + terminal.inventory.read_text()
    terminal.run("hosts", "set", "a", "address=10.0.0.9", "user=me")
    before = terminal.inventory.read_bytes()
    table = terminal.run("hosts", "import", file, "--group", "imported", "--tag", "t")
    assert terminal.inventory.read_bytes() == before
    assert "kept as set here: address 10.0.0.9 (the file says 10.0.0.1)" in table
    assert "0 hosts added, 0 changed, 1 as they were, 1 kept" in terminal.err


def test_hosts_over_a_pipe(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"web": {"hosts": ["a"]}}')))
    terminal.run("hosts", "import", "-")
    assert terminal.json("hosts", "list", "--group", "web")[0]["name"] == "a"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("what is\nthis?", 2, "say --format"), ("[a:children]\na\n", 2, "holds itself"), ("Host *\n", 1, "no host"),
        ("name\n-x\n", 1, "no host"), ("name\n\0", 2, "NUL"), ("- a\n- b\n", 2, "--format"),
    ],
)  # fmt: skip
def test_files_that_give_nothing(terminal: Terminal, text: str, code: int, words: str) -> None:
    file = terminal.file("hosts", text)
    terminal.run("hosts", "import", file, expect=code)
    assert words in terminal.err and not terminal.inventory.exists()


def test_an_export_is_imported_elsewhere(terminal: Terminal) -> None:
    terminal.run("hosts", "import", terminal.file("hosts", INI))
    for form in cli.EXPORTS:
        target = terminal.home / f"out.{form}"
        terminal.run("hosts", "export", str(target), "--format", form, "--group", "web")
        assert terminal.out == "" and target.stat().st_mode & 0o777 == 0o600
        assert terminal.run("hosts", "export", "--format", form) == target.read_text()
        terminal.run("hosts", "export", str(target), "--format", form, expect=1)
        assert "is there already" in terminal.err
        told = terminal.json("hosts", "import", str(target), "--dry-run")
        assert told["format"] == form and not told["added"] and not told["changed"]
    terminal.run("hosts", "export", str(terminal.home / "out.csv"), "--format", "csv", "--force")
    terminal.run("hosts", "export", str(terminal.home), expect=2)
    for command in ("import", "export"):
        terminal.run("hosts", command, "~nobodyofthatname/x", expect=2)
        assert "~nobodyofthatname/x: the home folder" in terminal.err
    terminal.run("hosts", "export", "--tag", "none", expect=1)
    assert "no host has the tag" in terminal.err


def test_settings_of_many_hosts_at_once(terminal: Terminal) -> None:
    terminal.run("hosts", "import", terminal.file("hosts", INI))
    terminal.run("hosts", "set", "group:web", "port=2222", "tags+=x")
    assert [(h["port"], h["tags"]) for h in terminal.json("hosts", "list", "--tag", "x")] == [(2222, ["x"])] * 2
    terminal.run("hosts", "set", "tag:x", "port=", "address=10.0.0.1")
    assert "changed a, b" in terminal.err
    terminal.run("hosts", "set", "a", "address=10.0.0.1")
    assert "changed nothing" in terminal.err
    for bad, words in (("prot=1", "did you mean port"), ("port=0", "1 to 65535"), ("port", "KEY=VALUE")):
        terminal.run("hosts", "set", "a", "user=me", bad, expect=2)
        assert words in terminal.err
    assert Inventory.load(terminal.inventory).get("a").user is None  # all or nothing
    terminal.run("hosts", "set", "group:wbe", "port=1", expect=1)
    assert "did you mean web" in terminal.err


def test_maintenance_on_for_a_while_and_off(terminal: Terminal) -> None:
    terminal.run("hosts", "import", terminal.file("hosts", INI))
    before = datetime.now(UTC)
    told = terminal.json("hosts", "maintenance", "on", "group:web", "--for", "2h")
    assert [h["maintenance"] for h in told] == [True, True]
    end = datetime.fromisoformat(told[0]["maintenance_until"])
    assert timedelta(hours=2) - timedelta(seconds=1) <= end - before <= timedelta(hours=2, minutes=5)
    assert f"maintenance until {end:%Y-%m-%d %H:%M:%S} UTC" in terminal.run("hosts", "list")
    terminal.run("hosts", "set", "a", "maintenance_until=2020-01-01T00:00:00Z")
    (a,) = (h for h in terminal.json("hosts", "list") if h["name"] == "a")
    assert not a["maintenance"] and a["maintenance_until"] is None  # it has ended by itself
    terminal.run("hosts", "maintenance", "on", "a")
    assert "maintenance\n" in terminal.run("hosts", "list")
    terminal.run("hosts", "set", "a", "address=127.0.0.1", "port=1")
    polled = json.loads(terminal.run("poll", "--once", "--group", "web", "--json", expect=0).splitlines()[0])
    assert polled["state"] == "maintenance" and "somebody ends it" in polled["detail"]
    assert json.loads(terminal.run("poll", "--once", "a", "--json", expect=3))["reason"] == "port"
    terminal.run("hosts", "maintenance", "off", "a", "b")
    assert "maintenance" not in terminal.inventory.read_text() and "watched" in terminal.out
    for argv in (["on", "a", "--for", "1s"], ["on", "a", "--for", "soon"], ["off", "a", "--for", "2h"]):
        terminal.run("hosts", "maintenance", *argv, expect=2)
    terminal.run("hosts", "maintenance", "on", "nobody", expect=1)


@pytest.mark.parametrize("how", ["folder", "latin-1", "10 MB", "twice", "unknown"])
def test_an_inventory_that_cannot_be_used_is_one_line(terminal: Terminal, how: str) -> None:
    terminal.inventory.parent.mkdir(parents=True)
    if how == "folder":
        terminal.inventory.mkdir()
    else:
        raw = {
            "latin-1": b"# \xe4\n",
            "10 MB": b"#" * (10 << 20),
            "twice": b'[[hosts]]\nname = "a"\n[[hosts]]\nname = "a"\n',
            "unknown": b'[[hosts]]\nname = "a"\nusre = "x"\n',
        }[how]
        terminal.inventory.write_bytes(raw)
    words = {"folder": "directory", "latin-1": "line 1", "10 MB": "4 MiB", "twice": "line 4", "unknown": "mean user"}
    for argv in (["list"], ["add", "b"], ["set", "a", "port=3"], ["export"], ["maintenance", "on", "a"]):
        terminal.run("hosts", *argv, expect=2)
        assert terminal.err.startswith("jumpwatch: ") and terminal.err.count("\n") == 1 and words[how] in terminal.err


def test_the_forms_that_the_parser_offers_are_those_that_there_are() -> None:
    from core.inventory.export import EXPORTS
    from core.inventory.formats import FORMATS

    assert cli.IMPORTS == FORMATS and tuple(EXPORTS) == cli.EXPORTS
