"""The forms that hosts are imported from: told from the content, or as asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from core.exceptions import ConfigurationError
from core.inventory.ansible import Tree
from core.inventory.ansible_ini import read_ansible_ini
from core.inventory.ansible_vars import read_vars_folders
from core.inventory.ansible_yaml import read_ansible_yaml
from core.inventory.csv_file import columns_of, read_csv
from core.inventory.disk import decoded, read_text, user_path
from core.inventory.file import parse_hosts
from core.inventory.known_hosts import KEY_LINE, read_known_hosts
from core.inventory.reading import MAX_IMPORT_BYTES, Reading
from core.inventory.ssh_config import read_ssh_config

FORMATS = ("toml", "ssh_config", "ansible-ini", "ansible-yaml", "csv", "known_hosts")
_LOOK = 200_000  # characters that tell the format
_TOML = re.compile(r"^[ \t]*\[\[[ \t]*hosts[ \t]*\]\]", re.MULTILINE)
_SSH_CONFIG = re.compile(r"^[ \t]*(?:Host|Match|Include)(?:[ \t]*=[ \t]*|[ \t]+)\S", re.MULTILINE | re.IGNORECASE)
_INI = re.compile(r"^[ \t]*\[[^\[\]]+\][ \t]*(?:[#;].*)?$|^[^\s:#]+[ \t].*\b(?:ansible|jumpwatch)_\w+=", re.MULTILINE)
_YAML = re.compile(r"^(?:---|\{|[\"']?[\w.-]+[\"']?:(?:[ \t]*(?:[#&{!].*)?|[ \t]+\S.*)$)", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9._:-]+(?:\[[^\]]+\][A-Za-z0-9._:-]*)*(?:[ \t]+#.*)?")


def read_hosts(path: Path, form: str | None = None) -> Reading:
    """Return the hosts of a file in one of FORMATS (None: as its content tells).

    Blocking. ConfigurationError names the file, where it can the line, and the way out.
    """
    path = user_path(path)
    text = read_text(path, most=MAX_IMPORT_BYTES, what="list of hosts")
    if text is None:
        raise ConfigurationError(f"{path} cannot be read: there is no such file", operation="import hosts")
    return read_hosts_text(text, path, form, folder=path.parent)


def read_hosts_bytes(raw: bytes, name: str, form: str | None = None) -> Reading:
    """Return the hosts of what came over a pipe."""
    text = decoded(raw, name, most=MAX_IMPORT_BYTES, what="list of hosts")
    return read_hosts_text(text, Path(name), form)


def read_hosts_text(text: str, path: Path, form: str | None = None, folder: Path | None = None) -> Reading:
    """Return the hosts of a text; ``path`` is its name in messages, and where relative includes start.

    In ``folder`` an Ansible inventory's group_vars and host_vars are looked for.
    """
    if form is not None and form not in FORMATS:
        raise ConfigurationError(f"no format {form[:40]!r}: there are {', '.join(FORMATS)}")
    form = form or format_of(text, str(path))
    if form == "ssh_config":
        return read_ssh_config(text, path)
    if form in _ANSIBLE:
        tree = _ANSIBLE[form](text, str(path))
        if folder is not None:
            read_vars_folders(tree, folder)
        return tree.finish()
    return _READERS[form](text, str(path))


def _read_toml(text: str, name: str) -> Reading:
    reading = Reading("toml")
    for number, host in enumerate(parse_hosts(name, text), 1):
        reading.take(host, f"{name}, host {number}")
    return reading


_ANSIBLE: Mapping[str, Callable[[str, str], Tree]] = {
    "ansible-ini": read_ansible_ini,
    "ansible-yaml": read_ansible_yaml,
}
_READERS: Mapping[str, Callable[[str, str], Reading]] = {
    "toml": _read_toml,
    "csv": read_csv,
    "known_hosts": read_known_hosts,
}


def format_of(text: str, name: str) -> str:
    """Return the format that the content tells, or raise ConfigurationError."""
    if text.startswith("#!"):
        raise ConfigurationError(f"{name} is a program: run it, and import what it prints")
    text = text[:_LOOK]
    lines = [line for raw in text.splitlines() if (line := raw.strip()) and line[0] not in "#;"]
    first = lines[0] if lines else ""
    if _TOML.search(text) or not lines:
        return "toml"
    if any(KEY_LINE.match(line) for line in lines[:20]):
        return "known_hosts"
    if columns_of(first) and (len(lines) == 1 or not _SSH_CONFIG.match(first)) and not _YAML.match(first):
        return "csv"
    if _INI.search(text) and not _YAML.match(first):
        return "ansible-ini"
    if _SSH_CONFIG.search(text):
        return "ssh_config"
    if _YAML.match(first):
        return "ansible-yaml"
    if all(_BARE.fullmatch(line) for line in lines):
        return "ansible-ini"  # one name a line
    known = "|".join(FORMATS)
    raise ConfigurationError(
        f"{name}: what it is cannot be told from its content: say --format {known}", operation="import hosts"
    )
