"""The words of actions on hosts, the looks taken before and after them, and what those say. Pure.

A look is one script that tells who we are there (``id -u``: root needs no sudo) and how the thing to act on stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.collectors.output import Section, denied, first_line, refused, script, sections
from core.collectors.text import clean
from core.exceptions import DataCollectionError, ValidationError
from core.ports import CommandResult

UNIT_VERBS = ("restart", "start", "stop", "reload")
CONTAINER_VERBS = ("restart", "start", "stop")
ENGINES = ("docker", "podman")
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}")  # systemd.unit(5)
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")  # a command line that means the same without a shell
_DOWN = frozenset({"reboot", "shutdown", "poweroff", "halt"})
_DOWN_VERBS = frozenset({"reboot", "soft-reboot", "poweroff", "halt", "kexec"})
_ID = "echo @jw uid; id -u; "
_UNIT_LOOK = (
    _ID + "if command -v systemctl >/dev/null 2>&1; then echo @jw systemd; systemctl show -p Id -p LoadState "
    '-p ActiveState -p SubState -p Result -p MainPID -p NRestarts -p StateChangeTimestamp -- "$1" 2>&1; '
    'elif command -v rc-service >/dev/null 2>&1; then echo @jw openrc; rc-service "$1" status 2>&1; '
    "else echo @jw none; fi; echo @jw end"
)
_CONTAINER_LOOK = (
    _ID + 'echo @jw inspect; $1 "$2" inspect --type container '
    '--format "{{.State.Status}}|{{.State.StartedAt}}|{{.RestartCount}}" -- "$3" 2>&1; echo @jw exit $?; echo @jw end'
)
_REBOOT_LOOK = (
    _ID + "if command -v systemctl >/dev/null 2>&1; then echo @jw systemd; fi; "
    "echo @jw boot; cat /proc/sys/kernel/random/boot_id; echo @jw uptime; cat /proc/uptime; "
    "echo @jw who; who 2>&1; echo @jw end"
)
_PLAIN_LOOK = _ID + "echo @jw end"


@dataclass(frozen=True, slots=True)
class Look:
    """How the thing to act on stands on one host. ``state`` is what must not change between plan and apply."""

    root: bool | None = None  # None: not told
    state: str = ""
    note: str = ""  # for a person
    manager: str = ""  # systemd, openrc; empty: none, or not asked
    why_not: str = ""  # why it cannot be acted on there
    warnings: tuple[str, ...] = ()
    failed: bool = False  # it stands badly: looked at after the action


def unit_look(unit: str) -> tuple[str, ...]:
    """Return the argv of the look at a unit; raises ValidationError for what is no name of one."""
    if _UNIT.fullmatch(unit) is None:
        raise ValidationError(f"{clean(unit)[:80]!r} is no name of a unit")
    return (*script(_UNIT_LOOK), "jumpwatch", unit)


def container_look(engine: str, name: str, *, sudo: bool) -> tuple[str, ...]:
    """Return the argv of the look at a container; raises ValidationError for what is no name or engine."""
    if engine not in ENGINES:
        raise ValidationError(f"{clean(engine)[:80]!r} is no engine: docker or podman")
    if _CONTAINER.fullmatch(name) is None:
        raise ValidationError(f"{clean(name)[:80]!r} is no name of a container")
    return (*script(_CONTAINER_LOOK), "jumpwatch", "sudo -n" if sudo else "", engine, name)


def reboot_look() -> tuple[str, ...]:
    """Return the argv of the look before a reboot: boot id, uptime, sessions."""
    return script(_REBOOT_LOOK)


def plain_look() -> tuple[str, ...]:
    """Return the argv that tells only that commands run there, and whether as root."""
    return script(_PLAIN_LOOK)


def unit_argv(verb: str, unit: str, manager: str) -> tuple[str, ...]:
    """Return the words that act on a unit; they never wait for a password."""
    if manager == "openrc":
        return ("rc-service", unit, verb)
    return ("systemctl", "--no-ask-password", verb, "--", unit)


def container_argv(verb: str, engine: str, name: str) -> tuple[str, ...]:
    """Return the words that act on a container."""
    return (engine, verb, name)


def reboot_argv(manager: str) -> tuple[str, ...]:
    """Return the words that reboot a host."""
    return ("systemctl", "--no-ask-password", "reboot") if manager == "systemd" else ("reboot",)


def command_argv(line: str) -> tuple[str, ...]:
    """Return a typed line as words: as they are where no shell is needed to read it, else for ``sh -c``."""
    line = line.strip()
    if not line or len(line) > 4000 or any(not sign.isprintable() for sign in line):
        raise ValidationError("a command is one line of at most 4000 printable characters")
    words = tuple(line.split())
    if _PLAIN.fullmatch(line) and "=" not in words[0]:
        return words
    return ("sh", "-c", line)


def goes_down(argv: Sequence[str]) -> bool:
    """Say whether a command takes its host down, so that losing the connection is what it is for."""
    words = list(argv)
    while words and (words[0] == "sudo" or words[0].startswith("-")):
        del words[0]
    if words[:2] == ["sh", "-c"]:
        words = words[2].split() if len(words) > 2 else []
    name = PurePosixPath(words[0]).name if words else ""
    if name == "systemctl":
        return bool(_DOWN_VERBS & set(words[1:]))
    return name in _DOWN or (name in ("init", "telinit") and words[1:2] in (["0"], ["6"]))


def read_look(kind: str, result: CommandResult) -> Look:
    """Read the answer to a look; ``kind`` is unit, container, reboot or plain. Never raises."""
    if (finding := refused(kind, result, "a command")) is not None:
        return Look(why_not=finding.detail)
    try:
        parts = {part.name: part for part in sections(kind, result)}
    except DataCollectionError:
        said = first_line(result.stderr) or first_line(result.stdout)
        return Look(why_not="no command can be run there" + (f": it says {said}" if said else ""))
    user = parts["uid"].text.strip() if "uid" in parts else ""
    root = user == "0" if user.isdecimal() else None
    if kind == "unit":
        return _unit(parts, root)
    if kind == "container":
        return _container(parts, root)
    if kind == "reboot":
        return _reboot(parts, root)
    return Look(root, note="as root" if root else "answers")


def _unit(parts: dict[str, Section], root: bool | None) -> Look:
    if (openrc := parts.get("openrc")) is not None:
        said = first_line(openrc.text)
        if "does not exist" in said:
            return Look(root, manager="openrc", why_not=f"there is no such service ({said})")
        return Look(root, said, said, "openrc", failed="crashed" in said)
    if (systemd := parts.get("systemd")) is None:
        return Look(root, why_not="neither systemd nor OpenRC runs there")
    told = dict(line.split("=", 1) for line in systemd.text.split("\n") if "=" in line)
    load, active = clean(told.get("LoadState", "")), clean(told.get("ActiveState", ""))
    if not load:
        return Look(root, manager="systemd", why_not=first_line(systemd.text) or "systemd told nothing of it")
    if load != "loaded":
        return Look(root, manager="systemd", why_not=f"the unit is {load}")
    sub, since = clean(told.get("SubState", "")), clean(told.get("StateChangeTimestamp", ""))
    words = [f"{active} ({sub})" if sub else active]
    if since:
        words.append(f"since {since}")
    if active == "failed" and (why := clean(told.get("Result", ""))):
        words.append(why)
    if (pid := told.get("MainPID", "0")) not in ("", "0"):
        words.append(f"pid {clean(pid)[:10]}")
    return Look(root, active, ", ".join(words), "systemd", failed=active == "failed")


def _container(parts: dict[str, Section], root: bool | None) -> Look:
    inspect, ended = parts.get("inspect"), parts.get("exit")
    said = first_line(inspect.text) if inspect else ""
    if ended is None or ended.words[:1] != ("0",):
        if sudo := refusal(CommandResult(1, "", said)) if said.lower().startswith(("sudo", "sorry")) else "":
            return Look(root, why_not=sudo)
        way = (
            "; add this login to the engine's group, or \"containers\" to the host's sudo list" if denied(said) else ""
        )
        return Look(root, why_not=(said or "the engine told nothing of it") + way)
    state, _, rest = said.partition("|")
    since, _, restarts = rest.partition("|")
    note = f"{state}, started {since[:19]}, {restarts or '?'} restarts"
    return Look(root, state, note, failed=state in ("dead", "restarting"))


def _reboot(parts: dict[str, Section], root: bool | None) -> Look:
    boot = parts["boot"].text.strip() if "boot" in parts else ""
    up = parts["uptime"].text.split(".")[0].strip() if "uptime" in parts else ""
    who = [clean(line) for line in parts["who"].text.split("\n") if line.strip()] if "who" in parts else None
    note = f"up {int(up) // 86400} d {int(up) % 86400 // 3600} h" if up.isdecimal() else "uptime unknown"
    warnings = tuple(" ".join(line.split())[:120] for line in (who or ())[:5])
    sessions = "sessions unknown" if who is None else f"{len(who)} session{'' if len(who) == 1 else 's'} logged in"
    return Look(root, clean(boot)[:64], f"{note}, {sessions}", "systemd" if "systemd" in parts else "", "", warnings)


def refusal(result: CommandResult) -> str:
    """Say what a command that ended badly wants, where its words tell; empty where they do not."""
    if (finding := refused("action", CommandResult(result.exit_code, "", result.stderr), "for it")) is not None:
        if result.exit_code == 127 and "sudo" not in finding.detail:
            return "there is no such command"
        return finding.detail
    if "nteractive authentication required" in result.stderr or denied(result.stderr):
        return 'it needs root: add "actions" to the host\'s sudo list and allow it with NOPASSWD in sudoers'
    return ""
