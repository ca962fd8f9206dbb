"""What an importer brings back: hosts with the place they stand at, and what was left out and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from core.exceptions import ConfigurationError, ValidationError
from core.inventory.fields import validate_host
from core.models import Host

MAX_IMPORT_BYTES = 16 << 20
MAX_HOSTS = 50_000  # more is a slip in a range, not a fleet
FORGES = frozenset({"github.com", "gitlab.com", "bitbucket.org", "ssh.dev.azure.com", "codeberg.org", "git.sr.ht"})
_SECRET = re.compile(r"pass(word|wd|phrase)?s?$|pass_|secret|token|api_?key|vault|credential|_otp$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out, where it stands, and why."""

    name: str
    where: str  # file:line
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A host that a file names, and where."""

    host: Host
    where: str  # file:line


@dataclass(slots=True)
class Reading:
    """What a file gave; importers fill it."""

    format: str
    found: dict[str, Found] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def take(self, host: Host, where: str) -> bool:
        """Take a host that is fit and new here; otherwise say why it is left out."""
        earlier = self.found.get(host.name)
        if earlier is not None:
            self.skip(host.name, where, f"stands at {earlier.where} already: the first one counts")
            return False
        try:
            validate_host(host)
        except ValidationError as error:
            self.skip(host.name, where, error.message)
            return False
        if len(self.found) >= MAX_HOSTS:
            raise ConfigurationError(f"{where}: over {MAX_HOSTS} hosts: import them in parts", operation="import hosts")
        self.found[host.name] = Found(host, where)
        return True

    def skip(self, name: str, where: str, why: str) -> None:
        """Say that something is left out. ``why`` holds no value of the file that could be a secret."""
        self.skipped.append(Skipped(name[:120], where, why))


def is_secret(name: str) -> bool:
    """Say whether a variable or column of that name is likely to hold a secret: such are never copied."""
    return _SECRET.search(name) is not None
