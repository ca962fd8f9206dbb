"""What a slow collector is: one command, and the pure parser of what it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.exceptions import DataCollectionError
from core.models import Finding, SectionStatus
from core.ports import CommandResult

Parse = Callable[[CommandResult], Finding]
"""Raises DataCollectionError alone, and only where the output is not in its format."""


@dataclass(frozen=True, slots=True)
class Collector:
    """One kind of finding. ``argv`` is constant; a script in it is one line without ``!``, for any login shell.

    Run what ``command`` returns. ``wants_root`` says that root tells more; the user allows it per host and collector.
    """

    name: str
    argv: tuple[str, ...]
    parse: Parse
    interval_s: float
    timeout_s: float = 20.0
    max_output: int = 1 << 20  # bytes
    wants_root: bool = False

    def command(self, *, root: bool = False) -> tuple[str, ...]:
        """Return the words to run; with ``root`` by ``sudo -n``.

        A script puts sudo before the one tool that needs it, so that sudoers need allow no shell.
        """
        if not (root and self.wants_root):
            return self.argv
        if self.argv[:2] == ("sh", "-c"):
            return (*self.argv[:3], "jumpwatch", "sudo -n", *self.argv[5:])
        return ("sudo", "-n", *self.argv)

    def read(self, result: CommandResult) -> Finding:
        """Return the finding; never raises: what cannot be read is BROKEN, with the reason."""
        try:
            return self.parse(result)
        except DataCollectionError as exc:
            return Finding(self.name, SectionStatus.BROKEN, None, exc.message)
