"""What each package manager prints of updates: names of packages, and which of them are for security."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.collectors.output import broken, lines_of
from core.collectors.text import clean

KIND = "updates"
_APT = re.compile(r"Inst (\S+) \[[^\]]*\] \((\S+) ?([^)]*)\).*")
_APT_OTHER = re.compile(r"(?:Inst|Conf|Remv|Purg) \S+.*")
_APT_SECURITY = re.compile(r"security|ESM", re.IGNORECASE)
_DNF = re.compile(r"(\S+)\.([a-z]\w*) +(\S+) +(\S+) *")  # name and architecture, version, repository
_DNF_LONG = re.compile(r"\S+\.[a-z]\w* *")
_APK = re.compile(r"(\S+)-\d[^-\s]*(?:-r\d+)? +< +(\d\S*).*")
_PACMAN = re.compile(r"(\S+) (\S+) -> (\S+)( \[ignored\])?")


@dataclass(frozen=True, slots=True)
class Packages:
    """Names of pending packages, and those for security; None: not told."""

    names: frozenset[str]
    security: frozenset[str] | None = None


def apt(text: str) -> Packages:
    """Read ``apt-get -s dist-upgrade``: what would be upgraded, not what would come new."""
    names: dict[str, bool] = {}
    for line in lines_of(KIND, text):
        found = _APT.fullmatch(line)
        if found is not None:
            names[clean(found[1])] = _APT_SECURITY.search(found[3]) is not None
        elif _APT_OTHER.fullmatch(line) is None and not line.startswith(("NOTE:", "      ")):
            raise broken(KIND, line)
    return Packages(frozenset(names), frozenset(name for name, urgent in names.items() if urgent))


def dnf(text: str) -> Packages:
    """Read ``dnf check-update``: one package a line, a long name on a line of its own; plugins may talk between."""
    names = set()
    held = ""
    for line in lines_of(KIND, text):
        if line.startswith("Obsoleting"):
            break
        found = _DNF.fullmatch(f"{held} {line.strip()}" if held else line)
        held = ""
        if found is not None:
            names.add(clean(found[1]))
        elif _DNF_LONG.fullmatch(line):
            held = line.strip()
    return Packages(frozenset(names))


def advisories(text: str, pending: frozenset[str]) -> frozenset[str] | None:
    """Read ``updateinfo list`` of dnf 4, dnf 5 or yum; None where a repository has no advisories to tell from."""
    urgent, any_told = set(), False
    for line in lines_of(KIND, text):
        fields = line.split()  # advisory, kind (dnf 5: and severity), package with version and release
        package = next((field for field in fields[2:4] if field.count("-") >= 2), None)
        if package is None:
            continue
        any_told = True
        if fields[1].endswith("Sec.") or fields[1].lower() == "security":
            urgent.add(clean(package.rsplit("-", 2)[0]))
    return frozenset(urgent & pending) if any_told or not pending else None


def apk(text: str) -> Packages:
    """Read ``apk version -l '<'``."""
    names = set()
    for line in lines_of(KIND, text):
        if line.startswith(("Installed:", "WARNING:", "fetch ")):
            continue
        found = _APK.fullmatch(line)
        if found is None:
            raise broken(KIND, line)
        names.add(clean(found[1]))
    return Packages(frozenset(names))


def pacman(text: str) -> Packages:
    """Read ``pacman -Qu`` or ``checkupdates``; what the operator has told pacman to ignore does not count."""
    names = set()
    for line in lines_of(KIND, text):
        if line.startswith(("warning:", ":: ")):
            continue
        found = _PACMAN.fullmatch(line.rstrip())
        if found is None:
            raise broken(KIND, line)
        if not found[4]:
            names.add(clean(found[1]))
    return Packages(frozenset(names))


READERS: Mapping[str, Callable[[str], Packages]] = {
    "apt": apt, "dnf": dnf, "yum": dnf, "apk": apk, "pacman": pacman, "checkupdates": pacman,
}  # fmt: skip
SECURITY_READERS = {"dnf": advisories, "yum": advisories}
