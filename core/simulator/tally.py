"""How well the simulator itself keeps up: what it sent, what it left out, how late it was. For benchmarks."""

from __future__ import annotations

import json

COMMAND = "simulator-tally"
_TOP_MS = 5000


class Tally:
    """Counts the frames of all hosts since the last report; lateness in steps of a millisecond."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._late = [0] * (_TOP_MS + 1)
        self._frames = self._skipped = 0

    def sent(self, late_s: float, skipped: int) -> None:
        """Take down one frame that was due ``late_s`` seconds ago, and the ticks that were left out with it."""
        self._late[min(_TOP_MS, max(0, int(late_s * 1000.0)))] += 1
        self._frames += 1
        self._skipped += skipped

    def report(self) -> str:
        """Return the figures as JSON, times in milliseconds rounded up, and begin anew."""
        found = {"frames": self._frames, "skipped": self._skipped}
        found |= {f"late_p{share}_ms": self._percentile(share) for share in (50, 99, 100)}
        self._begin()
        return json.dumps(found) + "\n"

    def _percentile(self, share: int) -> int:
        wanted, seen = self._frames * share / 100.0, 0
        for step, count in enumerate(self._late):
            seen += count
            if count and seen >= wanted:
                return step + 1
        return 0
