"""Locks, socket folders and the checks of a data folder that both servers share."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from core.exceptions import ConfigurationError

MIN_FREE_BYTES = 512 * 1024 * 1024
PORT = 5432
_SOCKET_NAME = f".s.PGSQL.{PORT}"
_SOCKET_PATH_LIMIT = 103  # 107 on Linux, 103 on macOS
# 9p is left out: containers and WSL put whole local systems on it.
_NETWORK_FILESYSTEMS = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "glusterfs", "gpfs", "beegfs", "orangefs"]
    + [f"fuse.{name}" for name in ("sshfs", "glusterfs", "s3fs", "rclone", "cephfs")]
)
_POLL_SECONDS = 0.05


class FileLock:
    """One flock on one file; it is let go when closed, or when the last process that inherited it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take or change the lock if that is possible at once."""
        try:
            fcntl.flock(self.fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def lock(self, *, exclusive: bool, seconds: float) -> bool:
        """Take the lock, waiting so long at most."""
        end = time.monotonic() + seconds
        while not self.try_lock(exclusive=exclusive):
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def close(self) -> None:
        """Close this process's hold on the lock; twice does no harm."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def fits_socket(folder: Path) -> bool:
    """Tell whether the path of a socket in this folder is short enough for the system."""
    return len(os.fsencode(socket_path(folder))) <= _SOCKET_PATH_LIMIT


def make_socket_folder() -> Path:
    """Make a private folder whose path leaves room for the socket's name."""
    runtime = Path(f"/run/user/{os.geteuid()}")
    for parent in (runtime, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp makes it private
        if not fits_socket(parent / "jumpwatch-12345678") or not os.access(parent, os.W_OK | os.X_OK):
            continue
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="jumpwatch-", dir=parent))
    raise ConfigurationError(
        "No folder for the database's socket: neither the runtime folder nor the temporary folder can be written. "
        "Set TMPDIR to a writable folder with a short path, or set JUMPWATCH_DATABASE_URL.",
        operation="socket_folder",
    )


def socket_path(folder: Path) -> Path:
    """Name the socket file as PostgreSQL's clients expect it."""
    return folder / _SOCKET_NAME


def remove_socket_folder(folder: Path) -> None:
    """Remove a folder made by make_socket_folder, with the socket left in it."""
    if folder.name.startswith("jumpwatch-"):
        shutil.rmtree(folder, ignore_errors=True)


def network_filesystem(path: Path) -> str | None:
    """Name the network file system that holds the path, if one does and the system tells."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    real = path.resolve()
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if (real == point or point in real.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]  # a later mount hides an earlier one at the same point
    return kind if kind in _NETWORK_FILESYSTEMS else None


def prepare_data_folder(folder: Path, owner: int) -> None:
    """Make the folder (0700) or refuse it: network file system, another owner, no room. Blocks: call it in a thread."""
    way_out = "Choose a local folder for the data, or set JUMPWATCH_DATABASE_URL to a server of your own."
    kind = network_filesystem(folder)
    if kind is not None:
        raise ConfigurationError(
            f"The data folder {folder} lies on a network file system ({kind}), where a database can be damaged. "
            f"{way_out}",
            operation="prepare_data_folder",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
        free = shutil.disk_usage(folder).free
        if owner != 0 and info.st_uid == os.geteuid() and info.st_mode & 0o077:  # root's has the account's folder in it
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be made or read: {error.strerror}. {way_out}",
            operation="prepare_data_folder",
        ) from error
    if info.st_uid not in (owner, os.geteuid()):
        raise ConfigurationError(
            f"The data folder {folder} belongs to another user (uid {info.st_uid}). {way_out}",
            operation="prepare_data_folder",
        )
    if free < MIN_FREE_BYTES:
        raise ConfigurationError(
            f"Only {free // 2**20} MB are free where the data folder {folder} lies; {MIN_FREE_BYTES // 2**20} MB are "
            f"needed. Free some space. {way_out}",
            operation="prepare_data_folder",
        )


def check_version(cluster: Path, major: int, way_out: str) -> None:
    """Refuse a cluster that another major version of PostgreSQL made."""
    try:
        found = (cluster / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The database in {cluster} cannot be read: {error}. {way_out}") from error
    if found != str(major):
        raise ConfigurationError(
            f"The database in {cluster} was made by PostgreSQL {found}, and this is PostgreSQL {major}. {way_out}",
            operation="check_version",
        )


def tail_of(path: Path, lines: int = 3) -> str:
    """Give the last lines of a log, for an error message."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 4096))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " / ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())
