"""Packages that wait to be updated, and whether a reboot is due: apt-get, dnf, yum, apk, pacman.

Nothing is locked or installed; only pacman's checkupdates fetches lists of its own.
"""

from __future__ import annotations

import re

from core.collectors.collector import Collector
from core.collectors.output import (
    Section,
    absent,
    broken,
    denied,
    first_line,
    forbidden,
    maybe_whole,
    refused,
    script,
    sections,
    unusable,
)
from core.collectors.packages import READERS, SECURITY_READERS, Packages
from core.collectors.text import clean
from core.models import Finding, Level, SectionStatus, UpdateFigures
from core.ports import CommandResult

KIND = "updates"
_SCRIPT = (
    "k=; read -r k </proc/sys/kernel/osrelease; echo @jw kernel $k; [ -d /lib/modules/$k ] && echo @jw modules; "
    'for f in /boot/vmlinuz-*; do [ -e "$f" ] && echo "@jw installed ${f#/boot/vmlinuz-}"; done; '
    "if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then echo @jw reboot file; fi; "
    "have() { command -v $1 >/dev/null 2>&1; }; "
    "age() { for f in $1; do [ -e $f ] || continue; "
    "echo @jw age $(($(date +%s) - $(stat -c %Y $f))); return 0; done; echo @jw nolists $2; return 1; }; "
    "if have apt-get; then age '/var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists/*_InRelease "
    "/var/lib/apt/lists/*_Release /var/lib/apt/lists/*_Packages*' 'apt-get update' && { "
    "echo @jw apt; apt-get -s -qq -o Debug::NoLocking=1 -o APT::Get::Show-User-Simulation-Note=0 dist-upgrade; "
    "echo @jw exit $?; }; "
    "elif have dnf || have yum; then m=yum; have dnf && m=dnf; "
    "echo @jw $m; $1 $m -q check-update; r=$?; echo @jw exit $r; "
    "echo @jw advisories; $1 $m -q updateinfo list; echo @jw exit $?; "
    "if have needs-restarting; then needs-restarting -r >/dev/null 2>&1; echo @jw restarting $?; fi; "
    "elif have apk; then age '/var/cache/apk/APKINDEX.*.tar.gz /etc/apk/cache/APKINDEX.*.tar.gz' 'apk update' && { "
    'echo @jw apk; apk version -l "<"; echo @jw exit $?; }; '
    "elif have pacman; then if have checkupdates; then echo @jw checkupdates; checkupdates; echo @jw exit $?; "
    "else age '/var/lib/pacman/sync/*.db' 'pacman -Sy' && { echo @jw pacman; pacman -Qu; echo @jw exit $?; }; fi; "
    "else echo @jw none; fi; echo @jw end"
)
_KEPT = 200
# What each exit code means: that updates are there, and that none are. apt-get and apk tell both with 0.
_SOME = {"apt": ("0",), "dnf": ("100",), "yum": ("100",), "apk": ("0",), "pacman": ("0",), "checkupdates": ("0",)}
_NONE = {"apt": ("0",), "dnf": ("0",), "yum": ("0",), "apk": ("0",), "pacman": ("1", "0"), "checkupdates": ("2",)}
_NO_REPOSITORIES = re.compile(r"no enabled repos|no usable package repositories")
_RELEASE = re.compile(r"\d+|[A-Za-z]+")


def parse(result: CommandResult) -> Finding:
    """Read the package manager's answer; raise DataCollectionError where it is something else."""
    gone = refused(KIND, result, "the package manager")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    named = {part.name: part for part in parts}
    if "none" in named:
        return absent(KIND, "no apt-get, dnf, yum, apk or pacman: other package managers are not read")
    if "nolists" in named:
        return absent(KIND, f"the host has no package lists: run {clean(' '.join(named['nolists'].words))} there")
    manager = next((name for name in _SOME if name in named), None)
    if manager is None or "kernel" not in named:
        raise broken(KIND, result.stdout)
    place = parts.index(named[manager])
    code = _exit(parts[place + 1 :])
    found = READERS[manager](named[manager].text)
    if code not in (_SOME if found.names else _NONE)[manager]:
        return _failed(manager, code, result.stderr)
    security = _security(manager, parts, found)
    pending = len(found.names)
    figures = UpdateFigures(
        manager="pacman" if manager == "checkupdates" else manager,
        pending=pending,
        security=None if security is None else len(security),
        packages=tuple(sorted(found.names, key=lambda name: (name not in (security or ()), name)))[:_KEPT],
        reboot_needed=_reboot(named, parts),
        running_kernel=clean(" ".join(named["kernel"].words)) or None,
        newest_kernel=_newest(parts),
        lists_age_s=_age(named),
    )
    return Finding(KIND, SectionStatus.OK, figures, _said(figures), _level(figures))


def _exit(parts: list[Section]) -> str:
    if not parts or parts[0].name != "exit" or len(parts[0].words) != 1:
        raise broken(KIND, "no exit code")
    return parts[0].words[0]


def _failed(manager: str, code: str, complaint: str) -> Finding:
    if denied(complaint):
        return forbidden(KIND, f"{first_line(complaint)}: allow sudo -n {manager} for this login")
    if _NO_REPOSITORIES.search(complaint):
        return absent(KIND, f"no repository is enabled: {first_line(complaint)}")
    raise unusable(KIND, first_line(complaint) or f"{manager} ended with {code}")


def _security(manager: str, parts: list[Section], found: Packages) -> frozenset[str] | None:
    """Names of pending packages with a security update; None where the package manager does not tell."""
    if manager not in SECURITY_READERS:
        return found.security
    places = [i for i, part in enumerate(parts) if part.name == "advisories"]
    if not places or _exit(parts[places[0] + 1 :]) != "0":
        return None
    return SECURITY_READERS[manager](parts[places[0]].text, found.names)


def _reboot(named: dict[str, Section], parts: list[Section]) -> bool | None:
    """What says that a reboot is due, surest first; None where nothing tells."""
    if "reboot" in named:
        return True
    if "restarting" in named and named["restarting"].words in (("0",), ("1",)):
        return named["restarting"].words == ("1",)
    running = " ".join(named["kernel"].words)
    installed = {part.words[0] for part in parts if part.name == "installed" and part.words}
    if installed and "modules" not in named:
        return True  # the running kernel's modules are gone: it was replaced
    newest = _newest(parts)
    if newest is None:
        return None  # a container, or a kernel that is no package
    return newest != running if running in installed else None


def _newest(parts: list[Section]) -> str | None:
    """The newest installed kernel of the running one's flavour, such as amd64 or generic."""
    running = next((" ".join(part.words) for part in parts if part.name == "kernel"), "")
    flavour = _flavour(running)
    names = [part.words[0] for part in parts if part.name == "installed" and part.words]
    same = [name for name in names if name[:1].isdigit() and _flavour(name) == flavour]
    return clean(max(same, key=_order)) if same else None


def _flavour(release: str) -> str:
    """The letters that end a kernel's release: amd64, generic, x86_64."""
    found = re.search(r"[-.+](?!el\d|fc\d|rc\d)([A-Za-z][\w-]*)$", release)
    return found[1] if found else ""


def _order(release: str) -> list[tuple[int, int, str]]:
    return [(1, int(word), "") if word.isdigit() else (0, 0, word) for word in _RELEASE.findall(release[:100])]


def _age(named: dict[str, Section]) -> float | None:
    if "age" not in named or len(named["age"].words) != 1 or named["age"].words[0].startswith("-"):
        return None
    seconds = maybe_whole(KIND, named["age"].words[0], ("-", "", "stat:"))
    return None if seconds is None else float(seconds)


def _said(figures: UpdateFigures) -> str:
    told = [f"{figures.pending} updates"] if figures.pending else []
    if figures.security:
        told.append(f"{figures.security} of them for security")
    if figures.reboot_needed:
        told.append("a reboot is due")
    return ", ".join(told)


def _level(figures: UpdateFigures) -> Level:
    return "warning" if figures.security or figures.reboot_needed else "info"


UPDATES = Collector(KIND, script(_SCRIPT), parse, interval_s=21600.0, timeout_s=180.0, wants_root=True)
