"""Failed units and chosen units: systemctl(1), or rc-status where OpenRC is the init."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.collectors.collector import Collector
from core.collectors.output import (
    absent,
    broken,
    denied,
    first_line,
    forbidden,
    lines_of,
    maybe_whole,
    refused,
    script,
    sections,
)
from core.collectors.text import clean
from core.exceptions import ValidationError
from core.models import Finding, Level, SectionStatus, ServiceFigures
from core.ports import CommandResult

KIND = "services"
_SHOWN = (
    "Id,LoadState,ActiveState,SubState,Result,NRestarts,MemoryCurrent,TasksCurrent,CPUUsageNSec,MainPID,Description"
)
# --failed is older than --state=failed; before --plain (systemd 213) a mark stands before the name.
_SCRIPT = (
    "[ $# -eq 0 ] || shift; set -f; "
    "if command -v systemctl >/dev/null 2>&1 && f=$(systemctl --failed --all --full --no-legend --no-pager); then "
    'u=$(printf "%s" "$f" | while read -r a b c || [ -n "$a" ]; do '
    'case $a in *.*) ;; *) a=$b;; esac; printf "%s\\n" "$a"; done); '  # echo may undo the names' backslashes
    "echo @jw systemd; "
    f'[ -z "$u$*" ] || systemctl show --no-pager -p {_SHOWN} -- $u "$@"; '
    "elif command -v rc-status >/dev/null 2>&1; then echo @jw openrc; rc-status -a; "
    "elif command -v systemctl >/dev/null 2>&1; then echo @jw refused; "
    "else echo @jw none; fi; echo @jw end"
)
_UNIT = re.compile(r"[A-Za-z0-9@:_.\\-]{1,256}")
_FIELD = re.compile(r"([A-Za-z]+)=(.*)")
_OPENRC = re.compile(r" *(\S+) +\[ +([a-z]+)(?: [^\]]*)?\]")
_UNSET = ("[not set]", "[no data]", "18446744073709551615", "")
_LIMIT_UNITS = 200


def services_of(units: Sequence[str] = ()) -> Collector:
    """Return the collector that tells of failed units and of these; raises ValidationError for a foreign name."""
    for unit in units:
        if _UNIT.fullmatch(unit) is None or unit.startswith("-"):
            raise ValidationError(
                f"{unit!r} is no name of a unit: use one as systemctl shows it, such as nginx.service"
            )
    if len(units) > _LIMIT_UNITS:
        raise ValidationError(f"{len(units)} units are too many: at most {_LIMIT_UNITS}")
    chosen = frozenset(_full(unit) for unit in units)
    argv = (*script(_SCRIPT), "jumpwatch", "", *(_full(unit) for unit in units))
    return Collector(KIND, argv, lambda result: _parse(result, chosen), interval_s=60.0, max_output=1 << 18)


def _full(unit: str) -> str:
    return unit if "." in unit else f"{unit}.service"


def parse(result: CommandResult) -> Finding:
    """Read failed units; raise DataCollectionError where the output is something else."""
    return _parse(result, frozenset())


def _parse(result: CommandResult, chosen: frozenset[str]) -> Finding:
    gone = refused(KIND, result, "systemctl")
    if gone is not None:
        return gone
    parts = {part.name: part for part in sections(KIND, result)}
    if "systemd" in parts:
        found = _systemd(parts["systemd"].text, chosen)
    elif "openrc" in parts:
        found = _openrc(parts["openrc"].lines, chosen)
    elif "none" in parts:
        return absent(KIND, "neither systemd nor OpenRC is there: services of other init systems are not read")
    elif "refused" in parts and denied(result.stderr):
        return forbidden(KIND, f"systemctl says: {first_line(result.stderr)}")
    elif "refused" in parts:
        return absent(KIND, f"systemd is not what runs this host: {first_line(result.stderr)}".rstrip(": "))
    else:
        raise broken(KIND, result.stdout)
    return Finding(KIND, SectionStatus.OK, found, _said(found), _level(found))


def _systemd(text: str, chosen: frozenset[str]) -> tuple[ServiceFigures, ...]:
    found: dict[str, ServiceFigures] = {}
    for block in re.split(r"\n{2,}", text.strip("\n")) if text.strip() else []:
        fields: dict[str, str] = {}
        for line in lines_of(KIND, block):
            field = _FIELD.fullmatch(line)
            if field is None:
                raise broken(KIND, line)
            fields[field[1]] = clean(field[2])
        if not fields.get("Id") or not fields.get("ActiveState"):
            raise broken(KIND, block)
        unit = fields["Id"]
        pid = maybe_whole(KIND, fields.get("MainPID", ""))
        found[unit] = ServiceFigures(
            unit,
            load=fields.get("LoadState"),
            active=fields["ActiveState"],
            sub=fields.get("SubState"),
            description=fields.get("Description", ""),
            result=fields.get("Result") or None,
            restarts=maybe_whole(KIND, fields.get("NRestarts", ""), _UNSET),
            memory=maybe_whole(KIND, fields.get("MemoryCurrent", ""), _UNSET),
            main_pid=pid or None,  # systemd says 0 for none
            chosen=unit in chosen,
            tasks=maybe_whole(KIND, fields.get("TasksCurrent", ""), _UNSET),
            cpu_ns=maybe_whole(KIND, fields.get("CPUUsageNSec", ""), _UNSET),
        )
    return tuple(sorted(found.values(), key=lambda one: (not one.failed, one.unit)))


def _openrc(lines: list[str], chosen: frozenset[str]) -> tuple[ServiceFigures, ...]:
    """Crashed and chosen services; OpenRC's names have no ending, ours say ``.service``."""
    states: dict[str, str] = {}
    for line in lines:
        found = _OPENRC.fullmatch(line.rstrip())
        if found is not None:
            states[clean(found[1])] = found[2]
        elif not re.match(r"(Runlevel|Dynamic Runlevel|Service|\s*$)", line):
            raise broken(KIND, line)
    wanted = {unit.removesuffix(".service") for unit in chosen}
    kept = [name for name, state in states.items() if state in ("crashed", "failed") or name in wanted]
    words = {"started": "active", "crashed": "failed", "failed": "failed", "starting": "activating"}
    told = [
        ServiceFigures(
            name,
            load="loaded",
            active=words.get(states[name], "inactive"),
            sub=states[name],
            chosen=name in wanted,
        )
        for name in kept
    ]
    lost = [ServiceFigures(name, load="not-found", active="inactive", chosen=True) for name in wanted - set(states)]
    return tuple(sorted(told + lost, key=lambda one: (not one.failed, one.unit)))


def _said(found: tuple[ServiceFigures, ...]) -> str:
    failed = [one.unit for one in found if one.failed]
    return f"{len(failed)} failed: {', '.join(failed[:5])}{' ...' if len(failed) > 5 else ''}" if failed else ""


def _level(found: tuple[ServiceFigures, ...]) -> Level:
    if any(one.failed for one in found):
        return "error"
    return "warning" if any(one.chosen and one.active != "active" for one in found) else "info"


SERVICES = services_of()
