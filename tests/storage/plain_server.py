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
    process: subprocess.Popen[bytes]

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

    def _run(self, program: str, *words: object) -> None:
        path = (binaries() or Path()) / program
        subprocess.run([path, *map(str, words)], check=True, cwd="/", **_user())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start() -> PlainServer:
    bin_ = binaries()
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
    options = {
        "port": port,
        "listen_addresses": "localhost",
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
        "fsync": "off",
        "max_connections": 30,
    }
    words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    process = subprocess.Popen(
        [bin_ / "postgres", "-D", folder / "data", *words],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )  # fmt: skip
    server = PlainServer(folder, port, process)
    for _ in range(200):
        if subprocess.run([bin_ / "pg_isready", "-q", "-h", folder, "-p", str(port)], check=False).returncode == 0:
            break
        time.sleep(0.05)
    else:
        server.stop()
        raise RuntimeError("PostgreSQL did not start")
    server.sql(f"CREATE ROLE owner LOGIN PASSWORD '{PASSWORD}'")
    server.sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    server.sql("CREATE DATABASE plain OWNER owner TEMPLATE template0")
    server.sql("ALTER SCHEMA public OWNER TO owner", "plain")
    return server
