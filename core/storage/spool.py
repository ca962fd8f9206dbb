"""Samples on disk while the database is away: append-only segments of checked records, bounded by bytes and age.

A segment is a file of records: length (4 bytes), CRC-32 (4 bytes), payload (JSON). Its writer holds a lock on it, so
another console replays only what a dead one left. Nothing is synced: the page cache outlives kill -9, not the machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.exceptions import ConfigurationError
from core.storage.engine import Database
from core.storage.spool_records import SAMPLES, Record, decode, encode, is_sample

_HEAD = struct.Struct(">II")
_MAX_RECORD = 4 << 20
_WINDOW = 2 * _MAX_RECORD  # read at once, whatever the size of the file: a whole record always fits


def spool_folder(state_dir: Path, database: Database) -> Path:
    """Return the spool's folder for this very database: samples never end in another one."""
    settings, address = database.settings, database.address
    target = f"{settings.host}:{settings.port}/{settings.name}" if address is None else address.kind
    return state_dir / hashlib.sha256(target.encode()).hexdigest()[:12]


@dataclass(slots=True)
class Segment:
    """One file of records, open and locked while it is ours; the descriptor is -1 afterwards."""

    path: Path
    descriptor: int
    bytes: int = 0
    samples: int = 0  # those that wait
    place: int = 0  # where the records begin that wait
    checked: bool = False  # what is corrupt in it has been counted


@dataclass(slots=True)
class Read:
    """Records that wait in a segment, up to ``upto``; the samples among them, and those that are too old."""

    segment: Segment
    records: list[Record]
    upto: int = 0
    samples: int = 0
    old: int = 0
    broken: int = 0


class Spool:
    """The segments of one folder. Every method blocks on the disk: call it in a thread, one at a time."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float) -> None:
        self._folder = folder
        self._max_bytes, self._max_age = max_bytes, max_age_s
        self._segment_bytes = max(64 * 1024, min(4 << 20, max_bytes // 16))
        self._current: Segment | None = None
        self._done: list[Segment] = []  # ours, full, oldest first
        self._serial = 0
        self.dropped = 0  # samples lost at the bounds
        self.broken = 0  # corrupt places met on reading

    @property
    def samples(self) -> int:
        """Samples waiting in segments that are ours."""
        return sum(segment.samples for segment in self._ours())

    @property
    def empty(self) -> bool:
        """No segment of ours waits."""
        return not self._done and self._current is None

    def open(self) -> None:
        """Make the folder and take over what dead consoles left; ConfigurationError where it cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.adopt()
        except OSError as error:
            raise ConfigurationError(
                f"the spool folder {self._folder} cannot be used: {error.strerror}; see JUMPWATCH_STATE_DIR",
                operation="open the spool",
            ) from error

    def adopt(self) -> int:
        """Take the segments that no living console holds; returns how many samples came with them."""
        mine = {segment.path for segment in self._ours()}
        found = 0
        for path in sorted(self._folder.glob("*.spool")):
            if path in mine:
                continue
            segment = _lock(path, os.O_RDWR)
            if segment is None:
                continue
            self.broken += _check(segment)
            if segment.bytes == 0:
                self._remove(segment)
                continue
            found += segment.samples
            self._done.append(segment)
        self._done.sort(key=lambda segment: segment.path.name)  # a name begins with the time
        return found

    def append(self, records: Sequence[Record]) -> None:
        """Write the records at the end; OSError where the disk refuses (then nothing of them is kept)."""
        chunk = bytearray()
        for record in records:
            payload = encode(record)
            chunk += _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if self._current is not None and self._current.bytes + len(chunk) > self._segment_bytes:
            self.seal()
        segment = self._current or self._begin()
        try:
            written = 0
            while written < len(chunk):
                written += os.write(segment.descriptor, memoryview(chunk)[written:])
        except OSError:
            os.ftruncate(segment.descriptor, segment.bytes)  # no half record in the middle
            os.lseek(segment.descriptor, segment.bytes, os.SEEK_SET)
            raise
        segment.bytes += len(chunk)
        segment.samples += sum(isinstance(record, SAMPLES) for record in records)
        self._bound_bytes()

    def seal(self) -> Segment | None:
        """End the current segment; the next record begins a new one."""
        segment, self._current = self._current, None
        if segment is not None:
            self._done.append(segment)
        return segment

    def oldest(self, most: int) -> Read | None:
        """Return the oldest records that wait, ``most`` at the most, without those that are too old."""
        if not self._done:
            self.seal()
        while self._done:
            read = _read(self._done[0], most, time.time() - self._max_age)
            if read.records:
                return read
            self.stored(read)  # nothing in it can be used: it is counted
        return None

    def stored(self, read: Read) -> None:
        """Forget what was read: it is in the database. Segments that were read to their end are removed."""
        segment = read.segment
        self.dropped += read.old
        self.broken += read.broken
        if segment.descriptor < 0:  # dropped meanwhile, as the spool was full: then it was counted as lost
            self.dropped -= read.samples
            return
        segment.place = read.upto
        segment.samples -= read.samples
        if segment.place >= segment.bytes:
            self.remove(segment)

    def remove(self, segment: Segment) -> None:
        """Forget a segment: its records are in the database, or lost and counted."""
        self._done = [other for other in self._done if other is not segment]
        if self._current is segment:
            self._current = None
        self._remove(segment)

    def close(self) -> None:
        """Let go of the segments; what is in them waits on disk for the next console."""
        for segment in self._ours():
            if not segment.bytes:
                segment.path.unlink(missing_ok=True)
            _let_go(segment)
        self._current, self._done = None, []

    def _ours(self) -> Iterator[Segment]:
        yield from self._done
        if self._current is not None:
            yield self._current

    def _begin(self) -> Segment:
        while True:
            self._serial += 1
            path = self._folder / f"{time.time_ns():020d}-{os.getpid()}-{self._serial}.spool"
            segment = _lock(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            if segment is not None:
                self._current = segment
                return segment

    def _bound_bytes(self) -> None:
        total = sum(segment.bytes for segment in self._ours())
        while total > self._max_bytes and self._done:
            lost = self._done.pop(0)
            total -= lost.bytes
            self.dropped += lost.samples
            self._remove(lost)

    @staticmethod
    def _remove(segment: Segment) -> None:
        if segment.descriptor >= 0:
            segment.path.unlink(missing_ok=True)
            _let_go(segment)


def _let_go(segment: Segment) -> None:
    descriptor, segment.descriptor = segment.descriptor, -1
    if descriptor >= 0:
        os.close(descriptor)


def _lock(path: Path, flags: int) -> Segment | None:
    """Open and lock a segment; None where another console holds it or removed it meanwhile."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, FileExistsError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        return None
    return Segment(path, descriptor, bytes=os.fstat(descriptor).st_size)


def _payloads(data: bytes, place: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield where each whole record ends and its payload, None for a corrupt one; ``data`` begins at ``place``."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if length > _MAX_RECORD or end > len(data):
            return
        payload = data[at + _HEAD.size : end]
        yield place + end, payload if zlib.crc32(payload) == checksum else None
        at = end


def _check(segment: Segment) -> int:
    """Count the samples of a segment, cut off a torn end; returns the places that were corrupt."""
    broken = end = 0
    while end < segment.bytes:
        begin = end
        for end, payload in _payloads(os.pread(segment.descriptor, _WINDOW, begin), begin):  # noqa: B007 - the last one counts
            broken += payload is None
            segment.samples += payload is not None and is_sample(payload)
        if end == begin:  # no whole record follows
            broken += 1
            os.ftruncate(segment.descriptor, end)
            segment.bytes = end
    segment.checked = True
    return broken


def _read(segment: Segment, most: int, oldest: float) -> Read:
    """Read records from where they wait; corrupt ones are left out and counted, too old ones counted."""
    read = Read(segment, [], segment.place)
    data = os.pread(segment.descriptor, _WINDOW, segment.place)
    for place, payload in islice(_payloads(data, segment.place), most):
        read.upto = place
        try:
            if payload is None:
                raise ValueError("checksum")
            record = decode(payload)
        except (ValueError, KeyError, TypeError, IndexError):
            read.broken += payload is not None or not segment.checked
            continue
        counted = isinstance(record, SAMPLES)
        read.samples += counted
        if record.ts.timestamp() >= oldest:
            read.records.append(record)
        else:
            read.old += counted
    if read.upto == segment.place:  # torn, or cut by others: there is no more to be had
        read.upto = segment.bytes
        read.broken += 1
    return read
