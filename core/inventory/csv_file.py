"""Hosts out of a CSV file: columns by the names in its first row, the delimiter told from that row."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from core.exceptions import ConfigurationError, ValidationError
from core.inventory.fields import FIELDS, from_text
from core.inventory.reading import Reading, is_secret
from core.models import Host

_DELIMITERS = (",", ";", "\t", "|")
_ALIASES: Mapping[str, tuple[str, ...]] = {  # in the order in which they are preferred
    "name": ("name", "host", "host_name", "hostname", "fqdn", "server", "node", "machine"),
    "address": ("address", "ip", "ip_address", "ipaddress", "ansible_host", "addr", "ipv4", "hostname", "fqdn", "ipv6"),
    "port": ("port", "ssh_port", "ansible_port"),
    "user": ("user", "username", "login", "ssh_user", "ansible_user"),
    "groups": ("groups", "group"),
    "tags": ("tags", "tag", "labels"),
    "interval_s": ("interval_s", "interval"),
    "identity_files": ("identity_files", "identity_file", "identityfile", "identity", "ssh_key", "key_file"),
    "known_hosts": ("known_hosts", "userknownhostsfile"),
    "maintenance": ("maintenance",),
    "maintenance_until": ("maintenance_until",),
    "collectors": ("collectors",),
    "sudo": ("sudo",),
    "services": ("services",),
}  # fmt: skip


def columns_of(line: str) -> tuple[str, dict[str, int]] | None:
    """Return the delimiter of a header line and each field's column; None where no column names the host."""
    best: tuple[str, dict[str, int]] | None = None
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            continue
        columns = _columns(cells)
        if "name" in columns and (best is None or len(columns) > len(best[1])):
            best = delimiter, columns
    return best


def _columns(cells: list[str]) -> dict[str, int]:
    titles = [_title(cell) for cell in cells]
    columns: dict[str, int] = {}
    for key, aliases in _ALIASES.items():
        free = (titles.index(alias) for alias in aliases if alias in titles)
        place = next((at for at in free if at not in columns.values()), None)
        if place is not None:
            columns[key] = place
    return columns


def _title(cell: str) -> str:
    return cell.strip().lower().replace(" ", "_").replace("-", "_")


def read_csv(text: str, name: str) -> Reading:
    """Return the hosts of a CSV text; a bad row is left out with its line, a file without a name column is an error."""
    reading = Reading("csv")
    first = next((line for line in text.splitlines() if line.strip()), "")
    found = columns_of(first)
    if found is None:
        raise ConfigurationError(
            f"{name}, line 1 must name the columns, and one of them must be name, host or hostname (known: "
            f"{', '.join(FIELDS)})",
            operation="import hosts",
        )
    delimiter, columns = found
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    width = 0
    try:
        for cells in rows:
            where = f"{name}:{rows.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not width:
                width = len(cells)
                _unread(cells, columns, where, reading)
            else:
                _row(cells, columns, width, where, reading)
    except csv.Error as error:
        reading.skip("the rest", f"{name}:{rows.line_num}", f"cannot be read as CSV: {error}")
    return reading


def _unread(cells: list[str], columns: Mapping[str, int], where: str, reading: Reading) -> None:
    for at, cell in enumerate(cells):
        if at not in columns.values():
            why = "holds secrets: not copied" if is_secret(_title(cell)) else "is no column that is known: not copied"
            reading.skip(f"column {cell.strip()[:60] or at + 1}", where, why)


def _row(cells: list[str], columns: Mapping[str, int], width: int, where: str, reading: Reading) -> None:
    name = cells[columns["name"]].strip() if columns["name"] < len(cells) else ""
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        reading.skip(name, where, f"has {len(cells)} cells, the header {width}: a cell with the delimiter wants quotes")
        return
    if not name:
        reading.skip("", where, "the row names no host")
        return
    values: dict[str, Any] = {}
    for key, at in columns.items():
        if at < len(cells):
            try:
                values[key] = from_text(key, cells[at])
            except ValidationError as error:
                reading.skip(name, where, error.message)
                return
    if values.get("maintenance_until") is not None and "maintenance" not in columns:
        values["maintenance"] = True
    if values.get("address") == name:
        values["address"] = ""
    reading.take(Host(**values), where)
