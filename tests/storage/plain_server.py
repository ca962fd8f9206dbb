"""A PostgreSQL without TimescaleDB, over TCP with passwords and TLS, for the tests of connections and errors."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "p@ss:w/rd 1"


def binaries() -> Path | None:
    """The folder of PostgreSQL's server programs, the newest of 15 and later; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    fitting = [path.parent for path in found if int(path.parts[4]) >= 15]
    return fitting[-1] if fitting else None


def with_timescaledb() -> Path | None:
    """The same of a PostgreSQL that has TimescaleDB's files; JUMPWATCH_TEST_NATIVE_BIN names it, if it stands apart."""
    named = os.environ.get("JUMPWATCH_TEST_NATIVE_BIN")
    found = Path(named) if named else binaries()
    if found is None or not (found / "pg_config").exists():
        return None
    shared = subprocess.run([found / "pg_config", "--sharedir"], check=True, capture_output=True, text=True).stdout
    return found if (Path(shared.strip()) / "extension" / "timescaledb.control").exists() else None


def missing() -> str:
    if binaries() is None:
        return "no PostgreSQL 15 or newer in /usr/lib/postgresql"
    return "" if shutil.which("openssl") else "no openssl"


def _user() -> dict[str, Any]:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": ()}


@dataclass
class PlainServer:
    folder: Path
    port: int
    bin: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    def url(
        self, *, host: str = "127.0.0.1", user: str = "owner", password: str = PASSWORD, name: str = "plain"
    ) -> str:
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@{host}:{self.port}/{name}"

    def sql(self, statement: str, name: str = "postgres") -> None:
        """Run statements as the superuser, over the socket."""
        where = ("-h", self.folder, "-p", self.port, "-U", "boss", "-d", name)
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, "-c", statement)

    def answer(self, question: str) -> str:
        """Return one figure, asked as the superuser."""
        command = [self.bin / "psql", "-XAtq", "-h", self.folder, "-p", str(self.port), "-U", "boss"]
        asked = [*map(str, command), "-d", "postgres", "-c", question]
        return subprocess.run(asked, check=True, cwd="/", capture_output=True, text=True, **_user()).stdout.strip()

    def configure(self, **settings: object) -> None:
        """Change the server's settings, for those that come from now on; the ones it was started with stay."""
        self.sql("ALTER SYSTEM RESET ALL")
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        before = self.answer("SELECT pg_conf_load_time()")
        self.sql("SELECT pg_reload_conf()")
        while self.answer("SELECT pg_conf_load_time()") == before:
            time.sleep(0.01)

    def _run(self, program: str, *words: object) -> None:
        subprocess.run([self.bin / program, *map(str, words)], check=True, cwd="/", **_user())

    def run(self, *, wait: bool = True, **options: object) -> None:
        """Start the server program; ``wait`` until it takes connections, ``options`` are its settings."""
        settings = {
            "port": self.port,
            "listen_addresses": "localhost",
            "unix_socket_directories": self.folder,
            "ssl": "on",
            "ssl_cert_file": self.folder / "server.crt",
            "ssl_key_file": self.folder / "server.key",
            "fsync": "off",
            "max_connections": 30,
            **options,
        }
        words = [w for key, value in settings.items() if value is not None for w in ("-c", f"{key}={value}")]
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.folder / "data", *words],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_user(),
        )  # fmt: skip
        ready = [self.bin / "pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port)]
        for _ in range(200):
            code = subprocess.run(ready, check=False).returncode
            if code == 0 or (code == 1 and not wait):  # 1: it answers, and refuses
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("PostgreSQL did not start")

    def halt(self) -> None:
        """Stop the server program; its data stay."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def standby(self, on: bool) -> None:
        """Let the next start be that of a standby, or of a primary again."""
        mark = self.folder / "data" / "standby.signal"
        if not on:
            mark.unlink(missing_ok=True)
            return
        mark.touch()
        who = _user()
        if who:
            shutil.chown(mark, who["user"], who["group"])

    def give(self, name: str, content: bytes, mode: int = 0o600) -> Path:
        """Write a file that the server may read, such as its certificate."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        who = _user()
        if who:
            shutil.chown(path, who["user"], who["group"])
        return path


def start(bin_: Path | None = None, **options: object) -> PlainServer:
    """Make a server in a folder of its own and start it; ``options`` are its settings for this first start."""
    bin_ = bin_ or binaries()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="jw-plain-"))
    who = _user()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    run = {"check": True, "cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **who}
    subprocess.run(
        [bin_ / "initdb", "-D", folder / "data", "-U", "boss", "--auth-local=trust", "--auth-host=scram-sha-256", "-N",
         "-E", "UTF8", "--locale=C"],
        **run,
    )  # fmt: skip
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "server.key", "-out", folder / "server.crt"],
        **run,
    )  # fmt: skip
    if who:
        folder.chmod(0o755)  # the tests read the certificate, the key stays its owner's
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = PlainServer(folder, port, bin_)
    server.run(**options)
    server.sql(f"CREATE ROLE owner LOGIN PASSWORD '{PASSWORD}'")
    server.sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    server.sql("CREATE DATABASE plain OWNER owner TEMPLATE template0")
    server.sql("ALTER SCHEMA public OWNER TO owner", "plain")
    return server
