"""What can be copied to and from a demo host: a few files in memory, few and small; never one of this machine."""

from __future__ import annotations

import errno
import posixpath
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakSet

import asyncssh
from asyncssh import SFTPAttrs, SFTPName, SFTPOpUnsupported, SFTPServer, SFTPVFSAttrs

from core.simulator.fleet import LOGIN

HOME = f"/home/{LOGIN}"
MOST_FILE, MOST_HOST, MOST_NAMES = 4 << 20, 8 << 20, 64
_LONGEST = 1024
_FOLDERS = ("/", "/etc", "/home", HOME, "/tmp", "/var", "/var/log")  # noqa: S108 - of the demo host
_WRITABLE = (HOME, "/tmp")  # noqa: S108
_README = """\
This is a demo host of Jumpwatch. Its files are held in memory and gone with it;
you may copy files here and to /tmp, up to 4 MiB each and 8 MiB in all.
"""


@dataclass(slots=True, eq=False, weakref_slot=True)
class DemoFile:
    """One file; still there for who has it open after it was removed."""

    data: bytearray
    mode: int = 0o644
    mtime: float = field(default_factory=time.time)


class DemoFiles:
    """The files of one host. Every failure is an OSError, as of a real file system."""

    def __init__(self, name: str) -> None:
        self._folders = set(_FOLDERS)
        self._born = time.time()
        self._all: WeakSet[DemoFile] = WeakSet()  # those too that somebody has open after they were removed
        self._files: dict[str, DemoFile] = {}
        seeds = {
            "/etc/hostname": f"{name}\n",
            "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
            f"{HOME}/README": _README,
        }
        for path, text in seeds.items():
            self._add(path, text.encode())

    def _add(self, name: str, data: bytes = b"") -> None:
        self._files[name] = file = DemoFile(bytearray(data))
        self._all.add(file)

    @staticmethod
    def place(path: bytes) -> str:
        """Return the absolute name that a client means."""
        if len(path) > _LONGEST or b"\0" in path:
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        text = posixpath.normpath(posixpath.join(HOME, path.decode("utf-8", "replace")))
        return "/" + text.lstrip("/")

    def look(self, name: str) -> DemoFile | None:
        """Return the file of that name, None where it is a folder."""
        if name in self._folders:
            return None
        if name not in self._files:
            raise OSError(errno.ENOENT, "No such file or directory")
        return self._files[name]

    def file(self, name: str) -> DemoFile:
        """Return the file of that name."""
        found = self.look(name)
        if found is None:
            raise OSError(errno.EISDIR, "Is a directory")
        return found

    def names(self, folder: str) -> list[str]:
        """Return what is in a folder."""
        if self.look(folder) is not None:
            raise OSError(errno.ENOTDIR, "Not a directory")
        return sorted(
            name for name in (*self._folders, *self._files) if name != "/" and posixpath.dirname(name) == folder
        )

    def there(self, name: str) -> bool:
        """Whether the name is taken."""
        return name in self._folders or name in self._files

    def make(self, name: str, *, folder: bool = False) -> None:
        """Make an empty file, or a folder."""
        self._may_change(name)
        if self.there(name):
            raise OSError(errno.EEXIST, "File exists")
        if posixpath.dirname(name) not in self._folders:
            raise OSError(errno.ENOENT, "No such file or directory")
        if len(self._files) + len(self._folders) >= MOST_NAMES + len(_FOLDERS):
            raise OSError(errno.ENOSPC, "No space left on device: a demo host holds few files")
        if folder:
            self._folders.add(name)
        else:
            self._add(name)

    def resize(self, file: DemoFile, size: int) -> None:
        """Cut a file, or fill it up with zeros."""
        others = sum(len(each.data) for each in self._all if each is not file)
        if size > MOST_FILE or others + size > MOST_HOST:
            raise OSError(errno.ENOSPC, "No space left on device: a demo host holds 4 MiB a file, 8 MiB in all")
        if size < len(file.data):
            del file.data[size:]
        else:
            file.data.extend(bytes(size - len(file.data)))
        file.mtime = time.time()

    def remove(self, name: str, *, folder: bool = False) -> None:
        """Remove a file, or an empty folder."""
        self._may_change(name)
        if not folder:
            self.file(name)
            del self._files[name]
        elif self.names(name):
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        else:
            self._folders.remove(name)

    def rename(self, old: str, new: str, *, replace: bool) -> None:
        """Give a file another name; of folders none is renamed."""
        self._may_change(old)
        self._may_change(new)
        file = self.file(old)
        if self.there(new) and not (replace and new in self._files):
            raise OSError(errno.EEXIST, "File exists")
        if posixpath.dirname(new) not in self._folders:
            raise OSError(errno.ENOENT, "No such file or directory")
        del self._files[old]
        self._files[new] = file

    def may_write(self, name: str) -> None:
        """Raise where the login may not write."""
        self._may_change(name)

    def _may_change(self, name: str) -> None:
        if not name.startswith(tuple(f"{folder}/" for folder in _WRITABLE)):
            raise OSError(errno.EACCES, "Permission denied")

    def attributes(self, file: DemoFile | None) -> SFTPAttrs:
        """Return what is told of a file, or of a folder (None)."""
        if file is None:
            kind, mode, size, when = asyncssh.FILEXFER_TYPE_DIRECTORY, stat.S_IFDIR | 0o755, 4096, self._born
        else:
            kind, mode, size, when = (
                asyncssh.FILEXFER_TYPE_REGULAR, stat.S_IFREG | file.mode, len(file.data), file.mtime,
            )  # fmt: skip
        return SFTPAttrs(
            type=kind, permissions=mode, size=size, uid=1000, gid=1000, nlink=1, atime=int(when), mtime=int(when)
        )


@dataclass(frozen=True, slots=True)
class _Handle:
    file: DemoFile
    reads: bool
    writes: bool
    appends: bool


class DemoSftp(SFTPServer):
    """SFTP over the files in memory. Every operation of the base class that would touch this machine is replaced."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], files: DemoFiles) -> None:
        super().__init__(chan)
        self._files = files

    # Names of this machine's users are told to nobody either.
    def format_user(self, uid: int | None) -> str:
        return LOGIN

    def format_group(self, gid: int | None) -> str:
        return LOGIN

    def map_path(self, path: bytes) -> bytes:
        raise SFTPOpUnsupported("no path of this machine")

    def reverse_map_path(self, path: bytes) -> bytes:
        raise SFTPOpUnsupported("no path of this machine")

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        name, files = self._files.place(path), self._files
        writes = bool(pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND))
        if pflags & asyncssh.FXF_CREAT and (pflags & asyncssh.FXF_EXCL or not files.there(name)):
            files.make(name)
        elif writes:
            files.may_write(name)
        handle = _Handle(files.file(name), bool(pflags & asyncssh.FXF_READ), writes, bool(pflags & asyncssh.FXF_APPEND))
        if writes and pflags & asyncssh.FXF_TRUNC:
            files.resize(handle.file, 0)
        return handle

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: SFTPAttrs) -> object:
        raise SFTPOpUnsupported("version 3 alone")

    def close(self, file_obj: object) -> None:
        return

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        handle = _opened(file_obj)
        if not handle.reads:
            raise OSError(errno.EACCES, "Permission denied")
        return bytes(handle.file.data[offset : offset + size])

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        handle = _opened(file_obj)
        if not handle.writes:
            raise OSError(errno.EACCES, "Permission denied")
        file = handle.file
        start = len(file.data) if handle.appends else offset
        self._files.resize(file, max(len(file.data), start + len(data)))
        file.data[start : start + len(data)] = data
        return len(data)

    def stat(self, path: bytes) -> SFTPAttrs:
        return self._files.attributes(self._files.look(self._files.place(path)))

    def lstat(self, path: bytes) -> SFTPAttrs:
        return self.stat(path)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        return self._files.attributes(_opened(file_obj).file)

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        name = self._files.place(path)
        self._files.may_write(name)
        self._set(self._files.file(name), attrs)

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        handle = _opened(file_obj)
        if not handle.writes:
            raise OSError(errno.EACCES, "Permission denied")
        self._set(handle.file, attrs)

    def _set(self, file: DemoFile, attrs: SFTPAttrs) -> None:
        if attrs.size is not None:
            self._files.resize(file, attrs.size)
        if attrs.permissions is not None:
            file.mode = attrs.permissions & 0o777
        if attrs.mtime is not None:
            file.mtime = attrs.mtime

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        folder = self._files.place(path)
        inside = [(posixpath.basename(name), name) for name in self._files.names(folder)]
        for name, whole in ((".", folder), ("..", posixpath.dirname(folder)), *inside):
            yield SFTPName(name.encode(), attrs=self._files.attributes(self._files.look(whole)))

    def remove(self, path: bytes) -> None:
        self._files.remove(self._files.place(path))

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        self._files.make(self._files.place(path), folder=True)

    def rmdir(self, path: bytes) -> None:
        self._files.remove(self._files.place(path), folder=True)

    def realpath(self, path: bytes) -> bytes:
        return self._files.place(path).encode()

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._files.rename(self._files.place(oldpath), self._files.place(newpath), replace=False)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._files.rename(self._files.place(oldpath), self._files.place(newpath), replace=True)

    def readlink(self, path: bytes) -> bytes:
        raise SFTPOpUnsupported("no links here")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPOpUnsupported("no links here")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPOpUnsupported("no links here")

    def statvfs(self, path: bytes) -> SFTPVFSAttrs:
        raise SFTPOpUnsupported("no file system")

    def fstatvfs(self, file_obj: object) -> SFTPVFSAttrs:
        raise SFTPOpUnsupported("no file system")

    def fsync(self, file_obj: object) -> None:
        return


def _opened(file_obj: object) -> _Handle:
    assert isinstance(file_obj, _Handle)
    return file_obj
