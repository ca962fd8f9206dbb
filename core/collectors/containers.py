"""Containers of docker and podman: one ps and one stats call each (docker-ps(1), podman-stats(1)).

podman's single stats call tells the average CPU since a container's start, docker's that of the last second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from core.collectors.collector import Collector
from core.collectors.output import (
    Section,
    absent,
    broken,
    count,
    decimal,
    denied,
    first_line,
    forbidden,
    load_json,
    refused,
    script,
    sections,
    unusable,
    whole,
    within,
    words,
)
from core.models import ContainerFigures, Finding, Level, SectionStatus
from core.ports import CommandResult

KIND = "containers"
_SCRIPT = (
    "for e in docker podman; do command -v $e >/dev/null 2>&1 || continue; "
    'case $e in docker) f="{{json .}}";; *) f=json;; esac; '
    'echo @jw ps $e; $1 $e ps -a --no-trunc --format "$f"; r=$?; echo; echo @jw exit $e $r; '
    "[ $r -eq 0 ] || continue; "
    'echo @jw stats $e; $1 $e stats --no-stream --no-trunc --format "$f"; echo; done; echo @jw end'
)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([kKMGTPE]?)(i?)B", re.ASCII)
_POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_EXIT = re.compile(r"Exited \((\d{1,3})\)", re.ASCII)
_STATES = frozenset(
    (
        *("created", "running", "paused", "restarting", "removing", "exited", "dead"),
        *("stopped", "stopping", "configured", "initialized"),  # podman's
    )
)
_AWAY = re.compile(r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect", re.I)


@dataclass(frozen=True, slots=True)
class _Use:
    cpu_pct: float | None
    mem: tuple[int | None, int | None]
    net: tuple[int | None, int | None]
    block: tuple[int | None, int | None]
    pids: int | None


def parse(result: CommandResult) -> Finding:
    """Read both engines' answers; raise DataCollectionError where they are something else."""
    gone = refused(KIND, result, "docker")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    exits = {part.words[0]: whole(KIND, part.words[1], 255) for part in parts if _is_exit(part)}
    if not exits:
        return absent(KIND, "neither docker nor podman is there")
    engines = [engine for engine, code in exits.items() if code == 0]
    if not engines:
        return _failed(result.stderr, tuple(exits))
    found: dict[str, ContainerFigures] = {}  # docker may be podman's own stand-in and list the same ones
    for engine in engines:
        uses = _uses(next((p for p in parts if p.name == "stats" and p.words == (engine,)), None))
        for item in _items(next((p for p in parts if p.name == "ps" and p.words == (engine,)), None)):
            one = _container(item, engine)
            use = uses.get(one.id[:12])
            if use is not None:
                one = _with(one, use, own_network=words(item, "Networks") != "host")
            found.setdefault(one.id[:12], one)
    shown = tuple(sorted(found.values(), key=lambda one: (one.state != "running", one.name)))
    detail = _said(shown) if len(engines) == len(exits) else first_line(result.stderr)
    return Finding(KIND, SectionStatus.OK, shown, detail, _level(shown))


def _is_exit(part: Section) -> bool:
    return part.name == "exit" and len(part.words) == 2 and part.words[0] in ("docker", "podman")


def _failed(complaint: str, engines: tuple[str, ...]) -> Finding:
    names = " and ".join(engines)
    if denied(complaint):
        return forbidden(KIND, f"this login may not ask {names}: allow sudo -n {engines[0]}, or its group {engines[0]}")
    if _AWAY.search(complaint):
        return absent(KIND, f"{names} is installed and its daemon does not run: systemctl start {engines[0]}")
    raise unusable(KIND, first_line(complaint) or f"{names} failed and said nothing")


def _items(part: Section | None) -> list[dict[str, Any]]:
    """Return the objects of a section: one a line (docker), or one list of them (podman)."""
    if part is None or not part.text.strip():
        return []
    text = part.text.strip()
    found = load_json(KIND, text) if text.startswith("[") else [load_json(KIND, line) for line in text.split("\n")]
    if found is None or not all(isinstance(item, dict) for item in found):
        raise broken(KIND, text)
    return list(found)


def _either(item: dict[str, Any], *names: str) -> str:
    return next((text for name in names if (text := words(item, name))), "")


def _container(item: dict[str, Any], engine: str) -> ContainerFigures:
    identity = _either(item, "ID", "Id", "id")
    status = _either(item, "Status")
    state = _either(item, "State").lower() or _state(status)
    if re.fullmatch(r"[0-9a-f]{12,64}", identity) is None or state not in _STATES:
        raise broken(KIND, f"{identity} {state} {status}")
    names = within(item, "Names")
    name = words({"name": names[0]}, "name") if isinstance(names, list) and names else _either(item, "Names")
    return ContainerFigures(
        id=identity[:12],
        name=name.split(",")[0],
        image=_either(item, "Image"),
        engine=engine,
        state=state,
        status=status,
        health=next((h for h in ("unhealthy", "healthy") if f"({h})" in status), None)
        or ("starting" if "starting)" in status else None),
        exit_code=_exit_code(item, status) if state in ("exited", "dead", "stopped") else None,
    )


def _state(status: str) -> str:
    """The state by docker's own words, where an old docker does not name it."""
    if status.startswith("Up"):
        return "paused" if status.endswith("(Paused)") else "running"
    first = status.split(" ")[0].lower()
    return {"removal": "removing"}.get(first, first)


def _exit_code(item: dict[str, Any], status: str) -> int | None:
    told = _EXIT.search(status)
    return int(told[1]) if told else count(item, "ExitCode", most=255)


def _uses(part: Section | None) -> dict[str, _Use]:
    uses = {}
    for item in _items(part):
        identity = _either(item, "ID", "Container", "id")
        uses[identity[:12]] = _Use(
            decimal(_either(item, "CPUPerc", "cpu_percent").removesuffix("%")),
            _pair(_either(item, "MemUsage", "mem_usage")),
            _pair(_either(item, "NetIO", "net_io")),
            _pair(_either(item, "BlockIO", "block_io")),
            _pids(_either(item, "PIDs", "pids")),
        )
    return uses


def _pids(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else None


def _pair(text: str) -> tuple[int | None, int | None]:
    first, _, second = text.partition(" / ")
    return size(first), size(second)


def size(text: str) -> int | None:
    """Read ``45.2MiB`` (of 1024) or ``1.2kB`` (of 1000) as bytes; None for anything else."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return round(float(found[1]) * (1024.0 if found[3] else 1000.0) ** _POWER[found[2]])


def _with(one: ContainerFigures, use: _Use, own_network: bool) -> ContainerFigures:
    if one.state not in ("running", "paused"):
        return one  # both engines say 0 for what does not run
    return replace(
        one,
        cpu_pct=use.cpu_pct,
        mem=use.mem[0],
        mem_limit=use.mem[1] or None,
        rx=use.net[0] if own_network else None,  # on the host's own network docker counts nothing and says 0
        tx=use.net[1] if own_network else None,
        read=use.block[0],
        written=use.block[1],
        pids=use.pids,
    )


def _said(found: tuple[ContainerFigures, ...]) -> str:
    bad = [
        f"{one.name} {'unhealthy' if one.health == 'unhealthy' else one.state}"
        for one in found
        if one.health == "unhealthy" or one.state in ("restarting", "dead") or one.exit_code
    ]
    return ", ".join(bad[:5]) + (" ..." if len(bad) > 5 else "")


def _level(found: tuple[ContainerFigures, ...]) -> Level:
    if any(one.health == "unhealthy" or one.state in ("restarting", "dead") for one in found):
        return "error"
    return "warning" if any(one.exit_code for one in found) else "info"


CONTAINERS = Collector(KIND, script(_SCRIPT), parse, interval_s=30.0, timeout_s=25.0, wants_root=True)
