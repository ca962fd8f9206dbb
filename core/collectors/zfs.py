"""ZFS pools and datasets: zpool list and status, zfs list (zpool-status(8), zpoolconcepts(7))."""

from __future__ import annotations

import re
from dataclasses import replace

from core.collectors.collector import Collector
from core.collectors.output import (
    absent,
    broken,
    denied,
    first_line,
    forbidden,
    lines_of,
    refused,
    script,
    sections,
    unusable,
    whole,
)
from core.collectors.text import clean
from core.models import DatasetFigures, Finding, Level, PoolFigures, SectionStatus, VdevFigures, ZfsFigures
from core.ports import CommandResult

KIND = "zfs"
# status -p came later than list -p; without it large counts are rounded, as in 1.2K.
_SCRIPT = (
    "if command -v zpool >/dev/null 2>&1; then :; else echo @jw none; echo @jw end; exit 0; fi; echo @jw list; "
    "$1 zpool list -Hp -o name,size,allocated,free,fragmentation,capacity,health; r=$?; echo @jw exit $r; "
    "if [ $r -eq 0 ]; then echo @jw status; $1 zpool status -p 2>/dev/null || $1 zpool status; "
    "echo @jw datasets; $1 zfs list -Hp -t filesystem,volume "
    "-o name,type,used,available,referenced,quota,mounted,mountpoint; "
    "echo @jw exit $?; fi; echo @jw end"
)
_HEALTH = frozenset(("ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "REMOVED", "UNAVAIL", "SUSPENDED"))
_STATES = _HEALTH | {"AVAIL", "INUSE"}
_GROUPS = frozenset(("logs", "cache", "spares", "special", "dedup"))
_KEY = re.compile(r" {0,4}(pool|state|status|action|scan|scrub|see|config|errors|remove|checkpoint|comment|id): ?(.*)")
_VDEV = re.compile(r"(\s*)(\S+)(?:\s+(\S+)(?:\s+(\d\S*|-)\s+(\d\S*|-)\s+(\d\S*|-))?(?:\s\s*(\S.*))?)?")
_COUNT = re.compile(r"(\d{1,20})(?:\.(\d{1,3}))?([KMGT]?)", re.ASCII)
_TEXT_MAX = 500


def parse(result: CommandResult) -> Finding:
    """Read pools and datasets; raise DataCollectionError where the output is something else."""
    gone = refused(KIND, result, "zpool")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    texts = {part.name: part.text for part in parts}
    if "none" in texts:
        return absent(KIND, "ZFS is not there")
    exits = [part.words[0] for part in parts if part.name == "exit" and part.words]
    if not exits:
        raise broken(KIND, result.stdout)
    if exits[0] != "0":
        return _failed(result.stderr)
    shown = {pool.name: pool for pool in parse_status(texts.get("status", ""))}
    pools = tuple(_joined(pool, shown.get(pool.name)) for pool in parse_list(texts.get("list", "")))
    datasets = parse_datasets(texts.get("datasets", "")) if exits[1:] == ["0"] else None
    worst = [pool for pool in pools if _pool_level(pool) != "info"]
    detail = "; ".join(f"{pool.name}: {pool.status or pool.health or 'errors'}" for pool in worst[:3])
    if datasets is None:
        detail = detail or f"zfs list: {first_line(result.stderr) or 'failed'}"
    level: Level = "info"
    if worst:
        level = "error" if any(_pool_level(pool) == "error" for pool in worst) else "warning"
    return Finding(KIND, SectionStatus.OK, ZfsFigures(pools, datasets), detail, level)


def _failed(complaint: str) -> Finding:
    if denied(complaint):
        return forbidden(
            KIND, f"{first_line(complaint).rstrip('.')}: allow sudo -n zpool and sudo -n zfs for this login"
        )
    if re.search(r"modules? (?:are|is|cannot be) (?:not )?loaded|modprobe|not found", complaint):
        return absent(KIND, f"ZFS is installed and its kernel module is not loaded: {first_line(complaint)}")
    raise unusable(KIND, first_line(complaint) or "zpool failed and said nothing")


def _pool_level(pool: PoolFigures) -> Level:
    if pool.health not in ("ONLINE", None):
        return "error"
    if pool.errors and not pool.errors.startswith("No known data errors"):
        return "error"
    counted = any((v.read_errors or 0) + (v.write_errors or 0) + (v.checksum_errors or 0) for v in pool.vdevs)
    return "warning" if counted else "info"


def _joined(pool: PoolFigures, told: PoolFigures | None) -> PoolFigures:
    if told is None:
        return pool
    return replace(pool, status=told.status, action=told.action, scan=told.scan, errors=told.errors, vdevs=told.vdevs)


def parse_list(text: str) -> list[PoolFigures]:
    """Read ``zpool list -Hp``: one pool a line, fields parted by tabs, ``-`` where it is not told."""
    pools = []
    for line in lines_of(KIND, text):
        fields = line.split("\t")
        if len(fields) != 7 or fields[6] not in _HEALTH or not fields[0]:
            raise broken(KIND, line)
        size, allocated, free, fragmentation, capacity = (_figure(f.removesuffix("%")) for f in fields[1:6])
        pools.append(PoolFigures(clean(fields[0]), fields[6], size, allocated, free, fragmentation, capacity))
    return pools


def _figure(text: str) -> int | None:
    return None if text in ("-", "none") else whole(KIND, text)


def parse_datasets(text: str) -> tuple[DatasetFigures, ...]:
    """Read ``zfs list -Hp``: one dataset a line, fields parted by tabs; a quota of 0 is none."""
    found = []
    for line in lines_of(KIND, text):
        fields = line.split("\t")
        if len(fields) != 8 or fields[1] not in ("filesystem", "volume"):
            raise broken(KIND, line)
        used, available, referenced, quota = (_figure(field) for field in fields[2:6])
        mount = clean(fields[7]) if fields[6] == "yes" else None
        found.append(DatasetFigures(clean(fields[0]), fields[1], used, available, referenced, quota or None, mount))
    return tuple(found)


def parse_status(text: str) -> list[PoolFigures]:
    """Read ``zpool status``, with -p or without, of OpenZFS and its forebears."""
    pools: list[PoolFigures] = []
    fields: dict[str, list[str]] = {}
    key = ""
    for line in lines_of(KIND, text):
        found = _KEY.fullmatch(line)
        if found is None:
            if key:
                fields[key].append(line)
            elif line.strip() != "no pools available":
                raise broken(KIND, line)
            continue
        if found[1] == "pool" and fields:
            pools.append(_pool(fields))
            fields = {}
        key = found[1]
        fields[key] = [found[2]]
    if fields:
        pools.append(_pool(fields))
    return pools


def _pool(fields: dict[str, list[str]]) -> PoolFigures:
    def said(key: str) -> str:
        return clean(" ".join(line.strip() for line in fields.get(key, ()) if line.strip()))[:_TEXT_MAX]

    name, state = said("pool"), said("state")
    if not name or state not in _HEALTH:
        raise broken(KIND, f"{name} {state}")
    return PoolFigures(
        name,
        state,
        status=said("status"),
        action=said("action"),
        scan=said("scan") or said("scrub"),
        errors=said("errors"),
        vdevs=_vdevs(fields.get("config", [])),
    )


def _vdevs(lines: list[str]) -> tuple[VdevFigures, ...]:
    found: list[VdevFigures] = []
    base: int | None = None
    group = ""
    for line in lines:
        if not line.strip() or "configuration cannot be determined" in line or "CONFIG" in line:
            continue
        row = _VDEV.fullmatch(line.expandtabs(8).rstrip())
        if row is None:
            raise broken(KIND, line)
        indent = len(row[1])
        if base is None:
            if row[2] != "NAME":
                raise broken(KIND, line)
            base = indent
            continue
        if row[2] in _GROUPS and row[3] is None:
            group = row[2]
            continue
        if row[3] not in _STATES or indent < base:
            raise broken(KIND, line)
        read, write, checksum = (_errors(row[i]) for i in (4, 5, 6))
        note = clean(row[7] or "")
        depth = (indent - base) // 2
        group = group if depth else ""
        found.append(
            VdevFigures(clean(row[2]), row[3], depth, read, write, checksum, ": ".join(x for x in (group, note) if x))
        )
    return tuple(found)


def _errors(text: str | None) -> int | None:
    """A count of errors; ``1.2K`` is as near as zpool tells it."""
    if text is None or text == "-":
        return None
    found = _COUNT.fullmatch(text)
    if found is None:
        raise broken(KIND, text)
    if not found[3]:
        return whole(KIND, text)
    return round(float(f"{found[1]}.{found[2] or 0}") * 1000.0 ** " KMGT".index(found[3]))


ZFS = Collector(KIND, script(_SCRIPT), parse, interval_s=300.0, wants_root=True)
