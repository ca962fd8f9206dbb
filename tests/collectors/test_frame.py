"""Frames out of any chunks and any noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collectors.frame import FrameReader, build_frame, parse_frame
from core.exceptions import DataCollectionError
from core.models import SectionStatus

NONCE = "0123456789abcdef0123456789abcdef"


def frame(seq: int, text: str = "0.1 0.2 0.3 1/2 3") -> bytes:
    return build_frame(
        NONCE,
        seq,
        boot_id="b",
        uptime_s=10.0 + seq,
        clock=None,
        sections=[("loadavg", "ok", text), ("df", "absent", "")],
    )


@given(
    cuts=st.lists(st.integers(1, 400), max_size=40),
    noise=st.lists(st.binary(max_size=80), min_size=4, max_size=4),
)
def test_any_chunks_and_any_noise_between(cuts: list[int], noise: list[bytes]) -> None:
    frames = [frame(seq) for seq in range(3)]
    stream = noise[0] + b"".join(f + n for f, n in zip(frames, noise[1:], strict=True))
    reader, found = FrameReader(NONCE, 10_000), []
    for cut in [*cuts, len(stream)]:
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == frames


def test_one_byte_at_a_time() -> None:
    reader, stream = FrameReader(NONCE, 10_000), b"motd @" + frame(1) + frame(2)
    assert [f for n in range(len(stream)) for f in reader.feed(stream[n : n + 1])] == [frame(1), frame(2)]


def test_another_nonce_and_marks_within_a_line_are_content() -> None:
    text = f"x @{NONCE} E 1\n@{'0' * 32} E 1\n@{'0' * 32} S fake ok"
    (found,) = FrameReader(NONCE, 10_000).feed(frame(1, text))
    sections = parse_frame(found).sections
    assert set(sections) == {"loadavg", "df"}
    assert sections["loadavg"][1].decode() == text


def test_a_frame_that_was_cut_off_is_dropped() -> None:
    assert FrameReader(NONCE, 10_000).feed(frame(1)[:60] + frame(2)) == [frame(2)]


def test_the_cap_holds_for_whole_and_unended_frames() -> None:
    for chunks in ([frame(1, "x" * 5000)], [frame(1, "x" * 5000)[:-3]], [b"x" * 3000, frame(1)[:40] + b"y" * 4001]):
        reader = FrameReader(NONCE, 4000)
        with pytest.raises(DataCollectionError):
            for chunk in chunks:
                reader.feed(chunk)


def test_noise_is_not_held() -> None:
    reader = FrameReader(NONCE, 4000)
    for _ in range(100):
        assert reader.feed(b"noise " * 10_000) == []
    assert len(reader.noise) <= 2000 and len(reader._buffer) < 100


def test_what_a_frame_says() -> None:
    parsed = parse_frame(frame(7))
    assert (parsed.seq, parsed.boot_id, parsed.uptime_s, parsed.clock) == (7, "b", 17.0, None)
    assert parsed.sections == {
        "loadavg": (SectionStatus.OK, b"0.1 0.2 0.3 1/2 3"),
        "df": (SectionStatus.ABSENT, b""),
    }


def test_a_later_mark_corrects_a_section() -> None:
    text = frame(1).replace(b" S df absent", b" S loadavg timeout")
    assert parse_frame(text).sections["loadavg"] == (SectionStatus.TIMEOUT, b"0.1 0.2 0.3 1/2 3")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"hello\n",
        frame(1).replace(b" F 1 ", b" F 2 "),
        frame(1).replace(b" 11.00 ", b" 1e5 "),
        frame(1).replace(b" E 1\n", b" E 2\n"),
        frame(1)[:-10],
    ],
)
def test_what_is_no_frame(broken: bytes) -> None:
    with pytest.raises(DataCollectionError):
        parse_frame(broken)


@given(st.binary(max_size=300))
def test_garbage_after_a_head_never_breaks_the_parser(junk: bytes) -> None:
    parse_frame(f"@{NONCE} F 1 3 - - -\n".encode() + junk + f"\n@{NONCE} E 3\n".encode())
