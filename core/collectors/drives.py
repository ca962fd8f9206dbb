"""Drive health: smartctl -j for each drive, nvme-cli where there is no smartctl, and md arrays."""

from __future__ import annotations

from dataclasses import replace

from core.collectors.arrays import merged, parse_detail, parse_mdstat
from core.collectors.collector import Collector
from core.collectors.output import Section, absent, broken, denied, forbidden, refused, script, sections
from core.collectors.smart import parse_nvme, parse_smartctl
from core.collectors.text import clean
from core.exceptions import DataCollectionError
from core.models import DriveFigures, Finding, Level, SectionStatus
from core.ports import CommandResult

KIND = "drives"
# --scan takes SATA drives for SCSI ones (--scan-open, which does not, needs root), so their type is left to smartctl.
# -n standby leaves a sleeping drive asleep. mdadm is asked for what mdstat does not tell, and mdstat needs no root.
_SCRIPT = (
    "have() { command -v $1 >/dev/null 2>&1; }; t=; "
    "if have smartctl; then echo @jw tool smartctl; smartctl --scan 2>/dev/null | { while read -r d o y x; do "
    "case $d in /dev/*) ;; *) continue;; esac; case $y in scsi|ata|sat|'') y=auto;; esac; "
    "echo; echo @jw smart $d $y; $1 smartctl -j -n standby -i -H -A -l error -l selftest -d $y $d </dev/null; "
    "done; }; echo; "
    "elif have nvme; then echo @jw tool nvme; for d in /dev/nvme[0-9]*; do "
    "case $d in *nvme[0-9]*n[0-9]*|*'*') continue;; esac; "
    "echo; echo @jw nvme $d; $1 nvme smart-log -o json $d; done; echo; fi; "
    "if [ -r /proc/mdstat ]; then echo @jw mdstat; m=$(cat /proc/mdstat); printf '%s' \"$m\"; echo; "
    "if have mdadm; then for d in /sys/block/md*; do [ -e $d/md ] || continue; "
    "echo @jw mdadm /dev/${d##*/}; $1 mdadm --detail /dev/${d##*/} 2>/dev/null; done; fi; fi; echo @jw end"
)
_NEEDS = "needs root: allow sudo -n {} for this login"


def parse(result: CommandResult) -> Finding:
    """Read all drives and arrays; raise DataCollectionError where the output is something else."""
    gone = refused(KIND, result, "smartctl")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    tools = [part.words[0] for part in parts if part.name == "tool" and part.words in (("smartctl",), ("nvme",))]
    drives = _drives([part for part in parts if part.name in ("smart", "nvme")])
    arrays = _arrays(parts)
    shut = [drive for drive in drives if _only_shut(drive)]
    needs = _NEEDS.format(tools[0] if tools else "smartctl")
    unread = sum(drive.kind == "unknown" for drive in drives)
    if shut and len(shut) + unread == len(drives) and not arrays:
        return forbidden(KIND, f"SMART {needs}")
    if not tools and not arrays:
        return absent(KIND, "neither smartctl nor nvme is there: install smartmontools 7 or newer")
    if not drives and denied(result.stderr):
        return forbidden(KIND, f"SMART {needs}")
    found = tuple(drives + arrays)
    return Finding(
        KIND,
        SectionStatus.OK,
        found,
        _said(found, tools, f"SMART of {len(shut)} {needs}" if shut else ""),
        _level(found),
    )


def _drives(parts: list[Section]) -> list[DriveFigures]:
    """Read each drive; one that cannot be read says so and harms no other."""
    found: list[DriveFigures] = []
    error: DataCollectionError | None = None
    for part in parts:
        try:
            found.append(_drive(part))
        except DataCollectionError as exc:
            error = exc
            found.append(DriveFigures(clean(" ".join(part.words[:1])), "unknown", problems=(exc.message,)))
    if error is not None and all(one.kind == "unknown" for one in found):
        raise error
    return found


def _drive(part: Section) -> DriveFigures:
    if not part.words or not part.words[0].startswith("/dev/"):
        raise broken(KIND, " ".join(part.words))
    device = clean(part.words[0])
    if part.name == "nvme":
        return parse_nvme(device, part.text, _NEEDS.format("nvme"))
    kind = part.words[1] if len(part.words) > 1 else "auto"
    if "," in kind:  # behind a RAID controller several drives share one device
        device = f"{device} [{clean(kind)}]"
    return parse_smartctl(device, part.text, _NEEDS.format("smartctl"))


def _arrays(parts: list[Section]) -> list[DriveFigures]:
    found = {one.device: one for part in parts if part.name == "mdstat" for one in parse_mdstat(part.text)}
    for part in parts:
        if part.name == "mdadm" and part.text.strip():
            detail = parse_detail(part.text)
            if detail.device in found:
                found[detail.device] = merged(found[detail.device], detail)
    return [replace(one, device=clean(one.device)) for one in found.values()]


def _said(found: tuple[DriveFigures, ...], tools: list[str], shut: str) -> str:
    told = [f"{one.device}: {', '.join(one.problems[:2])}" for one in found if one.problems and not _only_shut(one)]
    if shut:
        told.append(shut)
    if not tools:
        told.append("SMART is not read: install smartmontools 7 or newer")
    elif not found:
        told.append("no drive here tells SMART (virtual disks have none)")
    return "; ".join(told[:5])


def _only_shut(one: DriveFigures) -> bool:
    return len(one.problems) == 1 and one.problems[0].startswith(_NEEDS.partition("{")[0])


def _level(found: tuple[DriveFigures, ...]) -> Level:
    if any(one.failing or (one.exit_bits or 0) & 0x18 for one in found):
        return "error"
    return "warning" if any(one.problems and not _only_shut(one) for one in found) else "info"


DRIVES = Collector(KIND, script(_SCRIPT), parse, interval_s=3600.0, timeout_s=120.0, wants_root=True)
