"""Frames of one host look alike: where each figure stands is learned once, and then read by position.

A layout is learned from a frame that the careful parsers took without a complaint. A later frame is read by it only
where every word that is no figure stands where it stood (marks, statuses, names, labels, units), and every word that
is one has the form of one; all else goes the careful way again. So nothing is taken that they would not take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import orjson

from core.collectors.walk import AVERAGE, COUNTS, MEMORY, PRESSURES, Places, UnfitError, walk
from core.models import FilesystemFigures, SectionStatus

MAX_WORDS = 4000  # of a frame that is worth learning
KIB = 1024
_TOO_MUCH = 10**20  # the careful parsers take no more digits before the point
_FIGURES = b"0123456789.,"
_SHARED_MAX = 4096
SEQ, _BOOT, _UPTIME, _CLOCK = 3, 4, 5, 6
AVERAGE_CELLS = len(AVERAGE)
Getter = Callable[[Sequence[bytes]], tuple[bytes, ...]]


class At(NamedTuple):
    """Places of words, and what takes the words there."""

    places: tuple[int, ...]
    of: Getter


class Reading(NamedTuple):
    """The figures of one frame, in the order of ``INTS`` and then those of each item; of ``floats`` the head first."""

    ints: list[int]  # seq, 8 of the CPU, 3 counts, 4 of the memory in KiB; disks, interfaces, filesystems
    floats: list[float]  # uptime, 3 loads, then the clock and 3 pressures where there are any


# Hosts have most of their words in common, and those of a kind the places of all: kept once, up to a bound.
_words: dict[bytes, bytes] = {}
_getters: dict[tuple[int, ...], At] = {}

ITEMS = 16  # ints before those of the items


class Mounted(NamedTuple):
    """A filesystem's words, and whether it tells of inodes."""

    mount: str
    device: str
    fstype: str | None
    inodes: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the figures of a frame stand among its words, and what stands everywhere else."""

    sections: Mapping[str, SectionStatus]
    boot_id: str | None
    cpus: int | None
    disks: tuple[str, ...] | None
    interfaces: tuple[str, ...] | None
    mounts: tuple[Mounted, ...] | None
    clock: bool
    pressure: bool
    fixed_at: At
    fixed: tuple[bytes, ...]
    figures_at: At  # whole ones
    digits_at: At  # these, and others that must be digits
    floats_at: At
    shares_at: At
    lines: int
    mark: bytes  # as it begins a line
    marks: int

    def read(self, frame: bytes, words: Sequence[bytes]) -> Reading | None:
        """Return the figures of a frame of so many words; None where it differs in anything but figures."""
        if self.fixed_at.of(words) != self.fixed or words[-1] != words[SEQ] or frame.count(b"\n") != self.lines:
            return None
        if frame.count(self.mark) != self.marks:
            return None
        parts = self.floats_at.of(words)
        if self.pressure:
            a, b, c = parts[-3:]
            if not (a.startswith(AVERAGE) and b.startswith(AVERAGE) and c.startswith(AVERAGE)):
                return None
            parts = (*parts[:-3], a[AVERAGE_CELLS:], b[AVERAGE_CELLS:], c[AVERAGE_CELLS:])
        text = b",".join((*self.digits_at.of(words), *parts))
        if text.translate(None, _FIGURES) or text.count(b".") != len(parts):
            return None
        if not b"".join(self.shares_at.of(words)).translate(None, b"%/").isdigit():
            return None
        return self.reading(text, len(self.digits_at.places))

    def reading(self, text: bytes, digits: int) -> Reading | None:
        """Return the figures in a text of digits, points and commas: so many whole ones, ours first, then the others.

        None where one has two points, a zero in front, or too many digits.
        """
        try:
            # As a list of JSON, which the parser reads at a fraction of the price of int() for each.
            figures = orjson.loads(b"[%b]" % text)
        except ValueError:
            return None
        ints, floats = figures[:digits], figures[digits:]
        if len(floats) != len(self.floats_at.places) or type(sum(ints)) is not int or max(floats) >= _TOO_MUCH:
            return None  # over 64 bits it gives a float
        return Reading(ints, floats)


def learn(
    frame: bytes,
    sections: Mapping[str, SectionStatus],
    boot_id: str | None,
    cpus: int | None,
    disks: Sequence[tuple[str, int]] | None,
    interfaces: Sequence[tuple[str, int]] | None,
    filesystems: Sequence[FilesystemFigures] | None,
) -> Layout | None:
    """Learn from a frame and what the careful parsers made of it; None where it must be read by them always.

    ``disks`` and ``interfaces`` are those shown, each with the number of its line.
    """
    if any(status in (SectionStatus.BROKEN, SectionStatus.TIMEOUT) for status in sections.values()):
        return None
    words = frame.split()
    try:
        found = walk(frame)
        numbers, mounts = _numbers(words, found, disks, interfaces, filesystems)
    except (UnfitError, KeyError, IndexError):
        return None
    floats, fixed = [_UPTIME, *found.loads], [*found.fixed, 2, _BOOT]
    clock = words[_CLOCK] != b"-"
    (floats if clock else fixed).append(_CLOCK)
    if found.pressure:
        floats += [found.pressure[name] for name in PRESSURES]
    taken = set(numbers)
    return Layout(
        sections=sections,
        boot_id=boot_id,
        cpus=cpus,
        disks=None if disks is None else tuple(name for name, _ in disks),
        interfaces=None if interfaces is None else tuple(name for name, _ in interfaces),
        mounts=mounts,
        clock=clock,
        pressure=bool(found.pressure),
        fixed_at=_at(fixed),
        fixed=tuple(_shared(words[place], found.mark) for place in fixed),
        figures_at=_at(numbers),
        digits_at=_at([*numbers, *(place for place in found.checked if place not in taken)]),
        floats_at=_at(floats),
        shares_at=_at(found.shares),
        lines=frame.count(b"\n"),
        mark=(mark := b"\n" + found.mark + b" "),
        marks=frame.count(mark),
    )


def _numbers(
    words: Sequence[bytes],
    found: Places,
    disks: Sequence[tuple[str, int]] | None,
    interfaces: Sequence[tuple[str, int]] | None,
    filesystems: Sequence[FilesystemFigures] | None,
) -> tuple[list[int], tuple[Mounted, ...] | None]:
    """Return the places of all whole figures in the order of a reading; raises where something is missing."""
    if not found.cpu or not found.loads or words[_UPTIME] == b"-" or len(found.pressure) not in (0, len(PRESSURES)):
        raise UnfitError
    numbers = [SEQ, *found.cpu, *(found.counts[name] for name in COUNTS), *(found.memory[name] for name in MEMORY)]
    for _, line in disks or ():
        numbers += found.disks[line]
    for _, line in interfaces or ():
        numbers += found.interfaces[line]
    if filesystems is None:
        return numbers, None
    mounts: list[Mounted] = []
    for one in filesystems:
        numbers += found.tables["df"][one.mount]
        if one.inodes is not None:
            numbers += found.tables["dfi"][one.mount][:2]
        mounts.append(Mounted(one.mount, one.device, one.fstype, one.inodes is not None))
    return numbers, tuple(mounts)


def _shared(word: bytes, mark: bytes) -> bytes:
    if word == mark:
        return mark
    return _words.setdefault(word, word) if len(_words) < _SHARED_MAX else _words.get(word, word)


def _at(places: Sequence[int]) -> At:
    key = tuple(places)
    found = _getters.get(key)
    if found is None:
        # itemgetter gives a tuple for two and more
        found = At(key, itemgetter(*key) if len(key) > 1 else lambda words: tuple(words[place] for place in key))
        if len(_getters) < _SHARED_MAX:
            _getters[key] = found
    return found


def getter(places: Sequence[int]) -> Getter:
    """Return what takes the words at these places; the same for the same places."""
    return _at(places).of
