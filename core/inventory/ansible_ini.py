"""Ansible inventories in INI form: sections of hosts, ``:children`` and ``:vars``."""

from __future__ import annotations

import re
import shlex

from core.inventory.ansible import Tree, Var
from core.inventory.ansible_names import is_bracketed
from core.inventory.reading import Reading

_SECTION = re.compile(r"\[(?P<group>[^:\]]+)(?::(?P<kind>\w+))?\]\s*(?:[#;].*)?")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def read_ansible_ini(text: str, name: str) -> Tree:
    """Return what an INI inventory says; lines that cannot be read are left out with their number."""
    tree = Tree(Reading("ansible-ini"))
    group, kind = "ungrouped", "hosts"
    tree.group("ungrouped", f"{name}:1")
    asides: list[tuple[str, str, str]] = []  # group, section, where: groups that only :vars speaks of
    for number, line in enumerate(text.splitlines(), 1):
        where, line = f"{name}:{number}", line.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and (match := _SECTION.fullmatch(line)):
            group, kind = match["group"].strip(), match["kind"] or "hosts"
            if kind not in ("hosts", "children", "vars"):
                tree.reading.skip(f"[{group}:{kind}]", where, "is no section that Ansible has: its lines are left out")
            elif kind == "vars" and group not in tree.groups:
                asides.append((group, f"[{group}:vars]", where))
                tree.group(group, where)
            elif kind != "vars":
                tree.group(group, where)
        elif line.startswith("[") and not is_bracketed(line.split()[0]):
            tree.reading.skip(line, where, "is no section header: the hosts below it are taken without a group")
            group, kind = "ungrouped", "hosts"
        elif kind == "hosts":
            _host(line, group, where, tree)
        elif kind == "children":
            tree.groups[group].children.setdefault(line.split()[0], where)
        elif kind == "vars":
            _variable(line, group, where, tree)
    _asides(asides, tree)
    return tree


def _host(line: str, group: str, where: str, tree: Tree) -> None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        tree.reading.skip(line.split()[0], where, f"the line cannot be read: {str(error).lower()}")
        return
    if not words:
        return
    variables: dict[str, Var] = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not _NAME.fullmatch(name):
            # The word itself may be the rest of a password with a space in it: it is not told.
            tree.reading.skip(words[0], where, "has a word that is no name=value: quote values with spaces")
            return
        variables[name] = Var(_unquoted(value), where)
    tree.hosts(words[0], where, variables, group)
    tree.tell(words[0], variables)


def _variable(line: str, group: str, where: str, tree: Tree) -> None:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not _NAME.fullmatch(name):
        tree.reading.skip(f"[{group}:vars]", where, "the line is no name=value")
        return
    var = Var(_unquoted(re.sub(r"\s+#.*", "", value)), where)
    tree.groups[group].variables[name] = var
    tree.tell(f"[{group}:vars]", {name: var})


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _asides(asides: list[tuple[str, str, str]], tree: Tree) -> None:
    """Groups that :vars named before (or without) a section of their own."""
    children = {child for group in tree.groups.values() for child in group.children}
    for group, section, where in asides:
        if group != "all" and not tree.groups[group].hosts and group not in children:
            tree.reading.skip(section, where, f"no group {group} has hosts: the variables reach nobody")
