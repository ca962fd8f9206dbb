"""The command line as its users meet it: in a process of its own, with real files, a real sshd and a real database."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from console import cli
from core.exceptions import ConfigurationError
from tests.parts import need
from tests.ssh.sshd import RealSshd, running

ROOT = Path(__file__).resolve().parents[1]


class Shell:
    """Runs commands in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }
        self.inventory = home / ".config" / "jumpwatch" / "hosts.toml"

    def run(self, *argv: str, expect: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "console", *argv],
            env=self.env | env, cwd=self.home, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == expect, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def json(self, *argv: str, expect: int = 0, **env: str) -> Any:
        return json.loads(self.run(*argv, "--json", expect=expect, **env).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    return Shell(home)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parsers(parser: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, inner in action.choices.items():
                yield from parsers(inner, (*path, name))


def test_every_command_names_a_function_that_is_there() -> None:
    targets = {parser.get_default("run") for _, parser in parsers(cli.make_parser())} - {None}
    assert len(targets) > 15
    for target in targets:
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function)), target


def test_every_command_has_help_and_takes_the_settings_flags() -> None:
    for path, parser in parsers(cli.make_parser()):
        text = parser.format_help()
        assert "--config" in text and "--database-url" in text, path


def test_help_loads_nothing_heavy(shell: Shell) -> None:
    code = (
        "import sys\nfrom console import cli\ncli.make_parser().format_help()\n"
        "heavy = {'textual', 'rich', 'sqlalchemy', 'asyncssh', 'asyncpg', 'pydantic', 'structlog'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_console_loads_nothing_heavy_before_its_first_paint(shell: Shell) -> None:
    code = (
        "import sys\nfrom console.app import JumpwatchApp\nfrom console.composition.services import LiveServices\n"
        "JumpwatchApp(LiveServices(lambda: None))\n"
        "names = ['hosts', 'database', 'findings', 'operations', 'hostwork', 'upkeep', 'alerts']\n"
        "heavy = {'sqlalchemy', 'asyncssh', 'asyncpg', 'pydantic', 'structlog', 'pygments'}\n"
        "heavy = {*heavy, *('core.models.' + each for each in names)} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_help_version_and_usage(shell: Shell) -> None:
    assert "exit codes: 0 ok" in shell.run("--help").stdout
    assert shell.run("--version").stdout.startswith("jumpwatch ")
    for argv in (["nothing"], ["hosts"], ["hosts", "add"], ["--conf", "x"], ["db", "decompress"]):
        done = shell.run(*argv, expect=2)
        assert done.stdout == "" and "usage:" in done.stderr


@pytest.mark.parametrize("command", [[], ["demo"]])
def test_the_console_needs_a_terminal(shell: Shell, command: list[str]) -> None:
    done = shell.run(*command, expect=2)
    assert done.stdout == "" and "needs a terminal" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_is_refused(shell: Shell, term: str) -> None:
    code, text = on_terminal(shell, [], "", TERM=term)
    assert code == 2 and "dumb" in text


def on_terminal(shell: Shell, argv: list[str], typed: str, **env: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal, type once a prompt shows, and return exit code and all that was shown."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *argv], env=shell.env | env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, end = b"", time.monotonic() + 40
    while time.monotonic() < end:
        if select.select([own], [], [], 0.2)[0]:
            try:
                data = os.read(own, 4096)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            shown += data
            if typed and shown.rstrip().endswith(b"[y/N]"):
                os.write(own, typed.encode())
                typed = ""
        elif process.poll() is not None:
            break
    os.close(own)
    try:
        return process.wait(timeout=10), shown.decode()
    finally:
        process.kill()


def test_hosts_from_nothing_to_a_list_and_back(shell: Shell) -> None:
    assert "no hosts yet" in shell.run("hosts", "list").stderr
    done = shell.run(
        "hosts", "add", "web1", "web2", "--group", "web", "--group", "eu", "--port", "2222", "--user", "me"
    )
    assert done.stdout == "" and "added web1, web2" in done.stderr
    shell.run("hosts", "add", "db", "--address", "10.0.0.5")
    assert [h["name"] for h in shell.json("hosts", "list")] == ["web1", "web2", "db"]
    assert shell.json("hosts", "list", "--group", "eu")[0]["groups"] == ["web", "eu"]
    table = shell.run("hosts", "list").stdout.splitlines()
    assert table[0].split() == ["NAME", "ADDRESS", "PORT", "USER", "GROUPS", "TAGS", "NOTE"] and len(table) == 4
    shell.run("hosts", "remove", "web1")
    assert "web1" not in shell.inventory.read_text()
    assert "already" in shell.run("hosts", "add", "db", expect=1).stderr
    assert "did you mean web2" in shell.run("hosts", "remove", "wbe2", expect=1).stderr
    for bad in (["-x"], ["a b"], ["a", "--port", "0"], ["a", "b", "--address", "c"]):
        shell.run("hosts", "add", *bad, expect=2)


def test_import_reports_and_the_dry_run_changes_nothing(shell: Shell) -> None:
    config = shell.home / ".ssh" / "config"
    config.parent.mkdir(mode=0o700)
    config.write_text("Host a b *.x\nHost github.com\n  User git\n")
    found = shell.json("hosts", "import", "--dry-run")
    assert [one["host"]["name"] for one in found["added"]] == ["a", "b"] and found["dry_run"]
    assert {s["name"] for s in found["skipped"]} == {"*.x", "github.com"} and not shell.inventory.exists()
    done = shell.run("hosts", "import", "--group", "mine")
    assert "ssh_config: 2 hosts added" in done.stderr and "2 entries skipped" in done.stderr
    assert "is a pattern" in done.stdout
    assert "0 hosts added, 0 changed, 2 as they were" in shell.run("hosts", "import").stderr
    assert "cannot be read" in shell.run("hosts", "import", str(shell.home / "none"), expect=2).stderr
    assert "gives only names" not in done.stderr
    (shell.home / "elsewhere").write_text("Host far\n HostName 192.0.2.9\n")
    assert "set JUMPWATCH_SSH_CONFIG_FILE" in shell.run("hosts", "import", str(shell.home / "elsewhere")).stderr


def test_settings_errors_are_one_line(shell: Shell) -> None:
    done = shell.run("hosts", "list", expect=2, JUMPWATCH_POLLING_INTERVAL_S="0.1")
    assert (
        done.stderr == "jumpwatch: JUMPWATCH_POLLING_INTERVAL_S is 0.1 (environment): must be a number from 1 to 3600\n"
    )
    shell.inventory.parent.mkdir(parents=True)
    shell.inventory.write_text('[[hosts]]\nname = "a"\nport = "b"\n')
    assert "line 3" in shell.run("hosts", "list", expect=2).stderr
    assert "nothing reads" in shell.run("config", "path", JUMPWATCH_POLLIN_X="1").stderr


def test_config_show_masks_and_tells_where_from(shell: Shell) -> None:
    shell.inventory.parent.mkdir(parents=True)
    (shell.inventory.parent / "config.toml").write_text("[polling]\ninterval_s = 7\n")
    shown = shell.json("config", "show", "--database-url", "postgresql://me:hunter2@db.example/x",
                       JUMPWATCH_LOGGING_LEVEL="debug")  # fmt: skip
    assert shown["polling.interval_s"]["value"] == 7 and "config.toml" in shown["polling.interval_s"]["source"]
    assert shown["logging.level"] == {"value": "debug", "source": "environment"}
    assert shown["database.host"] == {"value": "db.example", "source": "database.url"}
    assert shown["database.url"] == {"value": "***", "source": "flag"}
    assert shown["monitoring.cpu_warn_pct"]["source"] == "default"
    done = shell.run("config", "show", "--database-url", "postgresql://me:hunter2@db.example/x")
    assert "hunter2" not in done.stdout + done.stderr and "can be seen by other users" in done.stderr
    assert shell.json("config", "path")["inventory"]["path"] == str(shell.inventory)


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    shell.run("hosts", "add", *(f"host{n}" for n in range(500)))
    command = f"{sys.executable} -m console hosts list --json | head -1"
    done = subprocess.run(command, shell=True, env=shell.env, capture_output=True, text=True, timeout=30)
    assert done.stdout == "[\n" and done.stderr == ""


def test_hosts_that_cannot_be_reached(shell: Shell) -> None:
    assert "no hosts in" in shell.run("poll", "--once", expect=2).stderr
    assert "--once" in shell.run("poll", expect=2).stderr
    shell.run("hosts", "add", "shut", "--address", "127.0.0.1", "--port", str(closed_port()))
    done = shell.run("poll", "--once", "--json", expect=3)
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert line["host"] == "shut" and line["state"] == "offline" and line["reason"] == "port"
    (row,) = shell.json("hosts", "check", expect=3)
    assert not row["ok"] and row["reason"] == "port" and row["review"] is None


@pytest.fixture
def sshd(shell: Shell, tmp_path: Path) -> Iterator[RealSshd]:
    with running(tmp_path / "sshd") as server:
        server.known_hosts.unlink(missing_ok=True)  # nobody has met this host yet
        shell.run(
            "hosts", "add", "real", "--address", "127.0.0.1", "--port", str(server.port), "--user", server.user,
            "--identity", str(server.login_key), "--known-hosts", str(server.known_hosts),
        )  # fmt: skip
        yield server


def test_an_unknown_key_is_shown_and_accepted_by_its_fingerprint(shell: Shell, sshd: RealSshd) -> None:
    (row,) = shell.json("hosts", "check", expect=3)
    review = row["review"]
    assert row["reason"] == "key-unknown" and review["fingerprint"].startswith("SHA256:") and not review["changed"]
    done = shell.run("hosts", "check", expect=3)
    assert f"jumpwatch hosts accept real {review['fingerprint']}" in done.stderr
    wrong = "SHA256:" + "A" * 43
    assert "nothing was accepted" in shell.run("hosts", "accept", "real", wrong, expect=3).stderr
    assert not sshd.known_hosts.exists()
    shell.run("hosts", "accept", "real", "md5:00", expect=2)
    done = shell.run("hosts", "check", "--accept", f"real={review['fingerprint']}")
    assert "accepted" in done.stderr and "login works" in done.stdout
    assert sshd.public_key() in sshd.known_hosts.read_text()
    assert shell.json("hosts", "check", "real")[0]["ok"]


def test_one_poll_gives_all_figures(shell: Shell, sshd: RealSshd) -> None:
    sshd.trust()
    shell.run("hosts", "add", "shut", "--address", "127.0.0.1", "--port", str(closed_port()))
    done = shell.run("poll", "--once", "--json")  # one of two is there: no failure
    lines = {one["host"]: one for one in map(json.loads, done.stdout.splitlines())}
    real = lines["real"]
    assert real["state"] in ("online", "degraded") and real["ts"].endswith("+00:00")
    assert 0 <= real["system"]["cpu_pct"] <= 100 and 0 < real["system"]["mem_pct"] < 100
    assert real["system"]["mem_total"] > 1 << 20 and real["filesystems"] and real["sections"]
    assert lines["shut"]["reason"] == "port"
    table = shell.run("poll", "--once", "real").stdout.splitlines()
    assert len(table) == 2 and table[1].startswith("real") and "%" in table[1]


def test_a_changed_key_is_never_accepted(shell: Shell, sshd: RealSshd) -> None:
    other = sshd.login_key.with_suffix(".pub").read_text().split()[:2]
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {' '.join(other)}\n")
    before = sshd.known_hosts.read_text()
    (row,) = shell.json("hosts", "check", expect=3)
    assert row["reason"] == "key-changed" and row["review"]["changed"]
    done = shell.run("hosts", "accept", "real", row["review"]["fingerprint"], expect=3)
    assert "CHANGED" in done.stderr and "ssh-keygen -R" in done.stderr
    assert sshd.known_hosts.read_text() == before


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 3)])
def test_on_a_terminal_the_key_is_asked_about(shell: Shell, sshd: RealSshd, typed: str, code: int) -> None:
    exit_code, shown = on_terminal(shell, ["hosts", "check"], typed)
    assert "Accept this key? [y/N]" in shown and "SHA256:" in shown
    assert exit_code == code and sshd.known_hosts.exists() is (code == 0)


def test_a_database_that_is_not_there(shell: Shell) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{closed_port()}/x"
    done = shell.run("db", "status", expect=3, JUMPWATCH_DATABASE_URL=url)
    assert done.stdout == "" and done.stderr.startswith("jumpwatch: ") and "hunter2" not in done.stderr


def test_a_database_that_never_answers(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/x"
        done = shell.run("db", "status", expect=4, JUMPWATCH_DATABASE_URL=url, JUMPWATCH_DATABASE_CONNECT_TIMEOUT_S="1")
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_130(shell: Shell, how: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x"
        env = shell.env | {"JUMPWATCH_DATABASE_URL": url, "JUMPWATCH_DATABASE_CONNECT_TIMEOUT_S": "60"}
        process = subprocess.Popen(
            [sys.executable, "-m", "console", "db", "status"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background ignores it
        )
        silent.settimeout(20)
        connection, _ = silent.accept()
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
        connection.close()
    assert process.returncode == 130 and out == b"" and err == b"jumpwatch: interrupted\n"


@pytest.fixture
def embedded(shell: Shell) -> Iterator[Shell]:
    from core.storage.servers import account

    data = shell.home / ".local" / "share" / "jumpwatch" / "postgres"
    data.parent.mkdir(parents=True)
    try:
        home = account.find_home(data)
    except ConfigurationError as error:
        need("the embedded PostgreSQL", False, error.message)
        raise
    yield shell
    if home.folder != data:  # as root the data lies in the system's folder
        shutil.rmtree(home.folder, ignore_errors=True)


def test_the_database_from_nothing_to_an_audited_action(embedded: Shell) -> None:
    steps = embedded.json("db", "init")
    assert steps and [s for s in steps if s["state"] not in ("created", "skipped", "changed")] == []
    again = embedded.json("db", "init")
    assert [s for s in again if s["state"] != "skipped" and s["step"] != "partitions"] == []
    status = embedded.json("db", "status")
    assert status["state"] == "connected" and status["capability"]["mode"] == "partitions"
    chunks = embedded.json("db", "chunks", "--table", "host_samples")
    assert chunks and {chunk["hypertable"] for chunk in chunks} == {"host_samples"}

    plan = embedded.run("db", "analyze", "host_samples")
    assert "ANALYZE public.host_samples" in plan.stdout and "--apply --confirm host_samples" in plan.stderr
    refused = embedded.json("db", "retention")["plan"]["refused"]
    assert refused[:13] == "nothing to do", refused
    embedded.run("db", "analyze", "host_samples", "--apply", expect=2)
    assert (
        "not confirmed" in embedded.run("db", "analyze", "host_samples", "--apply", "--confirm", "x", expect=1).stderr
    )
    done = embedded.json("db", "analyze", "host_samples", "--apply", "--confirm", "host_samples")
    assert done["applied"] and done["outcome"]["ok"] and done["outcome"]["audit_id"]

    refused = embedded.run("db", "compress", chunks[0]["name"], expect=1)
    assert "needs TimescaleDB" in refused.stderr
    assert "there is no chunk" in embedded.run("db", "compress", "nothing", expect=1).stderr
    for odd in ([], ["x", "--older"]):
        embedded.run("db", "compress", *odd, expect=2)
