"""Ansible inventories in YAML form, and the JSON that ``ansible-inventory --list`` prints."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

from core.exceptions import ConfigurationError
from core.inventory.ansible import Tree, Var
from core.inventory.reading import Reading
from core.inventory.yaml_nodes import Node, load_yaml, merged


def read_ansible_yaml(text: str, name: str) -> Tree:
    """Return what a YAML inventory says; ConfigurationError where it is no YAML or no inventory."""
    tree = Tree(Reading("ansible-yaml"))
    root = load_yaml(text, name)
    if root is None or root.empty:
        return tree
    if root.kind != "map":
        what = "a list (a playbook?)" if root.kind == "list" else "a single text"
        raise ConfigurationError(
            f"{name}:{root.line}: is {what}; an inventory begins with all: or the name of a group",
            operation="import hosts",
        )
    keys = {key.text for key, _ in root.pairs}
    if "plugin" in keys:
        raise ConfigurationError(
            f"{name} asks an inventory plugin, which Jumpwatch does not run: "
            "ansible-inventory -i FILE --list > hosts.json, and import that",
            operation="import hosts",
        )
    _Walk(tree, name).groups(root)
    return tree


class _Walk:
    """Goes through the groups; each pair of a name and a node once, so that aliases cost nothing."""

    def __init__(self, tree: Tree, name: str) -> None:
        self._tree, self._name = tree, name
        self._seen: set[tuple[str, int]] = set()
        self._todo: deque[tuple[str, Node]] = deque()

    def groups(self, root: Node) -> None:
        for key, value in merged(root):
            if key.text == "_meta":
                self._meta(value)
            else:
                self._todo.append((key.text, value))
        while self._todo:
            group, node = self._todo.popleft()
            if (group, id(node)) not in self._seen:
                self._seen.add((group, id(node)))
                self._group(group, node)

    def _where(self, node: Node) -> str:
        return f"{self._name}:{node.line}"

    def _group(self, group: str, node: Node) -> None:
        where = self._where(node)
        self._tree.group(group, where)
        if node.empty:
            return
        if node.kind == "list":  # what old inventory scripts print
            self._hosts(group, node)
            return
        if node.kind != "map":
            self._tree.reading.skip(group, where, "is a text where a group with hosts, children or vars should be")
            return
        for key, value in merged(node):
            if key.text == "hosts":
                self._hosts(group, value)
            elif key.text == "children":
                self._children(group, value)
            elif key.text == "vars":
                variables = self._variables(group, value)
                self._tree.groups[group].variables.update(variables)
                self._tree.tell(group, variables)
            else:
                why = "is neither hosts nor children nor vars"
                self._tree.reading.skip(f"{group}: {key.text}", self._where(key), why)

    def _hosts(self, group: str, node: Node) -> None:
        for key, value in _named(node):
            variables = self._variables(key.text, value)
            self._tree.hosts(key.text, self._where(key), variables, group)
            self._tree.tell(key.text, variables)

    def _children(self, group: str, node: Node) -> None:
        for key, value in _named(node):
            self._tree.count(1, self._where(key))
            self._tree.groups[group].children.setdefault(key.text, self._where(key))
            self._todo.append((key.text, value))

    def _meta(self, node: Node) -> None:
        hostvars = next((value for key, value in node.pairs if key.text == "hostvars"), None)
        for key, value in _named(hostvars) if hostvars else ():
            variables = self._variables(key.text, value)
            self._tree.hosts(key.text, self._where(key), variables)
            self._tree.tell(key.text, variables)

    def _variables(self, owner: str, node: Node) -> dict[str, Var]:
        variables = variables_of(node, self._name)
        if variables is None:
            self._tree.reading.skip(owner, self._where(node), "its variables are no mapping of names to values")
            return {}
        self._tree.count(len(variables), self._where(node))
        return variables


def variables_of(node: Node | None, name: str) -> dict[str, Var] | None:
    """Return the variables that a mapping holds (an empty node: none); None where it is no mapping."""
    if node is None or node.empty:
        return {}
    if node.kind != "map":
        return None
    return {key.text: Var(_in_text(value), f"{name}:{key.line}") for key, value in merged(node)}


def _in_text(node: Node) -> str | None:
    """Return a text, or a list of texts as JSON; None for what is neither, and for a vault."""
    if "vault" in node.tag:
        return None
    if node.kind == "list" and all(item.kind == "text" for item in node.items):
        return json.dumps([item.text for item in node.items], ensure_ascii=False)
    return node.text if node.kind == "text" else None


def _named(node: Node) -> Iterator[tuple[Node, Node]]:
    """The names in a mapping, a list or a single text, each with what stands under it."""
    nothing = Node("text", node.line)
    if node.kind == "map":
        yield from ((key, value) for key, value in merged(node) if key.kind == "text")
    elif node.kind == "list":
        yield from ((item, nothing) for item in node.items if item.kind == "text")
    elif not node.empty:
        yield node, nothing
