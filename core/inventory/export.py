"""Hosts written in the forms that others read; what a form has no word for is kept where the form allows. Pure."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.exceptions import ValidationError
from core.inventory.ansible import IMPLICIT, PREFIX
from core.inventory.ansible_names import expand
from core.inventory.fields import FIELDS, as_table, in_text
from core.models import Host

_GROUP = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._/-]*")  # with a colon it would read as [group:children]
_NOTE = "Written by jumpwatch hosts export."


def export_hosts(hosts: Sequence[Host], form: str) -> str:
    """Return the hosts in one of EXPORTS; reading that back gives the same hosts (ssh_config: their names)."""
    write = EXPORTS.get(form)
    if write is None:
        raise ValidationError(f"no format {form[:40]!r}: there are {', '.join(EXPORTS)}")
    return write(hosts)


def _toml(hosts: Sequence[Host]) -> str:
    import tomlkit

    document, tables = tomlkit.document(), tomlkit.aot()
    document.add(tomlkit.comment(_NOTE))
    for host in hosts:
        table = tomlkit.table()
        for key, value in as_table(host).items():
            table[key] = value
        tables.append(table)
    if hosts:
        document["hosts"] = tables
    return tomlkit.dumps(document)


def _csv(hosts: Sequence[Host]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(FIELDS), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(in_text(host) for host in hosts)
    return out.getvalue()


def _ansible_ini(hosts: Sequence[Host]) -> str:
    lines = [f"# {_NOTE}"]
    for host in hosts:
        name, variables = _ansible(host)
        words = (f"{key}={shlex.quote(_literal(value))}" for key, value in variables.items())
        lines.append(" ".join([name, *words]))
    for group, members in _groups(hosts).items():
        lines += ["", f"[{group}]", *members]
    return "\n".join(lines) + "\n"


def _literal(value: str) -> str:
    """Return the value so that Ansible, which takes one pair of quotes off, is left with it."""
    return f'"{value}"' if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _ansible_yaml(hosts: Sequence[Host]) -> str:
    import yaml

    everyone = {name: _typed(variables) or None for name, variables in map(_ansible, hosts)}
    groups = {group: {"hosts": dict.fromkeys(members)} for group, members in _groups(hosts).items()}
    document: dict[str, Any] = {"all": {"hosts": everyone, **({"children": groups} if groups else {})}}
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    return f"# {_NOTE}\n---\n{text}"


def _ansible(host: Host) -> tuple[str, dict[str, str]]:
    """Return the name and the variables of a host; what Ansible has no word for goes under a prefix of ours."""
    values = in_text(host)
    name = values.pop("name")
    variables: dict[str, str] = {}
    if expand(name) != ([name], None):  # a name such as web:22, which Ansible reads as host and port
        variables[f"{PREFIX}name"], name = name, name.replace(":", "-")
    for key, theirs in (("address", "ansible_host"), ("port", "ansible_port"), ("user", "ansible_user")):
        if key in values:
            variables[theirs] = values.pop(key)
    if host.identity_files:
        variables["ansible_ssh_private_key_file"] = host.identity_files[0]
        if host.identity_files == (values["identity_files"],):
            del values["identity_files"]  # there is no other
    values.pop("groups", None)
    if left := [group for group in host.groups if not _in_sections(group)]:
        values["groups"] = " ".join(left)
    variables |= {f"{PREFIX}{key}": value for key, value in values.items()}
    return name, variables


def _typed(variables: Mapping[str, str]) -> dict[str, Any]:
    return {key: int(value) if key == "ansible_port" else value for key, value in variables.items()}


def _in_sections(group: str) -> bool:
    return group not in IMPLICIT and _GROUP.fullmatch(group) is not None


def _groups(hosts: Sequence[Host]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in filter(_in_sections, host.groups):
            groups.setdefault(group, []).append(_ansible(host)[0])
    return groups


def _ssh_config(hosts: Sequence[Host]) -> str:
    lines = [f"# {_NOTE}"]
    for host in hosts:
        lines += ["", f"Host {host.name}"]
        left = {key: value for key, value in in_text(host).items() if key in _NO_KEYWORD}
        if left:
            lines.append("    # " + "; ".join(f"{key}: {value}" for key, value in left.items()))
        if host.address:
            lines.append(f"    HostName {host.address.replace('%', '%%')}")
        if host.port is not None:
            lines.append(f"    Port {host.port}")
        if host.user is not None:
            lines.append(f"    User {_quoted(host.user)}")
        lines += [f"    IdentityFile {_quoted(path.replace('%', '%%'))}" for path in host.identity_files]
        if host.known_hosts is not None:
            lines.append(f"    UserKnownHostsFile {_quoted(host.known_hosts.replace('%', '%%'))}")
    return "\n".join(lines) + "\n"


_NO_KEYWORD = ("groups", "tags", "interval_s", "maintenance", "maintenance_until")


def _quoted(text: str) -> str:
    if re.fullmatch(r"(?:[\w@%+=:,./~$-]|\\(?=\w))+", text):  # DOMAIN\user is taken as it is
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


EXPORTS: Mapping[str, Callable[[Sequence[Host]], str]] = {
    "toml": _toml,
    "csv": _csv,
    "ansible-ini": _ansible_ini,
    "ansible-yaml": _ansible_yaml,
    "ssh_config": _ssh_config,
}
"""Every form that hosts are written in."""
