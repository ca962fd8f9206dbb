"""Exponential backoff with full jitter, pure: the caller brings the random number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: uniform in (0, min(cap, base * 2**failures)).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter).
    """

    base_s: float
    cap_s: float

    def ceiling(self, failures: int) -> float:
        """The longest delay after so many failures in a row (at least 1)."""
        return min(self.cap_s, self.base_s * 2.0 ** min(max(failures, 1), 32))

    def delay(self, failures: int, random: float) -> float:
        """The delay for a random number in [0, 1); never under a tenth of the base, so no host is hammered."""
        return max(self.base_s / 10, self.ceiling(failures) * random)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Waits, in seconds, before a host that refuses the login is tried again: few tries, for others count them.

    fail2ban bans after 5 failures within 10 minutes, and OpenSSH 9.8 and newer holds off an address that fails: the
    first wait is five minutes, each next one twice as long up to an hour, and chance only ever adds to it.
    """

    base_s: float = 300.0
    cap_s: float = 3600.0

    def delay(self, refusals: int, random: float) -> float:
        """The delay after so many refusals in a row (at least 1), for a random number in [0, 1)."""
        return min(self.cap_s, self.base_s * 2.0 ** min(max(refusals, 1) - 1, 32)) * (1.0 + random / 2.0)
