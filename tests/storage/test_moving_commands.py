"""jumpwatch db migrate-to, backup, restore and roles, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.config import DatabaseSettings
from core.storage.engine import Database
from core.storage.setup import initialise
from tests.parts import need
from tests.storage import plain_server
from tests.storage.databases import ROOT, retention
from tests.storage.plain_server import PASSWORD, PlainServer
from tests.storage.test_transfer import fill

NAMES = ("source", "copied", "restored")


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    for name in NAMES:
        server.sql(f"CREATE DATABASE {name} OWNER owner")
    yield server
    server.stop()


def jumpwatch(
    server: PlainServer, home: Path, database: str, *words: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUMPWATCH_")}
    env |= {"JUMPWATCH_DATABASE_URL": server.url(name=database), "HOME": str(home), "JUMPWATCH_LOGGING_LEVEL": "error"}
    env |= {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    done = subprocess.run(
        [sys.executable, "-m", "console", "db", *words],
        cwd=ROOT, env=env, input=stdin, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert PASSWORD not in done.stdout + done.stderr and "Traceback" not in done.stderr
    return done


async def test_the_commands(server: PlainServer, tmp_path: Path) -> None:
    source = Database(DatabaseSettings(url=SecretStr(server.url(name="source"))), retention())
    await source.open()
    await initialise(source)
    await fill(source, days=8)
    await source.close()

    copied = jumpwatch(server, tmp_path, "source", "migrate-to", "-", stdin=server.url(name="copied") + "\n")
    assert copied.returncode == 0, copied.stderr
    lines = {line.split()[0]: line.split()[1:4] for line in copied.stdout.splitlines()}
    assert lines["TABLE"] == ["SOURCE", "TARGET", "EQUAL"] and lines["hosts"] == ["2", "2", "yes"]
    assert "rolling up host_samples_1h" in copied.stderr
    itself = jumpwatch(server, tmp_path, "source", "migrate-to", "-", stdin=server.url(name="source"))
    assert itself.returncode == 1 and "the source itself" in itself.stderr and not itself.stdout
    for stdin, why in (("", "stdin holds no URL"), ("mysql://x\n", "must begin with postgresql://")):
        wrong = jumpwatch(server, tmp_path, "source", "migrate-to", "-", stdin=stdin)
        assert wrong.returncode == 2 and why in wrong.stderr

    file = tmp_path / "all.zip"
    written = jumpwatch(server, tmp_path, "source", "backup", str(file), "--json")
    assert written.returncode == 0 and file.exists(), written.stderr
    rows = {table["name"]: table["rows"] for table in json.loads(written.stdout)["tables"]}
    again = jumpwatch(server, tmp_path, "source", "backup", str(file))
    assert again.returncode == 1 and "is there already" in again.stderr
    back = jumpwatch(server, tmp_path, "restored", "restore", str(file), "--json")
    assert back.returncode == 0, back.stderr
    told = {table["table"]: table for table in json.loads(back.stdout)["tables"]}
    assert all(told[name]["source"] == count and not told[name]["lacking"] for name, count in rows.items())
    full = jumpwatch(server, tmp_path, "restored", "restore", str(file))
    assert (full.returncode == 1 and "not empty" in full.stderr) or "already" in full.stderr

    roles = jumpwatch(server, tmp_path, "source", "roles", "--prefix", "watch")
    assert roles.returncode == 0 and "GRANT SELECT ON TABLE" in roles.stdout and "nothing was changed" in roles.stderr
    server.sql(roles.stdout, "source")
    server.sql("CREATE ROLE eve LOGIN PASSWORD 'e'; GRANT watch_reader TO eve")
