"""The wire format of the loop: frames cut out of a byte stream, and sections out of a frame.

``@NONCE F 1 <seq> <boot id|-> <uptime|-> <wall clock|->``, then for each section ``@NONCE S <name> <status>`` and
its raw text, at last ``@NONCE E <seq>``; each mark is a line. The nonce is random for each stream, so that nothing
that the host prints can pass for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.exceptions import DataCollectionError
from core.models import SectionStatus

VERSION = b"1"
NOISE_KEPT = 2000
_TAIL = 80  # bytes that hold the end of a frame
_STATUS = {status.value.encode(): status for status in SectionStatus}
_NAMES = {
    name.encode(): name  # the usual names, ready decoded
    for name in (
        *("stat", "meminfo", "loadavg", "pressure_cpu", "pressure_memory", "pressure_io", "diskstats", "netdev"),
        *("df", "dfi", "mounts"),
    )
}
_HEAD = re.compile(rb"(@[0-9a-f]+) F (\d+) (\d{1,18}) (\S{1,64}) (-|\d{1,12}(?:\.\d{1,9})?) (-|\d{1,12}(?:\.\d{1,9})?)")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: uptime in seconds, wall clock in seconds since the epoch, raw text by section."""

    seq: int
    boot_id: str | None
    uptime_s: float | None
    clock: float | None
    sections: dict[str, tuple[SectionStatus, bytes]]


class FrameReader:
    """Cuts whole frames out of what the channel brings; skips all noise; holds at most ``max_bytes``."""

    def __init__(self, nonce: str, max_bytes: int) -> None:
        self._begin = f"@{nonce} F ".encode("ascii")
        self._end = f"\n@{nonce} E ".encode("ascii")
        self._max = max_bytes
        self._buffer = b""
        self._searched = 0
        self._inside = False
        self._noise = b""

    @property
    def noise(self) -> bytes:
        """The last of what came outside frames: banner, motd, or why the login shell refused."""
        return self._noise if self._inside else (self._noise + self._buffer)[-NOISE_KEPT:]

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that this chunk completes; raise DataCollectionError for one over the cap."""
        # Nearly always one chunk is one frame.
        if not self._buffer and data.startswith(self._begin) and data.endswith(b"\n") and len(data) <= self._max:
            end = data.find(self._end, -_TAIL)
            # Of two frames, or of a half one and a whole one, begin and end tell different numbers.
            seq = data[end + len(self._end) : -1]
            if end > 0 and data.startswith(b"%b %b " % (VERSION, seq), len(self._begin)):
                return [data]
        self._buffer = self._buffer + data if self._buffer else data
        frames: list[bytes] = []
        while self._inside or self._enter():
            frame = self._take()
            if frame is None:
                break
            frames.append(frame)
        if len(self._buffer) > self._max or any(len(frame) > self._max for frame in frames):
            raise DataCollectionError(
                f"a frame of more than {self._max} bytes: raise JUMPWATCH_POLLING_FRAME_MAX_BYTES if it is meant",
                details={"kind": "data"},
                operation="stream",
            )
        return frames

    def _enter(self) -> bool:
        """Drop what stands before the next frame; keep a tail that may be the first half of its mark."""
        at = self._buffer.find(self._begin)
        keep = at if at >= 0 else max(0, len(self._buffer) - len(self._begin) + 1)
        if keep:
            self._noise = (self._noise + self._buffer[:keep])[-NOISE_KEPT:]
            self._buffer = self._buffer[keep:]
        self._inside, self._searched = at >= 0, 0
        return self._inside

    def _take(self) -> bytes | None:
        end = self._buffer.find(self._end, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(self._end))
            return None
        stop = self._buffer.find(b"\n", end + len(self._end))
        if stop < 0:
            self._searched = end
            return None
        # A frame that was cut off by a new one is dropped: the last begin before this end counts.
        start = self._buffer.rfind(self._begin, 0, end)
        frame, self._buffer = self._buffer[start : stop + 1], self._buffer[stop + 1 :]
        self._inside = False
        return frame


def parse_frame(frame: bytes) -> Frame:
    """Take one whole frame apart; raise DataCollectionError where it is none of this version."""
    head, _, _ = frame.partition(b"\n")
    found = _HEAD.fullmatch(head)
    if found is None:
        raise DataCollectionError("a frame with an unreadable head", operation="collect", details={"kind": "data"})
    mark, version, seq, boot, uptime, clock = found.groups()
    if version != VERSION:
        raise DataCollectionError(
            f"a frame of version {version.decode()}, not {VERSION.decode()}: update the loop installed on the host",
            operation="collect",
            details={"kind": "data"},
        )
    body, end, tail = frame.rpartition(b"\n" + mark + b" E ")
    if not end or tail.strip() != seq:
        raise DataCollectionError("a frame without its end", operation="collect", details={"kind": "data"})
    sections: dict[str, tuple[SectionStatus, bytes]] = {}
    for part in body.split(b"\n" + mark + b" S ")[1:]:
        line, _, text = part.partition(b"\n")
        name, _, word = line.partition(b" ")
        status = _STATUS.get(word, SectionStatus.BROKEN)
        if status is SectionStatus.OK and not text:
            status = SectionStatus.ABSENT  # a file that opens and cannot be read, such as pressure with psi=0
        key = _NAMES.get(name) or name.decode("ascii", "replace")
        earlier = sections.get(key)
        # The sh loop says ok before it knows: a second mark corrects the first and leaves its text.
        sections[key] = (status, text or earlier[1]) if earlier else (status, text)
    return Frame(
        seq=int(seq),
        boot_id=None if boot == b"-" else boot.decode("ascii", "replace"),
        uptime_s=None if uptime == b"-" else float(uptime),
        clock=None if clock == b"-" else float(clock),
        sections=sections,
    )


def build_frame(
    nonce: str,
    seq: int,
    *,
    boot_id: str | None,
    uptime_s: float | None,
    clock: float | None,
    sections: Iterable[tuple[str, str, str]],
) -> bytes:
    """Write a frame as the loop does, from (name, status, text) of each section."""
    uptime = "-" if uptime_s is None else f"{uptime_s:.2f}"
    wall = "-" if clock is None else f"{clock:.3f}"
    parts = [f"@{nonce} F 1 {seq} {boot_id or '-'} {uptime} {wall}\n"]
    for name, status, text in sections:
        parts.append(f"@{nonce} S {name} {status}\n{text}{'' if not text or text.endswith(chr(10)) else chr(10)}")
    parts.append(f"@{nonce} E {seq}\n")
    return "".join(parts).encode("utf-8", "surrogateescape")
