"""Frames read by position give what the careful parsers give, and anything odd goes back to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from core.collectors.assemble import SampleAssembler
from core.collectors.layout import Reading
from core.collectors.loop import LoopRequest
from core.collectors.shape import Shape
from core.exceptions import DataCollectionError
from core.models import HostSample
from core.simulator.fleet import spec_of
from core.simulator.machine import Machine
from core.simulator.wire import Frames

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KINDS = ("even", "web", "db", "cache", "nas", "ci", "edge", "docker")


class Careful(SampleAssembler):
    """Never learns."""

    def _learn(self, frame: bytes, words: int, sample: HostSample) -> None:
        pass


def frames(kind: str, count: int, *, slow_every_s: float = 10.0) -> Iterator[bytes]:
    """The frames of one host, one a second."""
    machine = Machine(spec_of(f"{kind}-1", kind, 7), 1_700_000_000.0)
    writer = Frames(machine.spec, LoopRequest(1.0), slow_every_s)
    for second in range(count):
        machine.advance(float(second))
        yield writer.write(machine)


def taken(assembler: SampleAssembler, frame: bytes, second: int) -> HostSample | str:
    try:
        return assembler.feed(frame, AT + timedelta(seconds=second))
    except DataCollectionError as exc:
        return exc.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_read_by_position_is_the_stream_read_with_care(kind: str) -> None:
    quick, careful = SampleAssembler("h"), Careful("h")
    for second, frame in enumerate(frames(kind, 40)):
        assert taken(quick, frame, second) == taken(careful, frame, second)
    assert quick._missed == 0 and len(quick._layouts) == 2, "with and without filesystems"


def test_most_frames_are_read_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    assembler, careful = SampleAssembler("h"), 0
    real = assembler._careful

    def counted(frame: bytes, received: datetime) -> HostSample:
        nonlocal careful
        careful += 1
        return real(frame, received)

    monkeypatch.setattr(assembler, "_careful", counted)
    for second, frame in enumerate(frames("even", 100)):
        taken(assembler, frame, second)
    assert careful == 2


@pytest.mark.parametrize("seed", range(8))
def test_no_damage_to_a_frame_is_read_otherwise_than_with_care(seed: int) -> None:
    chance = random.Random(seed)
    good = list(frames(KINDS[seed % len(KINDS)], 30, slow_every_s=0.0))
    quick, careful = SampleAssembler("h"), Careful("h")
    for second, frame in enumerate(good[:3]):
        taken(quick, frame, second), taken(careful, frame, second)
    seen = 0
    for second, frame in enumerate(good[3:] * 12, 3):
        bad = bytearray(frame)
        for _ in range(chance.choice((1, 1, 2, 5))):
            place = chance.randrange(len(bad))
            how = chance.randrange(3)
            if how == 0:
                bad[place] = chance.choice(b"0123456789 .-+_eE\n\t@a%/:\x00\xff")
            elif how == 1:
                del bad[place : place + chance.choice((1, 2, 40))]
            else:
                bad[place:place] = chance.choice((b"0", b"9" * 30, b" ", b"-", b".", b"_1", b"\n", b"\xb2"))
        # Each from the same point: what is odd in one frame must not hide what is odd in the next.
        again_quick, again_careful = SampleAssembler("h"), Careful("h")
        for number, known in enumerate(good[:3]):
            taken(again_quick, known, number), taken(again_careful, known, number)
        found, expected = taken(again_quick, bytes(bad), second), taken(again_careful, bytes(bad), second)
        if found != expected:
            _only_spacing_or_unused(bytes(bad), found, expected)
            seen += 1
        assert taken(again_quick, frame, second + 1) is not None
    assert seen < 40


@pytest.mark.parametrize("kind", KINDS)
def test_most_frames_keep_their_shape(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cut, real = 0, Shape.read

    def counted(shape: Shape, frame: bytes) -> Reading | None:
        nonlocal cut
        reading = real(shape, frame)
        cut += reading is not None
        return reading

    monkeypatch.setattr(Shape, "read", counted)
    quick, careful = SampleAssembler("h"), Careful("h")
    for second, frame in enumerate(frames(kind, 200)):
        assert taken(quick, frame, second) == taken(careful, frame, second)
    assert cut > (180 if kind == "even" else 50), "figures of busy hosts get and lose a digit often"


@pytest.mark.parametrize("kind", KINDS)
def test_other_digits_are_read_as_with_care(kind: str) -> None:
    """A shape looks at places alone: digits of names and marks must be the same, the others are the figures."""
    chance = random.Random(kind)
    good = list(frames(kind, 3, slow_every_s=0.0))
    last, seen = good[2], 0
    for turn in range(150):
        quick, careful = SampleAssembler("h"), Careful("h")
        for second, frame in enumerate([*good, last, last]):
            taken(quick, frame, second), taken(careful, frame, second)
        assert quick._shapes.read(last) is not None
        bad = bytearray(last)
        digits = [place for place, byte in enumerate(last) if chr(byte).isdigit()]
        for place in chance.sample(digits, chance.choice((1, 1, 2, 5, 30))):
            bad[place] = chance.choice(b"0123456789")
        found, expected = taken(quick, bytes(bad), 5), taken(careful, bytes(bad), 5)
        if found != expected:
            _only_spacing_or_unused(bytes(bad), found, expected)
            seen += 1
        assert seen <= turn / 10 + 3


def _only_spacing_or_unused(bad: bytes, found: HostSample | str, expected: HostSample | str) -> None:
    """Where they differ, care found a section broken: no figure that it does give is another one."""
    assert isinstance(found, HostSample), (found, expected)
    if not isinstance(expected, HostSample):
        return
    pairs: list[tuple[object, object]] = [(found.system, expected.system)]
    for name in ("filesystems", "disks", "interfaces"):
        items = getattr(expected, name)
        pairs += zip(getattr(found, name) or (), items, strict=True) if items is not None else ()
    for mine, theirs in pairs:
        for field in fields(theirs):  # type: ignore[arg-type]
            assert getattr(theirs, field.name) in (None, getattr(mine, field.name)), (field.name, bad)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"procs_running 1", b"procs_running -1"),
        (b"MemTotal:", b"MemTotel:"),
        (b" kB", b" MB"),
        (b" ok\n", b" forbidden\n"),
    ],
)
def test_words_that_are_no_figures_must_stand_still(old: bytes, new: bytes) -> None:
    good = list(frames("even", 4, slow_every_s=0.0))
    quick, careful = SampleAssembler("h"), Careful("h")
    for second, frame in enumerate(good[:3]):
        taken(quick, frame, second), taken(careful, frame, second)
    bad = good[3].replace(old, new)
    assert taken(quick, bad, 3) == taken(careful, bad, 3)


def test_a_reboot_starts_anew() -> None:
    quick, careful = SampleAssembler("h"), Careful("h")
    stream = list(frames("even", 6))
    stream[4:] = [frame.replace(b"-4", b"-5") for frame in stream[4:]]
    stream += list(frames("even", 3))[1:]  # uptime goes back
    for second, frame in enumerate(stream):
        assert taken(quick, frame, second) == taken(careful, frame, second)
