"""Linux software RAID: /proc/mdstat (md(4)) and ``mdadm --detail``."""

from __future__ import annotations

import re
from dataclasses import replace

from core.collectors.output import broken, lines_of, whole
from core.collectors.text import clean
from core.models import DriveFigures

KIND = "drives"
_ARRAY = re.compile(r"(md\S*) : (active|inactive)(?: \(([a-z-]+)\))?( .*)?")
_MEMBER = re.compile(r"[^\s\[]+\[\d{1,4}\]((?:\([A-Z]\))*)")
_UP = re.compile(r"\[(\d{1,4})/(\d{1,4})\]", re.ASCII)
_BLOCKS = re.compile(r" *(\d{1,18}) blocks\b", re.ASCII)
_DOING = re.compile(
    r"\b(resync|recovery|reshape|check|repair) ?= *(?:(\d{1,3}\.\d)%|(DELAYED|PENDING|REMOTE))", re.ASCII
)
_FIELD = re.compile(r" *([A-Z][A-Za-z ]+?) : (.*)")
_PROGRESS = re.compile(r"(\d{1,3})% complete", re.ASCII)
_NO_COPIES = frozenset(("raid0", "linear", "container", "multipath", "faulty"))


def parse_mdstat(text: str) -> list[DriveFigures]:
    """Read /proc/mdstat: state, level, members, and the progress of what md is doing."""
    lines = lines_of(KIND, text)
    if not lines or not lines[0].startswith("Personalities"):
        raise broken(KIND, text)
    blocks: list[list[str]] = []
    for line in lines[1:]:
        if line.startswith("unused devices"):
            continue
        if not line.startswith(" "):
            blocks.append([])
        elif not blocks:
            raise broken(KIND, line)
        blocks[-1].append(line)
    return [_array(block) for block in blocks]


def _array(block: list[str]) -> DriveFigures:
    head = _ARRAY.fullmatch(block[0].rstrip())
    if head is None:
        raise broken(KIND, block[0])
    words = (head[4] or "").split()
    listed = [_MEMBER.fullmatch(word) for word in words if "[" in word]
    if None in listed:
        raise broken(KIND, block[0])
    flags = [found[1] for found in listed if found is not None]
    level = next((clean(word) for word in words if "[" not in word and not word.startswith("(")), None)
    rest = " ".join(block[1:])
    up, blocks, doing = _UP.search(rest), _BLOCKS.match(rest), _DOING.search(rest)
    members, working = (int(up[1]), int(up[2])) if up else (None, None)
    failed = sum("(F)" in flag for flag in flags)
    progress = float(doing[2]) if doing is not None and doing[2] else None
    if progress is not None and progress > 100.0:
        raise broken(KIND, rest)
    state = head[2] + (f", {head[3]}" if head[3] else "")
    if doing is not None:
        state += f", {doing[1]}" + (" waits" if doing[3] else "")
    figures = DriveFigures(
        f"/dev/{clean(head[1])}",
        "md",
        size=int(blocks[1]) * 1024 if blocks else None,
        level=level,
        state=state,
        members=members,
        working=working,
        failed=failed if flags else None,
        sync_pct=progress,
    )
    return _judged(figures, head[2] == "inactive")


def _judged(figures: DriveFigures, inactive: bool) -> DriveFigures:
    problems = []
    if inactive:
        problems.append("inactive: its data cannot be reached")
    missing = (figures.members or 0) - (figures.working or 0) if None not in (figures.members, figures.working) else 0
    if missing > 0:
        problems.append(f"missing members: {missing} of {figures.members}")
    if figures.failed:
        problems.append(f"failed members: {figures.failed}")
    if figures.sync_pct is not None:
        problems.append(f"{figures.state}: {figures.sync_pct:g}% done")
    known = figures.level in _NO_COPIES or figures.members is not None
    ill = inactive or missing > 0 or bool(figures.failed)
    return replace(figures, passed=not ill if known or ill else None, problems=tuple(problems))


def parse_detail(text: str) -> DriveFigures:
    """Read ``mdadm --detail`` of one array; raise DataCollectionError where it is something else."""
    lines = lines_of(KIND, text)
    if not lines or not re.fullmatch(r"/dev/\S+:", lines[0].strip()):
        raise broken(KIND, text)
    fields: dict[str, str] = {}
    for line in lines[1:]:
        if line.lstrip().startswith("Number "):
            break  # the table of members
        found = _FIELD.fullmatch(line.rstrip())
        if found is not None:
            fields.setdefault(found[1], found[2].strip())
    state = fields.get("State")
    if "Raid Level" not in fields:
        raise broken(KIND, text)
    doing = [value for key, value in fields.items() if key.endswith(" Status")]
    progress = _PROGRESS.fullmatch(doing[0]) if doing else None
    if progress is not None and int(progress[1]) > 100:
        raise broken(KIND, progress[0])
    size = fields.get("Array Size", "").split(" ")[0]
    level = clean(fields["Raid Level"])
    figures = DriveFigures(
        clean(lines[0].strip().rstrip(":")),
        "md",
        size=whole(KIND, size) * 1024 if size else None,
        level=level,
        state=clean(state) if state is not None else None,
        members=_number(fields, "Raid Devices"),
        working=_number(fields, "Active Devices"),
        failed=_number(fields, "Failed Devices"),
        sync_pct=float(progress[1]) if progress else None,
    )
    inactive = state is not None and re.search(r"inactive|FAILED|Not Started", state) is not None
    return _judged(figures, inactive)


def _number(fields: dict[str, str], key: str) -> int | None:
    return whole(KIND, fields[key], 10000) if key in fields else None


def merged(stat: DriveFigures, detail: DriveFigures) -> DriveFigures:
    """One array as mdadm tells it, with the progress of mdstat, which is the finer."""
    inactive = any("inactive" in problem for problem in (*stat.problems, *detail.problems))
    return _judged(replace(detail, sync_pct=stat.sync_pct, size=detail.size or stat.size), inactive)
