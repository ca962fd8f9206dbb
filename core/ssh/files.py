"""Files to and from a host over SFTP: whole or not at all, never over another one unless that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import asyncssh

from core.exceptions import InfrastructureException, ResourceConflictError, ResourceNotFoundError, SSHCommandError
from core.models import Reason
from core.ports import FileInfo, OnBytes
from core.ssh.error_mapping import closed_error, map_error, printable

_BLOCK = 1 << 20  # asyncssh cuts it into requests that are under way together
_MISSING = frozenset({asyncssh.FX_NO_SUCH_FILE, asyncssh.FX_NO_SUCH_PATH})


class HostFiles:
    """The files of one host, over its connection; every failure is one of ours."""

    def __init__(self, connection: asyncssh.SSHClientConnection, host: str, place: str) -> None:
        self._connection, self._host, self._place = connection, host, place

    async def info(self, path: str) -> FileInfo:
        """Look at a path; what is not there is ``missing``, no error."""
        async with self._client(path) as client:
            return await _info(client, path)

    async def send(self, local: Path, remote: str, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a local file to the host under a name beside its own, then give it its own."""
        async with self._client(remote) as client:
            part = f"{remote}.jumpwatch-{secrets.token_hex(4)}"
            old = await client.stat(remote) if overwrite and (await _info(client, remote)).kind == "file" else None
            source = await asyncio.to_thread(_open_source, local)
            try:
                await _upload(client, source, part, on_bytes)
                if old is not None and old.permissions is not None:
                    await client.chmod(part, stat.S_IMODE(old.permissions))
                if old is not None:
                    await client.posix_rename(part, remote)
                else:
                    await self._take_name(client, part, remote)
            except BaseException:
                with contextlib.suppress(asyncssh.Error, OSError):
                    await client.remove(part)
                raise
            finally:
                await asyncio.to_thread(source.close)

    async def fetch(self, remote: str, local: Path, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a file of the host here under a name beside its own (0600), then give it its own."""
        async with self._client(remote) as client:
            part = local.with_name(f".{local.name}.jumpwatch-{secrets.token_hex(4)}")
            target = await asyncio.to_thread(_open_part, part)
            try:
                try:
                    await _download(client, remote, target, on_bytes)
                finally:
                    await asyncio.to_thread(target.close)
                await asyncio.to_thread(_settle, part, local, overwrite)
            except BaseException:
                await asyncio.to_thread(part.unlink, True)
                raise

    async def _take_name(self, client: asyncssh.SFTPClient, part: str, remote: str) -> None:
        """Rename to a name that nobody has: where somebody took it meanwhile, the other file stays."""
        if await client.lexists(remote):
            raise _exists(f"{self._host}:{remote}")
        await client.rename(part, remote)

    @asynccontextmanager
    async def _client(self, path: str) -> AsyncIterator[asyncssh.SFTPClient]:
        try:
            async with self._connection.start_sftp_client() as client:
                yield client
        except InfrastructureException:
            raise
        except asyncssh.SFTPError as exc:
            if gone := closed_error(exc, self._place, hostname=self._host, operation="copy"):
                raise gone from None
            why = printable(str(exc.reason).encode(), 160)
            kind = ResourceNotFoundError if exc.code in _MISSING else SSHCommandError
            raise kind(f"{self._host}:{path}: {why}", hostname=self._host, operation="copy") from None
        except asyncssh.ChannelOpenError as exc:
            if gone := closed_error(exc, self._place, hostname=self._host, operation="copy"):
                raise gone from None
            raise SSHCommandError(
                f"{self._host}: no files can be copied: its SSH server has no sftp subsystem for this login",
                hostname=self._host,
                operation="copy",
                details={"kind": Reason.SHELL.value},
            ) from None
        except OSError as exc:
            if exc.filename is not None or exc.errno is not None:
                name = exc.filename if exc.filename is not None else path
                raise SSHCommandError(f"{name}: {exc.strerror or exc}", hostname=self._host, operation="copy") from None
            raise map_error(exc, self._place, hostname=self._host, greeted=True, operation="copy") from None
        except asyncssh.Error as exc:
            raise map_error(exc, self._place, hostname=self._host, greeted=True, operation="copy") from None


async def _info(client: asyncssh.SFTPClient, path: str) -> FileInfo:
    try:
        found = await client.stat(path)
    except asyncssh.SFTPError as exc:
        if exc.code in _MISSING:
            return FileInfo("missing")
        raise
    mode = found.permissions or 0
    kind = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"
    modified = datetime.fromtimestamp(found.mtime, UTC) if found.mtime is not None else None
    return FileInfo(kind, found.size, modified)


async def _upload(client: asyncssh.SFTPClient, source: BinaryIO, part: str, on_bytes: OnBytes) -> None:
    total = os.fstat(source.fileno()).st_size
    done = 0
    async with client.open(part, "xb") as target:
        while block := await asyncio.to_thread(source.read, _BLOCK):
            await target.write(block, done)
            done += len(block)
            on_bytes(done, max(total, done))


async def _download(client: asyncssh.SFTPClient, remote: str, target: BinaryIO, on_bytes: OnBytes) -> None:
    done = 0
    async with client.open(remote, "rb") as source:
        total = (await source.stat()).size or 0
        while block := cast(bytes, await source.read(_BLOCK, done)):
            await asyncio.to_thread(_write, target, block)
            done += len(block)
            on_bytes(done, max(total, done))


def _open_source(local: Path) -> BinaryIO:
    return local.open("rb")


def _open_part(part: Path) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _write(target: BinaryIO, block: bytes) -> None:
    target.write(block)


def _settle(part: Path, local: Path, overwrite: bool) -> None:
    """Give the copy its name; without leave to overwrite only where nobody has it."""
    if overwrite:
        with contextlib.suppress(FileNotFoundError):
            part.chmod(stat.S_IMODE(local.stat().st_mode))
        part.replace(local)
        return
    try:
        os.link(part, local)
    except FileExistsError:
        raise _exists(str(local)) from None
    part.unlink()


def _exists(name: str) -> ResourceConflictError:
    return ResourceConflictError(f"{name} is there already: nothing was copied", operation="copy")
