"""known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): read, searched, appended to. Blocking: for threads."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asyncssh import SSHKey
from asyncssh.known_hosts import SSHKnownHosts

from core.models import HostKeyReview

SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")
DEFAULT_PORT = 22


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a known_hosts file that could be read."""

    path: Path
    number: int
    entry: SSHKnownHosts


@dataclass(slots=True)
class _Lines:
    """The lines of one file: those with plain names by name, hashed ones and patterns to be tried in turn."""

    exact: dict[str, list[Line]] = field(default_factory=dict)
    patterns: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the files say of one host: keys, authorities, revoked keys, and where each key stands."""

    keys: tuple[SSHKey, ...] = ()
    authorities: tuple[SSHKey, ...] = ()
    revoked: tuple[SSHKey, ...] = ()
    places: tuple[str, ...] = ()  # file:line of each of keys
    exact: bool = True  # False: found without the port, which proves a key but makes no other key a changed one

    def as_asyncssh(self) -> tuple[Sequence[SSHKey], ...]:
        """The form that asyncssh takes for known_hosts; X.509 is not used."""
        return self.keys, self.authorities, self.revoked, (), (), (), ()


class KnownHostsFiles:
    """Parsed files, read anew when they change; a line that cannot be read is passed over as OpenSSH does."""

    def __init__(self) -> None:
        self._cache: dict[Path, tuple[tuple[int, int, int], _Lines]] = {}
        self._lock = threading.Lock()  # many hosts connect at once: one of them reads, the others wait for it

    def trust(self, paths: Iterable[Path], host: str, port: int) -> Trust:
        """Return what the files say of a host; raises OSError for a file that is there and cannot be read."""
        with self._lock:
            files = [self._lines(path) for path in paths]
        found = _search(files, pattern(host, port))
        if port != DEFAULT_PORT and not found.keys and not found.authorities:
            plain = _search(files, host)
            if plain.keys or plain.authorities:
                return replace(plain, revoked=found.revoked + plain.revoked, exact=False)
        return found

    def _lines(self, path: Path) -> _Lines:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return _Lines()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        cached = self._cache.get(path)
        if cached is None or cached[0] != stamp:
            cached = (stamp, _parse(path))
            self._cache[path] = cached
        return cached[1]


def _parse(path: Path) -> _Lines:
    lines = _Lines()
    for number, text in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        words = text.split()
        if len(words) < 3 or words[0].startswith("#"):
            continue
        try:
            line = Line(path, number, SSHKnownHosts(text))
        except ValueError:
            continue
        names = words[1] if words[0].startswith("@") else words[0]
        if any(sign in names for sign in "*?|/!"):
            lines.patterns.append(line)
        else:
            for name in names.split(","):
                lines.exact.setdefault(name, []).append(line)
    return lines


def _search(files: Iterable[_Lines], name: str) -> Trust:
    """Look a stored name up; a port stands in the name, so asyncssh's own fallback to the bare name is not used."""
    keys: list[SSHKey] = []
    places: list[str] = []
    authorities: list[SSHKey] = []
    revoked: list[SSHKey] = []
    for lines in files:
        for line in [*lines.exact.get(name, ()), *lines.patterns]:
            line_keys, line_authorities, line_revoked, *_ = line.entry.match(name, "", None)
            keys.extend(line_keys)
            places.extend([f"{line.path}:{line.number}"] * len(line_keys))
            authorities.extend(line_authorities)
            revoked.extend(line_revoked)
    return Trust(tuple(keys), tuple(authorities), tuple(revoked), tuple(places))


def pattern(host: str, port: int) -> str:
    """The name under which a host's key is stored."""
    return host if port == DEFAULT_PORT else f"[{host}]:{port}"


def stored_line(review: HostKeyReview) -> str:
    """The line of an accepted key; its name hashed (HMAC-SHA1 with a salt of its own) where ssh_config asks for it."""
    name = pattern(review.address, review.port)
    if review.hashed:
        salt = os.urandom(20)
        mac = hmac.new(salt, name.encode(), hashlib.sha1).digest()
        name = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(mac).decode()}"
    return f"{name} {review.public_key}"


def append_line(path: Path, line: str) -> None:
    """Append a line, creating folder (0700) and file (0600); safe beside other writers; raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        broken = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        data = ("\n" if broken else "").encode() + line.encode("utf-8") + b"\n"
        written = os.write(handle, data)
        if written != len(data):
            os.ftruncate(handle, size)
            raise OSError(28, "no space left on device", str(path))
        os.fsync(handle)
    finally:
        os.close(handle)
