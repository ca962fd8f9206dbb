"""PostgreSQL from the wheel's binaries, shared by the consoles of one user, on a Unix socket only."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import time
from pathlib import Path

import asyncpg

from core.children import end_process
from core.exceptions import ConfigurationError, DatabaseConnectionError
from core.storage.servers.account import POSTGRES_MAJOR, Home, find_home
from core.storage.servers.base import Progress, ServerAddress
from core.storage.servers.files import PORT, FileLock, check_version, fits_socket, make_socket_folder, tail_of
from core.storage.servers.postmaster import PidFile, running_pid

_NAME = "jumpwatch"
_INITDB_SECONDS = 120.0
_START_SECONDS = 60.0
_STOP_SECONDS = 12.0  # the guard needs 11 s at the very worst
_POLL_SECONDS = 0.02
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "48MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "40",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "1",
    "autovacuum_max_workers": "2",
    "io_method": "sync",  # else three more processes wait for work
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


class EmbeddedServer:
    """One console's share in the server of a data folder; the last to let go stops it."""

    def __init__(self, data_dir: Path, *, throw_away: bool = False) -> None:
        """With ``throw_away`` the data goes when the server has stopped, even after a kill of this process."""
        self._data_dir = data_dir.absolute()
        self._throw_away = throw_away
        self._home: Home | None = None
        self._users: FileLock | None = None

    @property
    def folder(self) -> Path:
        """Where its data really is, once started: as root not where it was asked for."""
        return self._home.folder if self._home else self._data_dir

    async def start(self, progress: Progress) -> ServerAddress:
        """Join the server that runs, or start one, creating the database at first use."""
        home = self._home = await asyncio.to_thread(find_home, self._data_dir)
        check_version(
            home.cluster,
            POSTGRES_MAJOR,
            f"Dump it with that version and load it into a new data folder, or move {home.cluster} away to begin anew.",
        )
        starting = FileLock(home.folder / "start.lock")
        try:
            if not starting.try_lock(exclusive=True):
                progress("Waiting for another console that starts the database")
                if not await starting.lock(exclusive=True, seconds=_INITDB_SECONDS + _START_SECONDS):
                    raise DatabaseConnectionError(
                        f"Another console has held {starting.path} for too long.", operation="start_embedded"
                    )
            await self._share(home)
            return await self._join_or_start(home, starting, progress)
        except OSError as error:
            starting.close()
            await self.stop()
            raise _failure(home, str(error)) from error
        except BaseException:
            starting.close()
            await self.stop()  # the guard ends what was begun
            raise
        finally:
            starting.close()

    async def stop(self) -> None:
        """Let go; if nobody else uses the server, wait until it has stopped."""
        home, users, self._users = self._home, self._users, None
        if home is None or users is None:
            return
        try:
            # A guard that was quicker holds it alone: then not even a share is to be had, and we were the last as well.
            last = users.try_lock(exclusive=True) or not users.try_lock(exclusive=False)
        finally:
            users.close()  # the guard takes it from here
        if not last:
            return
        for _ in range(2):
            try:
                guard = FileLock(home.folder / "guard.lock")
            except FileNotFoundError:  # thrown away already
                return
            try:
                if not await guard.lock(exclusive=True, seconds=_STOP_SECONDS):
                    return
                orphan = await asyncio.to_thread(running_pid, home.cluster)
                if orphan is None:
                    return
                await self._spawn_guard(home, guard, home.folder / "run", orphan)  # its own guard was killed
            finally:
                guard.close()

    async def _share(self, home: Home) -> None:
        if self._users is None:
            self._users = FileLock(home.folder / "users.lock")
        if not await self._users.lock(exclusive=False, seconds=_STOP_SECONDS):
            raise DatabaseConnectionError(
                f"The database in {home.folder} has been stopping for too long; see {_log(home)}.",
                operation="start_embedded",
            )

    async def _join_or_start(self, home: Home, starting: FileLock, progress: Progress) -> ServerAddress:
        guard = FileLock(home.folder / "guard.lock")
        try:
            if guard.try_lock(exclusive=True):
                adopt = await asyncio.to_thread(running_pid, home.cluster)
                socket_dir = home.folder / "run"
                if adopt is None:
                    if not home.cluster.exists():
                        await self._create(home, starting, progress)
                    # A stale one would stop the server if its pid is some other program's by now.
                    (home.cluster / "postmaster.pid").unlink(missing_ok=True)
                    progress("Starting the embedded PostgreSQL")
                    if fits_socket(socket_dir):
                        home.hand_over(socket_dir)
                    else:
                        socket_dir = make_socket_folder()
                await self._spawn_guard(home, guard, socket_dir, adopt)
            else:
                progress("Joining the embedded PostgreSQL that is running")
        finally:
            guard.close()  # the guard holds it from here on, as long as it lives
        socket = await self._until_ready(home)
        await self._ensure_database(home, socket)
        return ServerAddress(socket, PORT, user=_NAME, database=_NAME, single_session=False, kind="embedded")

    async def _create(self, home: Home, starting: FileLock, progress: Progress) -> None:
        progress("Creating the embedded database (first use)")
        draft = home.folder / "pgdata.new"  # renamed when whole: a start cut short leaves nothing half made
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        home.hand_over(draft)
        process = await asyncio.create_subprocess_exec(
            *(home.binaries / "initdb", "-D", draft, "-U", _NAME, "-A", "trust", "-E", "UTF8", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            cwd=home.folder,
            env=_ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(starting.fd,),  # should this console be killed, nobody begins again before initdb has ended
            umask=0o077,
            start_new_session=True,
            **home.switch(),
        )
        try:
            async with asyncio.timeout(_INITDB_SECONDS):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise ConfigurationError(
                f"Creating the database in {home.folder} took more than {_INITDB_SECONDS:.0f} s.", operation="initdb"
            ) from error
        finally:
            await end_process(process, [(signal.SIGTERM, 2.0)])
        if process.returncode != 0:
            why = " / ".join(said.decode("utf-8", "replace").strip().splitlines()[-3:])
            raise ConfigurationError(
                f"The database in {home.folder} cannot be created: {why}. "
                "Set JUMPWATCH_DATABASE_URL to use a server of your own.",
                operation="initdb",
            )
        draft.rename(home.cluster)

    async def _spawn_guard(self, home: Home, lock: FileLock, socket_dir: Path, adopt: int | None = None) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": str(socket_dir)}
        spec = {
            "argv": [str(home.binaries / "postgres"), "-D", str(home.cluster)]
            + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
            "cluster": str(home.cluster),
            "environment": _ENVIRONMENT,
            "log": str(_log(home)),
            "users": str(home.folder / "users.lock"),
            "uid": home.account.pw_uid if home.account else None,
            "gid": home.account.pw_gid if home.account else None,
            "adopt": adopt,
            "remove": [str(socket_dir)] * (socket_dir.parent != home.folder) + [str(home.folder)] * self._throw_away,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", Path(__file__).with_name("guard.py"), json.dumps(spec)),
            cwd="/",
            env=_ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(lock.fd,),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(10):
                code = await process.wait()  # it forks and ends; the guard itself is nobody's child
        except TimeoutError as error:
            raise _failure(home, "its guard process did not start") from error
        finally:
            await end_process(process, [(signal.SIGTERM, 1.0)])
        if code != 0:
            raise _failure(home, "its guard process failed")

    async def _until_ready(self, home: Home) -> str:
        """Wait until the server accepts sessions; answer the folder of its socket."""
        end = time.monotonic() + _START_SECONDS
        guard = FileLock(home.folder / "guard.lock")
        try:
            while time.monotonic() < end:
                state = PidFile.read(home.cluster)
                if state is not None and state.ready:
                    return state.socket_dir if home.account is None else str(home.folder / "run")
                if guard.try_lock(exclusive=True):
                    raise _failure(home, tail_of(_log(home)) or "it ended at once")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            guard.close()
        raise _failure(home, f"it was not ready after {_START_SECONDS:.0f} s")

    async def _ensure_database(self, home: Home, socket_dir: str) -> None:
        for database in (_NAME, "postgres", _NAME):
            try:
                connection = await asyncpg.connect(
                    host=socket_dir, port=PORT, user=_NAME, database=database, ssl=False, timeout=15, command_timeout=30
                )
            except asyncpg.InvalidCatalogNameError:
                continue
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                raise _failure(home, f"it does not take a session ({error})") from error
            try:
                if database == _NAME:
                    return
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f"CREATE DATABASE {_NAME}")
            finally:
                await connection.close(timeout=5)
        raise _failure(home, f"the database {_NAME} cannot be created")


def _log(home: Home) -> Path:
    return home.folder / "server.log"


def _failure(home: Home, why: str) -> DatabaseConnectionError:
    return DatabaseConnectionError(
        f"The embedded PostgreSQL did not start: {why}. Its log is {_log(home)}; "
        "JUMPWATCH_DATABASE_URL chooses another server.",
        operation="start_embedded",
    )
