"""One drive from smartctl's JSON (smartctl(8), EXIT STATUS) or nvme-cli's smart-log."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from core.collectors.output import broken, count, denied, load_json, unusable, within, words
from core.models import DriveFigures

KIND = "drives"
# smartctl(8): what each bit of the exit status means; 0 and 1 say that nothing was read.
_BITS = {
    2: "some SMART command failed, or a checksum was wrong",
    3: "SMART says that the drive fails",
    4: "an attribute is at or below its threshold",
    5: "an attribute was at or below its threshold in the past",
    6: "its error log holds errors",
    7: "its self-test log holds errors",
}
_NVME_BITS = (
    "spare blocks are below their threshold",
    "temperature is out of its range",
    "reliability is degraded",
    "it has gone read-only",
    "its volatile memory backup has failed",
    "its persistent memory is unreliable",
)
_ASLEEP = re.compile(r"Device is in \w+(?: \(\w+\))? mode", re.IGNORECASE)
_RAW_MAX = (1 << 32) - 1  # some makers pack several counts into the 48 bits of a raw value
_HOURS_MAX = 1 << 24
_HOTTEST = 200


def parse_smartctl(device: str, text: str, needs: str) -> DriveFigures:
    """Read one drive; ``needs`` is the problem to show where the login may not open it.

    Raises DataCollectionError where it is not smartctl's JSON (smartmontools before 7 have none).
    """
    if "UNRECOGNIZED OPTION" in text or "=======> INVALID" in text:
        raise unusable(KIND, "smartctl is too old to print JSON: install smartmontools 7 or newer")
    data = load_json(KIND, text)
    bits = count(data, "smartctl", "exit_status", most=255)
    if bits is None and not words(data, "device", "name"):
        raise broken(KIND, text)
    told, bits = bits, bits or 0
    complaint = " ".join(words(message, "string") for message in _list(data, "smartctl", "messages"))
    if _ASLEEP.search(complaint):
        return DriveFigures(device, _kind(data), asleep=True, model=_model(data))
    if bits & 3:
        problem = needs if denied(complaint) else f"cannot be opened: {complaint[:120]}".rstrip(": ")
        return DriveFigures(device, _kind(data), exit_bits=bits, model=_model(data), problems=(problem,))
    attributes = {count(row, "id"): count(row, "raw", "value", most=_RAW_MAX) for row in _attributes(data)}
    passed = within(data, "smart_status", "passed")
    log = "nvme_smart_health_information_log"
    spare, wear = count(data, log, "available_spare", most=100), count(data, log, "percentage_used", most=255)
    figures = DriveFigures(
        device,
        _kind(data),
        model=_model(data),
        serial=words(data, "serial_number"),
        size=count(data, "user_capacity", "bytes") or count(data, "nvme_total_capacity") or None,
        passed=False if bits & 8 else passed if isinstance(passed, bool) else None,
        temperature_c=count(data, "temperature", "current", most=_HOTTEST) or None,  # 0: no sensor
        power_on_h=count(data, "power_on_time", "hours", most=_HOURS_MAX),
        reallocated=attributes.get(5, count(data, "scsi_grown_defect_list")),
        pending=attributes.get(197),
        uncorrectable=attributes.get(198, _scsi_uncorrected(data)),
        crc_errors=attributes.get(199),
        media_errors=count(data, log, "media_errors"),
        wear_pct=wear if wear is not None else count(data, "endurance_used", "current_percent", most=255),
        spare_pct=spare,
        exit_bits=told,
    )
    return _with_problems(figures, bits, count(data, log, "critical_warning", most=255))


def parse_nvme(device: str, text: str, needs: str) -> DriveFigures:
    """Read ``nvme smart-log -o json``; its temperature is in Kelvin. Raises DataCollectionError on garbage."""
    if not text.strip() or denied(text):
        return DriveFigures(device, "nvme", problems=(needs,))
    data = load_json(KIND, text)
    warning = count(data, "critical_warning", most=255)
    if warning is None:  # nvme-cli 2 spells the bits out beside their value
        warning = count(data, "critical_warning", "value", most=255)
    kelvin = count(data, "temperature", most=_HOTTEST + 273)
    if warning is None and kelvin is None:
        raise broken(KIND, text)
    figures = DriveFigures(
        device,
        "nvme",
        passed=None if warning is None else warning == 0,
        temperature_c=kelvin - 273 if kelvin is not None and kelvin >= 200 else None,
        power_on_h=count(data, "power_on_hours", most=_HOURS_MAX),
        media_errors=count(data, "media_errors"),
        wear_pct=_first(count(data, "percent_used", most=255), count(data, "percentage_used", most=255)),
        spare_pct=_first(count(data, "avail_spare", most=100), count(data, "available_spare", most=100)),
    )
    return _with_problems(figures, 0, warning)


def _first(*found: int | None) -> int | None:
    return next((one for one in found if one is not None), None)


def _list(data: Any, *path: str) -> list[Any]:
    found = within(data, *path)
    return found if isinstance(found, list) else []


def _attributes(data: Any) -> list[Any]:
    return _list(data, "ata_smart_attributes", "table")


def _kind(data: Any) -> str:
    protocol = words(data, "device", "protocol").lower()
    return protocol if protocol in ("ata", "nvme", "scsi") else "ata" if _attributes(data) else "unknown"


def _model(data: Any) -> str:
    return words(data, "model_name") or words(data, "scsi_model_name") or words(data, "scsi_product")


def _scsi_uncorrected(data: Any) -> int | None:
    """The errors that a SCSI drive could not correct, of reading, writing and verifying together."""
    log = within(data, "scsi_error_counter_log")
    if not isinstance(log, dict):
        return None
    counts = [count(log, way, "total_uncorrected_errors") for way in ("read", "write", "verify") if way in log]
    known = [one for one in counts if one is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _with_problems(figures: DriveFigures, bits: int, warning: int | None) -> DriveFigures:
    problems = [text for bit, text in _BITS.items() if bits >> bit & 1]
    if figures.passed is False and not bits & 8 and not warning:
        problems.append(_BITS[3])
    problems += [text for bit, text in enumerate(_NVME_BITS) if (warning or 0) >> bit & 1]
    counted = {
        "sectors reallocated": figures.reallocated,
        "sectors that wait to be reallocated": figures.pending,
        "uncorrectable errors": figures.uncorrectable,
        "media errors": figures.media_errors,
    }
    problems += [f"{name}: {number}" for name, number in counted.items() if number]
    if figures.wear_pct is not None and figures.wear_pct >= 90:
        problems.append(f"{figures.wear_pct}% of its endurance is used up")
    return replace(figures, problems=tuple(problems))
