"""The file of a backup: a zip of one binary COPY stream a table, and a manifest that says what they are.

``manifest.json`` (the last member) is an object: ``format`` "jumpwatch-backup", ``version`` 1, ``moment`` (ISO 8601;
the one moment that all tables are of), ``revision`` of the schema, ``mode``, ``server`` and ``timescaledb`` versions,
``begins`` (where each table's raw data begins), ``jobs`` (number, name and table of each job) and ``tables``: for each
``name``, ``member``, ``columns``, ``rows``, ``bytes``, ``sha256``, ``first`` and ``last`` (its time span, where it has
one). Members hold PostgreSQL's binary COPY format, deflated; types are those of the schema, sums are float8.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from core.exceptions import BusinessLogicError, ResourceConflictError, ResourceNotFoundError, ValidationError

FORMAT, VERSION = "jumpwatch-backup", 1
MANIFEST = "manifest.json"
_LEVEL = 1  # of deflate: figures shrink well at once, and a backup should not take the processor
_READ = 1 << 18
_MOST_MANIFEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One table in the file; ``rows`` of binary COPY data in ``columns``, ``bytes`` before deflating."""

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    first: str | None = None
    last: str | None = None

    @property
    def member(self) -> str:
        """Its name in the zip."""
        return f"tables/{self.name}.copy"


@dataclass(slots=True)
class Manifest:
    """What a backup holds."""

    moment: str
    revision: str
    mode: str
    server: str
    timescaledb: str | None
    begins: dict[str, str | None] = field(default_factory=dict)
    jobs: list[tuple[int, str, str]] = field(default_factory=list)
    tables: list[Member] = field(default_factory=list)

    def to_json(self) -> bytes:
        """Return it as the file has it."""
        tables = [{**asdict(table), "member": table.member} for table in self.tables]
        whole = {"format": FORMAT, "version": VERSION, **asdict(self), "tables": tables}
        return json.dumps(whole, indent=1).encode()


class Writing:
    """A backup that is being written; every call does its work in a thread."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self._digest, self.bytes = hashlib.sha256(), 0
        self._member: IO[bytes] | None = None

    async def begin(self, name: str) -> None:
        """Begin a table."""
        self._digest, self.bytes = hashlib.sha256(), 0
        self._member = await self._do(self._archive.open, name, "w", force_zip64=True)

    async def write(self, data: bytes) -> None:
        """Add COPY data to the table."""
        await self._do(self._add, data)

    async def end(self) -> str:
        """End the table; returns its SHA-256."""
        if self._member is not None:
            await self._do(self._member.close)
        return self._digest.hexdigest()

    async def finish(self, manifest: bytes) -> None:
        """Add the manifest, and close the zip."""
        await self._do(self._archive.writestr, MANIFEST, manifest)
        await self._do(self._archive.close)

    def drop(self) -> None:
        """Let go of the zip, whatever state it is in; nothing happens where it is finished."""
        for part in (self._member, self._archive):
            with suppress(OSError, ValueError):
                if part is not None:
                    part.close()

    def _add(self, data: bytes) -> None:
        if self._member is not None:
            self._member.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    async def _do(self, work: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments, **named)
        except OSError as error:  # not for the caller's mapping: it is no error of the database
            raise unwritable(self._path, error) from error


def unwritable(path: Path, error: OSError) -> BusinessLogicError:
    """Return the error for a file that cannot be written."""
    return BusinessLogicError(
        f"{path} cannot be written: {error.strerror or error}; nothing is left of it", operation="backup"
    )


@asynccontextmanager
async def writing_to(path: Path) -> AsyncIterator[Writing]:
    """Give a file to be written under another name, which takes its own at the end alone: whole, or not there.

    Raises ResourceConflictError where it is there already, BusinessLogicError where it cannot be written.
    """
    if await asyncio.to_thread(os.path.lexists, path):
        raise ResourceConflictError(f"{path} is there already: name another file", operation="backup")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = await asyncio.to_thread(_create, hidden)
    except OSError as error:
        raise unwritable(path, error) from error
    writing = Writing(path, zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL))
    try:
        yield writing
        try:
            await asyncio.to_thread(_settle, handle, hidden, path)
        except FileExistsError:
            raise ResourceConflictError(f"{path} has come meanwhile: name another file", operation="backup") from None
        except OSError as error:
            raise unwritable(path, error) from error
    finally:
        writing.drop()
        with suppress(OSError):
            handle.close()
        with suppress(FileNotFoundError):
            hidden.unlink()


def _create(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w+b")


def _settle(handle: IO[bytes], hidden: Path, path: Path) -> None:
    """Bring the file to the disk and give it its name, never over another file."""
    handle.flush()
    os.fsync(handle.fileno())
    handle.close()
    try:
        os.link(hidden, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(hidden, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_archive(path: Path) -> tuple[zipfile.ZipFile, Manifest]:
    """Open a backup and read its manifest; blocks. Raises ValidationError for what is none, and for a newer format."""
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ResourceNotFoundError(f"there is no file {path}", operation="restore") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise ValidationError(f"{path} is no backup of jumpwatch: {error}", operation="restore") from error
    try:
        return archive, _manifest(path, archive)
    except BaseException:
        archive.close()
        raise


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST:
            raise ValueError("its manifest is too large")
        whole = json.loads(archive.read(MANIFEST))
        if whole.pop("format") != FORMAT:
            raise ValueError("its manifest is of something else")
        if (version := whole.pop("version")) != VERSION:
            raise ValidationError(f"{path} has version {version!r}, made by a newer jumpwatch", operation="restore")
        tables = [_member(table) for table in whole.pop("tables")]
        made = Manifest(**{**whole, "jobs": [(int(j[0]), str(j[1]), str(j[2])) for j in whole["jobs"]]}, tables=tables)
        for moment in (made.moment, *made.begins.values(), *(t for m in tables for t in (m.first, m.last))):
            if moment is not None:
                datetime.fromisoformat(moment)
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValidationError(f"{path} is no whole backup of jumpwatch: {error}", operation="restore") from error
    return made


def _member(table: dict[str, Any]) -> Member:
    columns = tuple(str(column) for column in table["columns"])
    first, last = (None if table[key] is None else str(table[key]) for key in ("first", "last"))
    rows, size = int(table["rows"]), int(table["bytes"])
    return Member(str(table["name"]), columns, rows, size, str(table["sha256"]), first, last)


def verify(archive: zipfile.ZipFile, member: Member) -> str:
    """Read a member through, in a thread; returns what is wrong with it, or ""."""
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(member.member) as data:
            while piece := data.read(_READ):
                digest.update(piece)
                size += len(piece)
    except (KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        return str(error)
    if size != member.bytes or digest.hexdigest() != member.sha256:
        return "its SHA-256 is another than the manifest's"
    return ""


async def stream(archive: zipfile.ZipFile, member: Member) -> AsyncIterator[bytes]:
    """Give the data of a member, piece by piece."""
    with archive.open(member.member) as data:
        while piece := await asyncio.to_thread(data.read, _READ):
            yield piece
