"""jumpwatch db: upkeep as commands, in one process on a running server; plans, refusals, exit codes, JSON."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console import cli
from core.storage.servers import ServerAddress
from tests.parts import kept_logging
from tests.storage.conftest import address_of, apart, create_database, drop_database

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
