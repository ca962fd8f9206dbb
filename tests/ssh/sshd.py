"""A real OpenSSH server on loopback for one test: own host keys, own login key, nothing left behind."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.models import Host
from tests.parts import need

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need_sshd() -> None:
    """Skip where sshd cannot be run: it must be there, and as root it wants its empty folder."""
    need("sshd", Path(SSHD).exists() and shutil.which("ssh-keygen") is not None, "install openssh-server")
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


class RealSshd:
    """Runs sshd in the foreground under us; each accepted connection is a child of it."""

    def __init__(
        self,
        folder: Path,
        *,
        config: Sequence[str] = (),
        key_types: Sequence[str] = ("ed25519",),
        address: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.address = address
        self.port = free_port()
        self.user = getpass.getuser()
        self.login_key = folder / "login"
        self.known_hosts = folder / "known_hosts"
        self.authorized_keys = folder / "authorized_keys"
        self._config, self.key_types = tuple(config), tuple(key_types)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for kind in key_types:
            make_key(self.host_key(kind), kind)
        make_key(self.login_key, "ed25519")
        self.authorize()

    def host_key(self, kind: str = "ed25519") -> Path:
        """The host's private key of a type."""
        return self.folder / f"host_{kind}"

    def public_key(self, kind: str = "ed25519") -> str:
        """The host's public key, type and data."""
        return " ".join(self.host_key(kind).with_suffix(".pub").read_text().split()[:2])

    def authorize(self, options: str = "") -> None:
        """Let the login key in, with authorized_keys options before it."""
        key = self.login_key.with_suffix(".pub").read_text()
        self.authorized_keys.write_text(f"{options} {key}" if options else key)
        self.authorized_keys.chmod(0o600)

    def trust(self, kind: str = "ed25519") -> None:
        """Write the host's key into known_hosts."""
        self.known_hosts.write_text(f"[{self.address}]:{self.port} {self.public_key(kind)}\n")

    def host(self, name: str = "real", **changes: object) -> Host:
        """An inventory line for this server; simulated, so that the user's own ssh_config stays out."""
        fields: dict[str, object] = {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "identity_files": (str(self.login_key),),
            "known_hosts": str(self.known_hosts),
            "simulated": True,
        }
        return Host(name=name, **{**fields, **changes})  # type: ignore[arg-type]

    def start(self) -> RealSshd:
        """Start and wait until it listens."""
        path = self.folder / "sshd_config"
        lines = [
            # sshd takes the first value it reads: what a test asks for comes first
            *self._config,
            f"Port {self.port}",
            f"ListenAddress {self.address}",
            *(f"HostKey {self.host_key(kind)}" for kind in self.key_types),
            f"PidFile {self.folder / 'sshd.pid'}",
            f"AuthorizedKeysFile {self.authorized_keys}",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "PermitRootLogin yes",
            "MaxStartups 200",
            "PrintMotd no",
            "LogLevel ERROR",
        ]
        path.write_text("\n".join(lines) + "\n")
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 0.5):
                return self
            time.sleep(0.02)
        raise RuntimeError(f"sshd did not start: {(self.folder / 'sshd.log').read_text()}")

    def drop_connections(self) -> None:
        """End every connection without a word to the client, as a crash does; the listener stays."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def children(self) -> list[int]:
        """The processes under this server, of all generations."""
        return descendants(self._process.pid) if self._process is not None else []

    def stop(self) -> None:
        """Stop the listener and all its connections."""
        if self._process is None:
            return
        below = self.children()
        self._process.terminate()
        self._process.wait(10)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process = None


def make_key(path: Path, kind: str) -> None:
    """Make a key pair without a passphrase."""
    size = ["-b", "2048"] if kind == "rsa" else []
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def descendants(pid: int) -> list[int]:
    """Every process whose ancestor is pid, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found: list[int] = []
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found.extend(sorted(wanted))
    return found


def processes_with(word: str) -> dict[int, str]:
    """Processes that have a word (such as a nonce) in their command line, without ourselves."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if word in line:
                    found[int(entry.name)] = line
    return found


@contextlib.contextmanager
def running(folder: Path, **options: object) -> Iterator[RealSshd]:
    """A started server whose key is known already; stopped at the end."""
    need_sshd()
    server = RealSshd(folder, **options)  # type: ignore[arg-type]
    server.trust(server.key_types[0])
    server.start()
    try:
        yield server
    finally:
        server.stop()
