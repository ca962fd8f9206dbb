"""A walk over the lines of one frame: which of its words are figures, and which stand still. For ``layout``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.collectors.text import clean

MEMORY = (b"MemTotal:", b"MemAvailable:", b"SwapTotal:", b"SwapFree:")
COUNTS = (b"btime", b"procs_running", b"procs_blocked")
PRESSURES = ("pressure_cpu", "pressure_memory", "pressure_io")
AVERAGE = b"avg10="
_DISK_COLUMNS = (3, 5, 7, 9, 12)  # as core.collectors.io takes them
_NET_COLUMNS = (1, 2, 3, 4, 9, 10, 11, 12)
_DISK_WORDS, _NET_WORDS = 14, 17


class UnfitError(Exception):
    """This frame is read the careful way alone."""


@dataclass(slots=True)
class Places:
    """Numbers of words in the frame, by what they are."""

    mark: bytes
    fixed: list[int] = field(default_factory=list)
    checked: list[int] = field(default_factory=list)  # all that must be digits
    shares: list[int] = field(default_factory=list)  # df's percentages, and loadavg's count of processes
    cpu: list[int] = field(default_factory=list)
    counts: dict[bytes, int] = field(default_factory=dict)
    memory: dict[bytes, int] = field(default_factory=dict)
    loads: list[int] = field(default_factory=list)
    pressure: dict[str, int] = field(default_factory=dict)
    disks: list[list[int]] = field(default_factory=list)  # the counters of each line
    interfaces: list[list[int]] = field(default_factory=list)
    tables: dict[str, dict[str, list[int]]] = field(default_factory=lambda: {"df": {}, "dfi": {}})
    sizes: dict[str, bytes] = field(default_factory=dict)  # by section and mount


def walk(frame: bytes) -> Places:
    """Look at every word of a frame; raises UnfitError where it is not in the usual form."""
    places, at, section, row = Places(frame.split(None, 1)[0]), 0, "", 0
    seen = set()
    for line in frame.split(b"\n"):
        words = line.split()
        if words and words[0] == places.mark:
            section, row = words[2].decode("ascii", "replace") if words[1] == b"S" else "", 0
            if section in seen:
                raise UnfitError  # the sh loop took back what it had said
            seen.add(section or words[1])
            places.fixed.extend(range(at, at + 2) if not section else range(at, at + len(words)))
        elif words:
            try:
                read = _READERS[section]
            except KeyError:
                raise UnfitError from None
            read(places, section, words, at, row)
            row += 1
        at += len(words)
    return places


def _stat(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    name = words[0]
    places.fixed.append(at)
    if name == b"cpu":
        if places.cpu or len(words) < 9:
            raise UnfitError
        places.cpu = list(range(at + 1, at + 9))
        places.checked.extend(range(at + 1, at + len(words)))
    elif name in COUNTS:
        if name in places.counts or len(words) != 2:
            raise UnfitError
        places.counts[name] = at + 1


def _meminfo(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    if words[0] not in MEMORY or words[0] in places.memory or words[2:] != [b"kB"]:
        raise UnfitError
    places.memory[words[0]] = at + 1
    places.fixed.extend((at, at + 2))


def _loadavg(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    if row or len(words) != 5:
        raise UnfitError
    places.loads = [at, at + 1, at + 2]
    places.shares.append(at + 3)
    places.checked.append(at + 4)


def _pressure(places: Places, section: str, words: Sequence[bytes], at: int, row: int) -> None:
    places.fixed.append(at)
    if words[0] == b"some":
        if section in places.pressure or len(words) < 2 or not words[1].startswith(AVERAGE):
            raise UnfitError
        places.pressure[section] = at + 1


def _diskstats(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    if len(words) < _DISK_WORDS:
        raise UnfitError
    places.fixed.extend(range(at, at + 3))
    places.checked.extend(range(at + 3, at + len(words)))
    places.disks.append([at + column for column in _DISK_COLUMNS])


def _netdev(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    if row < 2 and any(b"|" in word for word in words):
        places.fixed.extend(range(at, at + len(words)))
        return
    if len(words) != _NET_WORDS or not words[0].endswith(b":"):
        raise UnfitError  # "eth0:123": old kernels leave no space
    places.fixed.append(at)
    places.checked.extend(range(at + 1, at + len(words)))
    places.interfaces.append([at + column for column in _NET_COLUMNS])


def _table(places: Places, section: str, words: Sequence[bytes], at: int, row: int) -> None:
    """One line of df: device, three numbers, a share, and the mount; both names may have spaces in them."""
    if row == 0:
        if b"Type" in words or (section == "df" and not {b"1024-blocks", b"1K-blocks"} & set(words)):
            raise UnfitError
        places.fixed.extend(range(at, at + len(words)))
        return
    for first in range(1, len(words) - 4):
        if _numbers(words[first : first + 4]) and words[first + 4].startswith(b"/"):
            break
    else:
        raise UnfitError
    mount = clean(b" ".join(words[first + 4 :]).decode("utf-8", "replace"))
    if mount in places.tables[section]:
        raise UnfitError
    places.tables[section][mount] = [at + first, at + first + 1, at + first + 2]
    places.fixed.extend(range(at, at + first))
    places.fixed.extend(range(at + first + 4, at + len(words)))
    # A size of nothing leaves a row out, so it is a word like a name. What is nothing has no share either.
    empty = words[first] == b"0"
    (places.fixed if empty else places.checked).append(at + first)
    places.checked.extend((at + first + 1, at + first + 2))
    (places.fixed if words[first + 3] == b"-" else places.shares).append(at + first + 3)


def _numbers(words: Sequence[bytes]) -> bool:
    share = words[3]
    return b"".join(words[:3]).isdigit() and (share == b"-" or (share.endswith(b"%") and share[:-1].isdigit()))


def _mounts(places: Places, _: str, words: Sequence[bytes], at: int, row: int) -> None:
    places.fixed.extend(range(at, at + len(words)))


_READERS: dict[str, Callable[[Places, str, Sequence[bytes], int, int], None]] = {
    "stat": _stat,
    "meminfo": _meminfo,
    "loadavg": _loadavg,
    **dict.fromkeys(PRESSURES, _pressure),
    "diskstats": _diskstats,
    "netdev": _netdev,
    "df": _table,
    "dfi": _table,
    "mounts": _mounts,
}
