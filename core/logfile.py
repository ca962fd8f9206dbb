"""The rotating log file: written by a thread, so that a slow disk holds nobody up; what is lost is counted and said."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

_MOST_LINES = 10_000  # that wait for the disk
_MOST_BYTES = 8 << 20
_CLOSE_S = 2.0
_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class LogFile(logging.Handler):
    """A log file of at most ``max_bytes``, and ``backups`` older ones (path.1 is the youngest), all 0600.

    Lines are whole, also where several consoles share the file: each is appended by one write, and only one of them
    rotates at a time. A file or folder that was removed is made anew. Raises OSError where it cannot be opened at
    first; later troubles cost lines, which the next line that arrives says.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__()
        self._path, self._max_bytes, self._backups = path, max_bytes, backups
        self._fd: int | None = self._open()
        self._torn = False
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._closing = False
        self._lost: dict[str, int] = {}  # why, how many: since it was last said
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log file", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line to the writing thread; drop it, never wait, where too many wait already."""
        line = _line(self.format(record))
        with self._change:
            if self._closing or len(self._waiting) >= _MOST_LINES or self._waiting_bytes + len(line) > _MOST_BYTES:
                self._count("the disk is too slow", 1)
                return
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            self._change.notify()

    def close(self) -> None:
        """Write what waits, for two seconds at most, and close the file."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(_CLOSE_S)
        super().close()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._waiting) or self._closing)
                lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
                lost, self._lost = self._lost, {}
                closing = self._closing
            # What was dropped came after all that waited.
            self._write([*lines, *(self._said(why, number) for why, number in lost.items())], lost)
            if closing:
                break
        if self._fd is not None:
            os.close(self._fd)

    def _said(self, why: str, number: int) -> bytes:
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, "%d log lines lost: %s", (number, why), None)
        return _line(self.format(record))

    def _count(self, why: str, number: int) -> None:
        self._lost[why] = self._lost.get(why, 0) + number

    def _write(self, lines: list[bytes], lost: dict[str, int]) -> None:
        """Append the lines, of which the last ones say what was lost; what cannot be written is lost."""
        at = 0
        try:
            while at < len(lines):
                room = self._max_bytes - self._ready(len(lines[at]))
                end, size = at + 1, len(lines[at])
                while end < len(lines) and (size := size + len(lines[end])) <= room:
                    end += 1
                self._put(b"".join(lines[at:end]))
                at = end
        except OSError as error:
            with self._change:
                self._count(error.strerror or type(error).__name__, max(0, len(lines) - at - len(lost)))
                for why, number in lost.items():
                    self._count(why, number)

    def _put(self, data: bytes) -> None:
        assert self._fd is not None
        if self._torn:  # by a disk that was full: the half line stays alone
            data = b"\n" + data
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        finally:
            if written := len(data) - len(left):
                self._torn = data[written - 1] != ord("\n")

    def _ready(self, size: int) -> int:
        """See to it that the file is the one at the path and has room for a line; return its present size."""
        while True:
            if self._fd is None:
                self._fd, self._torn = self._open(), False
            found = os.fstat(self._fd)
            if self._is_at_path(found):
                if not stat.S_ISREG(found.st_mode):
                    return 0
                if not found.st_size or found.st_size + size <= self._max_bytes:
                    return found.st_size
                if not self._rotate(found):
                    return self._max_bytes  # another console is at it: this line still goes to the old file
            os.close(self._fd)
            self._fd = None

    def _is_at_path(self, found: os.stat_result) -> bool:
        try:
            return os.path.samestat(found, os.stat(self._path))
        except FileNotFoundError:
            return False

    def _rotate(self, found: os.stat_result) -> bool:
        """Shift the files by one; False where another console does just now."""
        assert self._fd is not None
        with suppress(OSError):  # a file system without locks: rotated all the same
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        try:
            if self._is_at_path(found):  # else another console has just done it
                if self._backups == 0:
                    self._path.unlink()
                for number in range(self._backups, 0, -1):
                    younger = self._backup(number - 1) if number > 1 else self._path  # ours last: then all is done
                    with suppress(FileNotFoundError):
                        os.replace(younger, self._backup(number))
        finally:
            with suppress(OSError):
                fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path, _FLAGS, 0o600)
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode):
            if stat.S_IMODE(found.st_mode) & 0o077:
                with suppress(PermissionError):  # somebody else's file
                    os.fchmod(fd, 0o600)
        elif not os.path.samestat(found, os.stat(os.devnull)):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a file")
        return fd


def _line(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace") + b"\n"
