"""Captures with faults, and plain garbage: an error of ours or figures that the capture has; never a wrong number.

JUMPWATCH_TEST_EXAMPLES=100000 makes as many faults of each sort over all captures.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.collectors.assemble import SampleAssembler
from core.collectors.catalog import COLLECTORS, check
from core.exceptions import DataCollectionError
from core.models import Finding, SectionStatus
from core.ports import CommandResult
from tests.collectors.captures import FOLDER, NAMES, Capture, load, picture
from tests.parts import examples

SHARED = Path(__file__).parents[3] / "shared" / "captures"
SHARED_KINDS = {  # proc-stat2 is several files in one, so a figure that is spoilt stands in it again
    "proc-stat": "stat",
    "proc-meminfo": "meminfo",
    "proc-loadavg": "loadavg",
    "proc-diskstats": "diskstats",
    "proc-net_dev": "netdev",
    "df-long-filesystem": "df",
    "mdadm-query-detail": "mdadm",
    "mdadm-query-raid1-faulty": "mdadm",
    "mdadm-query-raid1-ok": "mdadm",
    "zpool-status-v": "zpool-status",
    "zpool-status-v2": "zpool-status",
}
ALL = [*NAMES, *(f"shared/{name}" for name in SHARED_KINDS)]
EACH = max(1, examples(25 * len(ALL)) // len(ALL))
LETTERS = "xzOQ"  # none is a hexadecimal digit or a unit
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def capture_of(name: str) -> Capture:
    folder, _, rest = name.partition("/")
    if folder != "shared":
        return load(name)
    if not (SHARED / f"{rest}.out").exists():
        pytest.skip("the folder of captures is not beside the repository")
    return Capture(SHARED_KINDS[rest], (SHARED / f"{rest}.out").read_bytes(), {})


def frame() -> bytes:
    """One frame of the loop with the captures of one kind of host in it."""
    sections = {
        "stat": "stat/debian12", "meminfo": "meminfo/debian12", "loadavg": "loadavg/busy",
        "pressure_cpu": "pressure/debian12", "diskstats": "diskstats/nvme-raid-and-optical",
        "netdev": "netdev/debian12", "df": "df/raspberry-pi", "dfi": "dfi/odd-names-coreutils",
        "mounts": "mounts/odd-names",
    }  # fmt: skip
    parts = [b"@0123456789abcdef F 1 7 4f3b-77 8123.45 1718000000.5\n"]
    for name, capture in sections.items():
        parts.append(b"@0123456789abcdef S %s ok\n" % name.encode() + load(capture).text)
    return b"".join(parts) + b"@0123456789abcdef E 7\n"


def numbers(shown: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a picture with the name of its field; the names of devices are no fields."""
    if isinstance(shown, dict):
        for name, part in shown.items():
            yield from numbers(part, "" if isinstance(part, list) and not key else name)
    elif isinstance(shown, list):
        for part in shown:
            yield from numbers(part, key)
    elif isinstance(shown, int | float) and not isinstance(shown, bool):
        yield key, shown


def texts(shown: Any) -> Iterator[str]:
    """Every text of a picture, names of fields and devices too."""
    if isinstance(shown, dict):
        yield from (name for name in shown)
        shown = list(shown.values())
    if isinstance(shown, list):
        for part in shown:
            yield from texts(part)
    elif isinstance(shown, str):
        yield shown


def read_or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DataCollectionError as exc:
        assert exc.message.isprintable() and len(exc.message) < 600
        return None


def chances(name: str) -> random.Random:
    """The same faults in every run; as many as are asked for."""
    return random.Random(f"{name} {os.environ.get('JUMPWATCH_TEST_SEED', '')}")


@pytest.mark.parametrize("name", ALL)
def test_a_letter_in_a_number_makes_it_unknown_and_never_another(name: str) -> None:
    capture, chance = capture_of(name), chances(name)
    before = read_or_none(capture.read)
    known = set(numbers(picture(before)))
    places = [i for i, byte in enumerate(capture.text) if 48 <= byte <= 57]
    for _ in range(EACH if places else 0):
        text = bytearray(capture.text)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            text[chance.choice(places)] = ord(chance.choice(LETTERS))
        after = read_or_none(lambda text=bytes(text): capture.read(text))  # type: ignore[misc]
        wrong = set(numbers(picture(after))) - known
        assert not wrong, (wrong, bytes(text))


@pytest.mark.parametrize("name", ALL)
def test_any_fault_at_all_is_borne(name: str) -> None:
    capture, chance = capture_of(name), chances(name)
    others = [capture_of(other).text for other in chance.sample(NAMES, 3)]
    for _ in range(EACH):
        text = bytes(spoilt(capture.text, others, chance))
        found = read_or_none(lambda text=text: capture.read(text))  # type: ignore[misc]
        assert all(shown.isprintable() for shown in texts(picture(found))), found
        if isinstance(found, Finding):
            assert (found.value is None) == (found.status is not SectionStatus.OK)


def spoilt(text: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Cut, double, swap, overwrite or mix in something: what broken pipes, full disks and odd shells do."""
    for _ in range(chance.randint(1, 3)):
        a, b = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        lines = text.split(b"\n")
        match chance.randrange(8):
            case 0:
                text = text[:a]
            case 1:
                text = text[:a] + text[b:]
            case 2:
                text = text[:b] + text[a:]
            case 3:
                chance.shuffle(lines)
                text = b"\n".join(lines)
            case 4:
                text = text[:a] + chance.randbytes(chance.randint(1, 30)) + text[b:]
            case 5:
                other = chance.choice(others)
                text = text[:a] + other[: chance.randrange(len(other) + 1)] + text[a:]
            case 6:
                text = (
                    text[:a]
                    + chance.choice((b"\x00", b"\x1b[2J", b"9" * 40, b"-1", b"1e999", b"NaN", b"\r"))
                    + text[a:]
                )
            case _:
                del lines[chance.randrange(len(lines))]
                text = b"\n".join(lines)
    return text


def test_a_letter_in_a_frame_makes_a_figure_unknown_and_never_another() -> None:
    text, chance = frame(), chances("frame")
    first = SampleAssembler("h").feed(text, WHEN)
    known = set(numbers(picture(first)))
    assert first.system.load1 == 128.0 and first.filesystems and first.disks
    places = [i for i, byte in enumerate(text) if 48 <= byte <= 57 and i > 60]
    for _ in range(examples(400)):
        copy = bytearray(text)
        copy[chance.choice(places)] = ord(chance.choice(LETTERS))
        sample = read_or_none(lambda copy=bytes(copy): SampleAssembler("h").feed(copy, WHEN))  # type: ignore[misc]
        assert not set(numbers(picture(sample))) - known, bytes(copy)


def test_spoilt_frames_in_a_row_are_borne() -> None:
    text, chance = frame(), chances("frames")
    assembler = SampleAssembler("h")
    for number in range(examples(400)):
        given_text = text if number % 3 == 0 else spoilt(text, [text], chance)
        sample = read_or_none(lambda given_text=given_text: assembler.feed(given_text, WHEN))  # type: ignore[misc]
        for disk in (sample.disks or ()) if sample is not None else ():
            assert disk.busy_pct is None or 0.0 <= disk.busy_pct <= 100.0


PIECES = """@jw end|@jw ss|@jw who|@jw systemd|@jw list|@jw exit 0|@jw status|@jw apt|@jw kernel 6|@jw uptime 1 2 100
|@jw process 1 2|@jw smart /dev/sda auto|@jw mdstat|@jw ps docker|@jw exit docker 0|{}|[]|[{}]|null|1|-1
|Personalities : |md0 : active|Id=a.service|ActiveState=failed| state: ONLINE|  pool: x|config:|Uid:\t0|\t| |\\
|a=1;2;3|'|users:((|LISTEN|tcp LISTEN 0 0 *:1 *:*"""
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(PIECES.split("|")), max_size=12).map("\n".join)


@pytest.mark.parametrize("name", [*COLLECTORS, "check"])
@settings(max_examples=examples(60), derandomize="JUMPWATCH_TEST_EXAMPLES" not in os.environ, deadline=None)
@given(stdout=TEXTS, stderr=st.text(max_size=40), code=st.none() | st.integers(-1, 300))
def test_garbage_gives_a_finding(name: str, stdout: str, stderr: str, code: int | None) -> None:
    collector = COLLECTORS.get(name) or check("c", ["x"])
    finding = collector.read(CommandResult(code, stdout, stderr))
    assert all(shown.isprintable() for shown in texts(picture(finding))), finding
    assert (finding.value is None) == (finding.status is not SectionStatus.OK)


def test_endless_lines_and_deep_nesting_are_refused_soon() -> None:
    """What a hostile host may send within the cap of output: patterns must not run away on it."""
    size = 1 << 16
    one_of_each = {load(name).kind: load(name) for name in NAMES}
    for line in (
        "a" * size,
        " " * size,
        "a " * size,
        "'" * size,
        "[" * size,
        "1" * size,
        "a-" * size,
        "/dev/x " * size,
    ):
        for kind, capture in one_of_each.items():
            texts = [line.encode()]
            if kind in COLLECTORS:
                mark, rest = capture.text.split(b"\n", 1)
                texts.append(mark + b"\n" + line.encode() + b"\n" + rest)
            for text in texts:
                read_or_none(lambda capture=capture, text=text: capture.read(text))  # type: ignore[misc]


def test_the_folder_holds_pairs_only() -> None:
    assert {path.suffix for path in FOLDER.rglob("*") if path.is_file()} == {".out", ".json", ".md"}
    assert len(list(FOLDER.rglob("*.json"))) == len(NAMES)
