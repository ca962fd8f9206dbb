"""What both forms of an Ansible inventory mean: groups in groups, variables that come down to hosts, hosts of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.exceptions import ConfigurationError, ValidationError
from core.inventory.ansible_names import expand
from core.inventory.fields import FIELDS, from_text, validate_host
from core.inventory.reading import Reading, is_secret
from core.models import Host

PREFIX = "jumpwatch_"  # what Ansible has no word for: tags, interval_s, ...; exports write it, imports read it
IMPLICIT = frozenset({"all", "ungrouped"})
_TAKEN: Mapping[str, tuple[str, ...]] = {  # the last one that is set counts
    "address": ("ansible_ssh_host", "ansible_host"),
    "port": ("ansible_ssh_port", "ansible_port"),
    "user": ("ansible_ssh_user", "ansible_user"),
    "identity_files": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}
_CONNECTION, _PRIORITY = "ansible_connection", "ansible_group_priority"
_KNOWN = frozenset(name for names in _TAKEN.values() for name in names) | {_CONNECTION, _PRIORITY}
_OVER_SSH = re.compile(r"(?:.*\.)?(?:ssh|smart|paramiko|paramiko_ssh|libssh)")
_ROUTE = re.compile(r"ansible_(?:ssh_(?:common_|extra_)?args|ssh_executable|ssh_proxy\w*|proxy_command)")
_TEMPLATE = ("{{", "{%")
_MOST_MEMBERSHIPS = 1_000_000  # hosts in groups, counted once for each mention: a bound on ranges and aliases


@dataclass(frozen=True, slots=True)
class Var:
    """A variable as the file has it; None where its value is no single text (a list, a mapping, a vault)."""

    value: str | None
    where: str

    @property
    def template(self) -> bool:
        """Whether only Ansible can fill it in."""
        return self.value is None or any(sign in self.value for sign in _TEMPLATE)


@dataclass(slots=True)
class Group:
    """A group: hosts and groups within it, and variables for all of them; ``beside`` are those of group_vars."""

    where: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)  # name -> where
    variables: dict[str, Var] = field(default_factory=dict)
    beside: dict[str, Var] = field(default_factory=dict)


@dataclass(slots=True)
class Member:
    """A host: where it is first named, and its own variables."""

    where: str
    variables: dict[str, Var] = field(default_factory=dict)


class Tree:
    """The inventory as it is read; ``finish`` turns it into hosts."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.groups: dict[str, Group] = {}
        self.members: dict[str, Member] = {}
        self._mentions = 0

    def group(self, name: str, where: str) -> Group:
        """Return the group of that name, made now if it is new."""
        return self.groups.setdefault(name, Group(where))

    def hosts(self, pattern: str, where: str, variables: Mapping[str, Var], group: str | None = None) -> None:
        """Take the hosts that a pattern stands for, with their variables, into a group."""
        try:
            names, port = expand(pattern)
        except ValidationError as error:
            self.reading.skip(pattern, where, error.message)
            return
        self.count(len(names), where)
        for name in names:
            member = self.members.setdefault(name, Member(where))
            if port is not None:
                member.variables["ansible_port"] = Var(str(port), where)
            member.variables.update(variables)
            if group is not None:
                self.groups[group].hosts[name] = None

    def count(self, mentions: int, where: str) -> None:
        """Count what is named; ConfigurationError past what an inventory can mean."""
        self._mentions += mentions
        if self._mentions > _MOST_MEMBERSHIPS:
            raise ConfigurationError(
                f"{where}: names hosts or groups over {_MOST_MEMBERSHIPS:,} times, which is no inventory",
                operation="import hosts",
            )

    def tell(self, owner: str, variables: Mapping[str, Var], where: str | None = None) -> None:
        """Say which of an owner's variables are left out, once for each line and reason; values are never told.

        ``where`` stands for all of their lines: a file of variables is mostly about other things.
        """
        left: dict[tuple[str, str], list[str]] = {}
        for name, var in variables.items():
            if why := _why_left(name, var):
                left.setdefault((where or var.where, why), []).append(name)
        for (place, why), names in left.items():
            self.reading.skip(f"{owner}: {', '.join(names)}", place, why)

    def finish(self) -> Reading:
        """Check that no group holds itself, and bring groups and variables down to the hosts."""
        parents = self._parents()
        order = _from_the_top(self.groups, parents)
        above = self._ancestors(order, parents)
        depth: dict[str, int] = {}
        for name in order:
            depth[name] = 1 + max((depth[parent] for parent in parents[name]), default=0)
        rank = {name: (name != "all", depth[name], self._priority(name), name) for name in order}
        fit = {name for name in order if name not in IMPLICIT and self._fit(name)}
        direct: dict[str, list[str]] = {}
        for name, group in self.groups.items():
            for host in group.hosts:
                direct.setdefault(host, []).append(name)
        for name, member in self.members.items():
            own = direct.get(name, [])
            every = dict.fromkeys([*own, *(up for group in own for up in above[group])])
            ranked = [self.groups[g] for g in sorted({"all", *every} & self.groups.keys(), key=rank.__getitem__)]
            variables: dict[str, Var] = {}
            for layer in (*(group.variables for group in ranked), *(group.beside for group in ranked)):
                variables |= layer
            self._take(name, member, variables | member.variables, [group for group in every if group in fit])
        return self.reading

    def _parents(self) -> dict[str, list[str]]:
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for name, group in self.groups.items():
            for child, where in group.children.items():
                if child not in parents:
                    self.reading.skip(child, where, f"is a child of {name}, but no group of that name is defined")
                elif name not in IMPLICIT:
                    parents[child].append(name)
        return parents

    def _ancestors(self, order: Iterable[str], parents: Mapping[str, list[str]]) -> dict[str, dict[str, None]]:
        above: dict[str, dict[str, None]] = {}
        for name in order:  # parents come first
            above[name] = dict.fromkeys([*parents[name], *(up for parent in parents[name] for up in above[parent])])
            self.count(len(above[name]), self.groups[name].where)
        return above

    def _fit(self, group: str) -> bool:
        try:
            validate_host(Host("x", groups=(group,)))
        except ValidationError as error:
            self.reading.skip(group, self.groups[group].where, f"{error.message}: its hosts are taken without it")
            return False
        return True

    def _priority(self, group: str) -> int:
        var = self.groups[group].variables.get(_PRIORITY)
        return int(var.value) if var and var.value and re.fullmatch(r"-?[0-9]{1,6}", var.value) else 1

    def _take(self, name: str, member: Member, variables: Mapping[str, Var], groups: list[str]) -> None:
        connection = variables.get(_CONNECTION)
        if connection and connection.value and not _OVER_SSH.fullmatch(connection.value.strip()):
            self.reading.skip(name, member.where, f"is reached by {connection.value.strip()[:40]}, not by SSH")
            return
        values: dict[str, Any] = {"name": name, "groups": tuple(groups)}
        for key, var in _wanted(variables):
            if var.template:
                if key != "address":
                    continue  # told where it stands
                self.reading.skip(name, var.where, "its address is a template, which only Ansible can fill in")
                return
            try:
                value = from_text(key, (var.value or "").strip("[]") if key == "address" else var.value or "")
            except ValidationError as error:
                self.reading.skip(name, var.where, error.message)
                return
            values[key] = (*values["groups"], *value) if key == "groups" else value
        if values.get("maintenance_until") is not None:
            values.setdefault("maintenance", True)
        if values.get("address") == values["name"]:
            values["address"] = ""
        self.reading.take(Host(**values), member.where)


def _wanted(variables: Mapping[str, Var]) -> Iterable[tuple[str, Var]]:
    """Return each field's variable; ours count above Ansible's."""
    for key in FIELDS:
        names = (*_TAKEN.get(key, ()), PREFIX + key)
        if found := [name for name in names if name in variables]:
            var = variables[found[-1]]
            if key == "identity_files" and not found[-1].startswith(PREFIX) and not var.template:
                var = Var(json.dumps([var.value]) if var.value else "", var.where)  # one path, whatever is in it
            yield key, var


def _why_left(name: str, var: Var) -> str:
    """Return why a variable is not taken; empty where it is."""
    if name in _KNOWN or (name.startswith(PREFIX) and name.removeprefix(PREFIX) in FIELDS):
        if var.template and name not in _TAKEN["address"]:
            return "is a template or no plain text, which only Ansible can fill in: not copied"
        return ""
    if is_secret(name):
        return "is a secret: never copied; use a key or the agent, or what ssh_config says"
    if _ROUTE.fullmatch(name):
        return "not copied: say it in ssh_config (ProxyJump, IdentityFile and the like), which is read for every host"
    return "says nothing about how to reach a host: not copied"


def _from_the_top(groups: Mapping[str, Group], parents: Mapping[str, list[str]]) -> list[str]:
    """Return the groups, parents before children; a group that holds itself is a ConfigurationError."""
    waiting = {name: len(above) for name, above in parents.items()}
    free = [name for name, count in waiting.items() if not count]
    order: list[str] = []
    while free:
        name = free.pop()
        order.append(name)
        if name in IMPLICIT:
            continue
        for child in groups[name].children:
            if child in waiting:
                waiting[child] -= 1
                if not waiting[child]:
                    free.append(child)
    if len(order) == len(groups):
        return order
    ring = _ring({name for name, count in waiting.items() if count}, parents)
    where = groups[ring[1]].children.get(ring[0], groups[ring[0]].where)
    raise ConfigurationError(
        f"{where}: the group {ring[0]} holds itself ({' in '.join(ring)}): take one of these children out",
        operation="import hosts",
    )


def _ring(left: set[str], parents: Mapping[str, list[str]]) -> list[str]:
    """Return a chain of groups, each in the next, that ends where it began; every group left has a parent left."""
    chain: list[str] = []
    name = min(left)
    while name not in chain:
        chain.append(name)
        name = next(parent for parent in parents[name] if parent in left)
    return [*chain[chain.index(name) :], name]
