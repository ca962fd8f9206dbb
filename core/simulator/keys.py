"""The run's own folder: a client key, host keys and known_hosts that live as long as the simulator."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import asyncssh

from core.exceptions import ConfigurationError

_PREFIX = "run-"
_LOCK = "lock"


class RunFolder:
    """A 0700 folder of one run below the state folder; folders that dead runs left behind are swept away."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self.client_key = path / "client_key"
        self.known_hosts = path / "known_hosts"

    @classmethod
    def create(cls, state_dir: Path) -> RunFolder:
        """Make the folder; ConfigurationError where the state folder cannot be written or is another user's."""
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if state_dir.stat().st_uid != os.geteuid():
                raise ConfigurationError(
                    f"The simulator's state folder {state_dir} belongs to another user: name one of your own"
                )
            guard = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)  # nobody sweeps between mkdtemp and the lock below
                _sweep(state_dir)
                path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=state_dir))
                lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX)
            finally:
                os.close(guard)
        except OSError as error:
            raise ConfigurationError(
                f"The simulator cannot use its state folder {state_dir}: {error.strerror}"
            ) from error
        return cls(path, lock)

    def write_client_key(self) -> asyncssh.SSHKey:
        """Make this run's client key, write its private half (0600) and return it."""
        key = asyncssh.generate_private_key("ssh-ed25519", comment="simulator")
        self._write(self.client_key, key.export_private_key())
        return key

    def write_known_hosts(self, entries: Iterable[tuple[str, int, asyncssh.SSHKey]]) -> None:
        """Write (address, port, host key) as the client's known_hosts."""
        lines = [
            f"[{address}]:{port} ".encode() + key.export_public_key("openssh").strip() + b"\n"
            for address, port, key in entries
        ]
        self._write(self.known_hosts, b"".join(lines))

    def remove(self) -> None:
        """Take the folder away; nothing in it is of use after the run."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)


def _sweep(state_dir: Path) -> None:
    """Remove the folders of runs that hold their lock no longer."""
    for path in state_dir.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
