"""jumpwatch db: upkeep as commands, in one process on a running server; plans, refusals, exit codes, JSON."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console import cli
from core.storage.servers import ServerAddress
from tests.parts import kept_logging
from tests.storage.databases import address_of, apart, create_database, drop_database

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def jumpwatch(
    embedded_server: ServerAddress,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    """Run `jumpwatch db ...` and return exit code, stdout, stderr."""
    name = f"jw_commands_{secrets.token_hex(6)}"
    apart(lambda: create_database(name, **address_of(embedded_server)))
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    for key, value in (
        ("HOST", str(embedded_server.socket_dir)),
        ("PORT", str(embedded_server.port)),
        ("USER", embedded_server.user),
        ("NAME", name),
    ):
        monkeypatch.setenv(f"JUMPWATCH_DATABASE_{key}", value)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["db", *words])
        out, err = capsys.readouterr()
        return code, out, err

    with kept_logging():
        yield run
    apart(lambda: drop_database(name, **address_of(embedded_server)))


def test_each_command_plans_refuses_and_acts(jumpwatch: Command) -> None:
    def data(*words: str) -> Any:
        code, out, err = jumpwatch(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def said(expect: int, *words: str) -> str:
        code, out, err = jumpwatch(*words)
        assert code == expect, (words, out, err)
        return out + err

    data("init")
    policy = ("policy", "raw-retention", "20 days")
    text = said(0, *policy)
    assert "30 days -> 20 days" in text and "--apply --confirm raw_retention" in text
    assert "not confirmed" in said(1, *policy, "--apply", "--confirm", "yes")
    said(2, *policy, "--apply")
    assert data(*policy, "--apply", "--confirm", "raw_retention")["outcome"]["ok"]
    kept = {table["name"]: table["drop_after_s"] for table in data("status")["hypertables"]}
    assert kept["host_samples"] == 20 * 86_400  # another program holds to it
    assert "JUMPWATCH_RETENTION" in said(2, "policy", "raw-retention", "1 day")
    chunk = data("chunks", "--table", "host_samples")[0]["name"]
    for words in (("reorder", chunk), ("recompress", chunk), ("policy", "compress-after", "5 days")):
        assert "needs TimescaleDB" in said(1, *words)
    assert "no switch" in said(1, "pause", "2") and "no switch" in said(1, "resume", "2")
    assert "still being written" in said(1, "drop-chunk", chunk)
    assert "nothing to do" in said(0, "clean-indexes") and "nothing to do" in said(0, "fix", "2")
    assert "nothing to do" in said(0, "refresh", "host_samples_1h", "--from", "2020-01-01T00:00:00Z",
                                   "--to", "2020-01-02T00:00:00Z")  # fmt: skip
    assert data("vacuum", "findings", "--apply", "--confirm", "findings")["outcome"]["audit_id"]
    assert data("reindex", "findings", "--apply", "--confirm", "findings")["outcome"]["ok"]
    assert {"findings", "host_samples"} <= {table["name"] for table in data("sizes")}
    assert "findings" in said(0, "sizes") and "STATEMENT" in said(0, "activity")
    assert data("activity")["sees_all"]
    assert "no session 1 " in said(1, "terminate", "1") and "no session 1 " in said(1, "cancel", "1")


def test_maintenance_by_command_is_audited_and_needs_no_database(
    jumpwatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hosts(*words: str) -> tuple[int, str, str]:
        code = cli.main(["hosts", *words])
        out, err = capsys.readouterr()
        return code, out, err

    def audit() -> list[Any]:
        assert cli.main(["audit", "--json"]) == 0
        return list(json.loads(capsys.readouterr()[0]))

    assert hosts("add", "a", "b", "c")[0] == 0 and jumpwatch("init")[0] == 0
    code, out, err = hosts("maintenance", "on", "a", "b", "--for", "2h", "--json")
    assert code == 0 and not err and [each["maintenance"] for each in json.loads(out)] == [True, True]
    (row,) = audit()
    assert (row["action"], row["ok"], row["plan"]["targets"]) == ("maintenance.on", True, ["a", "b"])
    assert row["summary"] == "2 of 2 done" and row["actor"]
    code, out, err = hosts("maintenance", "off", "c")
    assert code == 0 and "no audit row was written: none of these hosts is in maintenance" in err
    assert hosts("maintenance", "on", "nobody")[0] != 0 and len(audit()) == 1

    for where, word in (({"HOST": str(tmp_path / "gone")}, "no audit row"), ({"NAME": "jw_missing"}, "no audit row")):
        with monkeypatch.context() as away:
            for key, value in where.items():
                away.setenv(f"JUMPWATCH_DATABASE_{key}", value)
            began = time.monotonic()
            code, out, err = hosts("maintenance", "off", "a")
            assert code == 0 and word in err and "watched" in out and time.monotonic() - began < 10
        assert hosts("maintenance", "on", "a")[0] == 0
    with silent_server() as port, monkeypatch.context() as away:
        away.setenv("JUMPWATCH_DATABASE_HOST", "127.0.0.1")
        away.setenv("JUMPWATCH_DATABASE_PORT", str(port))
        away.setenv("JUMPWATCH_DATABASE_CONNECT_TIMEOUT_S", "60")
        code, out, err = hosts("maintenance", "off", "a")
        assert code == 0 and "did not answer within 5 s" in err and "watched" in out


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_maintenance_without_any_database_makes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    with kept_logging():
        assert cli.main(["hosts", "add", "a"]) == 0 and cli.main(["hosts", "maintenance", "on", "a"]) == 0
    assert "no database has been set up yet" in capsys.readouterr()[1]
    assert not list((tmp_path / "DATA").rglob("pgdata"))
