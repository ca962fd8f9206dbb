"""The file under the inventory: bounded reading, a lock beside it, and writing that never leaves half a file."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.exceptions import ConfigurationError, ResourceConflictError

MAX_BYTES = 4 << 20  # some 40,000 hosts
_LOCK_WAIT_S = 15.0


def read_text(path: Path, *, most: int = MAX_BYTES, what: str = "inventory") -> str | None:
    """Return the file's text, None where there is no file; ConfigurationError says what is wrong with it."""
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return decoded(raw, str(path), most=most, what=what)


def user_path(text: str | Path) -> Path:
    """Return a path as a person writes it, with ~ resolved; ConfigurationError where that cannot be."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{text}: the home folder that ~ stands for is not known") from None


def decoded(raw: bytes, name: str, *, most: int, what: str) -> str:
    """Return bytes as text (UTF-8 or, where it says so, UTF-16; a byte order mark goes), or ConfigurationError."""
    if len(raw) > most:
        raise ConfigurationError(f"{name} is over {most >> 20} MiB, which is no {what}")
    code = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") and what != "inventory" else "utf-8-sig"
    try:
        text = raw.decode(code)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        place = f"{name}, line {line}"
        raise ConfigurationError(f"{place} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigurationError(f"{name}, line {line} holds a NUL character: this is no text file")
    return text


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is to be changed; other commands wait for it, at most a quarter of a minute."""
    make_folder(path)
    place = path.with_name(f".{path.name}.lock")
    try:
        lock = os.open(place, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be changed: {place}: {error.strerror}") from None
    try:
        _wait_for(lock, path)
        yield
    finally:
        os.close(lock)


def _wait_for(lock: int, path: Path) -> None:
    """Take the lock; another command holds it for a read and a write, no longer."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ResourceConflictError(f"{path} is being changed by another command: try again") from None
            time.sleep(0.02)


def make_folder(path: Path) -> None:
    """Make the folder of a file, for its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"{path.parent} cannot be made: {error.strerror}") from None


def write_text(path: Path, text: str, *, replace: bool = True) -> None:
    """Write beside the file (mode 0600), flush to disk, and rename over it; a symbolic link is followed.

    Without ``replace`` a file that is there already is a ResourceConflictError.
    """
    path = path.resolve()
    make_folder(path)
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # fails where the name is taken, which a rename does not
            draft.unlink()
    except FileExistsError:
        draft.unlink(missing_ok=True)
        raise ResourceConflictError(f"{path} is there already: choose another name") from None
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
