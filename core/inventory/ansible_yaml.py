"""Ansible inventories in YAML form, and the JSON that ``ansible-inventory --list`` prints."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.exceptions import ConfigurationError
from core.inventory.ansible import Tree, Var
from core.inventory.reading import Reading

_MAX_DEPTH = 100
_NULLS = frozenset({"~", "null", "Null", "NULL"})


@dataclass(slots=True)
class _Node:
    """A value of the file with its line; ``pairs`` of a mapping, ``items`` of a list, ``text`` of a scalar."""

    kind: str  # map, list, text
    line: int
    tag: str = ""
    text: str = ""
    pairs: list[tuple[_Node, _Node]] = field(default_factory=list)
    items: list[_Node] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return self.kind == "text" and not self.text


def read_ansible_yaml(text: str, name: str) -> Reading:
    """Return the hosts of a YAML inventory; ConfigurationError where it is no YAML or no inventory."""
    tree = Tree(Reading("ansible-yaml"))
    root = _load(text, name)
    if root is None or root.empty:
        return tree.finish()
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
    return tree.finish()


class _Walk:
    """Goes through the groups; each pair of a name and a node once, so that aliases cost nothing."""

    def __init__(self, tree: Tree, name: str) -> None:
        self._tree, self._name = tree, name
        self._seen: set[tuple[str, int]] = set()
        self._todo: deque[tuple[str, _Node]] = deque()

    def groups(self, root: _Node) -> None:
        for key, value in _merged(root):
            if key.text == "_meta":
                self._meta(value)
            else:
                self._todo.append((key.text, value))
        while self._todo:
            group, node = self._todo.popleft()
            if (group, id(node)) not in self._seen:
                self._seen.add((group, id(node)))
                self._group(group, node)

    def _where(self, node: _Node) -> str:
        return f"{self._name}:{node.line}"

    def _group(self, group: str, node: _Node) -> None:
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
        for key, value in _merged(node):
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

    def _hosts(self, group: str, node: _Node) -> None:
        for key, value in _named(node):
            variables = self._variables(key.text, value)
            self._tree.hosts(key.text, self._where(key), variables, group)
            self._tree.tell(key.text, variables)

    def _children(self, group: str, node: _Node) -> None:
        for key, value in _named(node):
            self._tree.count(1, self._where(key))
            self._tree.groups[group].children.setdefault(key.text, self._where(key))
            self._todo.append((key.text, value))

    def _meta(self, node: _Node) -> None:
        hostvars = next((value for key, value in node.pairs if key.text == "hostvars"), None)
        for key, value in _named(hostvars) if hostvars else ():
            variables = self._variables(key.text, value)
            self._tree.hosts(key.text, self._where(key), variables)
            self._tree.tell(key.text, variables)

    def _variables(self, owner: str, node: _Node) -> dict[str, Var]:
        if node.empty:
            return {}
        if node.kind != "map":
            self._tree.reading.skip(owner, self._where(node), "its variables are no mapping of names to values")
            return {}
        return {
            key.text: Var(value.text if value.kind == "text" and "vault" not in value.tag else None, self._where(key))
            for key, value in _merged(node)
        }


def _named(node: _Node) -> Iterator[tuple[_Node, _Node]]:
    """The names in a mapping, a list or a single text, each with what stands under it."""
    nothing = _Node("text", node.line)
    if node.kind == "map":
        yield from ((key, value) for key, value in _merged(node) if key.kind == "text")
    elif node.kind == "list":
        yield from ((item, nothing) for item in node.items if item.kind == "text")
    elif not node.empty:
        yield node, nothing


def _merged(node: _Node) -> list[tuple[_Node, _Node]]:
    """The pairs of a mapping; what ``<<`` brings in comes first, so that the mapping's own pairs win."""
    own = [(key, value) for key, value in node.pairs if key.text != "<<"]
    brought: list[tuple[_Node, _Node]] = []
    for key, value in node.pairs:
        if key.text == "<<":
            sources = reversed(value.items) if value.kind == "list" else (value,)
            brought += [pair for source in sources for pair in source.pairs if pair[0].text != "<<"]
    return brought + own


def _load(text: str, name: str) -> _Node | None:
    """Return the document as nodes, from the parser's events: no value is made, no alias copied, depth is bounded."""
    import yaml  # late: few imports are YAML

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    anchors: dict[str, _Node] = {}
    root: _Node | None = None
    stack: list[tuple[_Node, list[_Node]]] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            kind, line = type(event).__name__, event.start_mark.line + 1
            if kind in ("MappingEndEvent", "SequenceEndEvent"):
                node, parts = stack.pop()
                if node.kind == "map":
                    node.pairs = list(zip(parts[::2], parts[1::2], strict=True))
                else:
                    node.items = parts
                continue
            made = _made(kind, event, line, anchors)
            if made is None:
                if kind == "DocumentStartEvent" and root is not None:
                    raise ConfigurationError(f"{name}:{line}: a second document begins; an inventory is one")
                continue
            if stack:
                stack[-1][1].append(made)
            else:
                root = made
            if kind in ("MappingStartEvent", "SequenceStartEvent"):
                if len(stack) >= _MAX_DEPTH:
                    raise ConfigurationError(f"{name}:{line}: is nested over {_MAX_DEPTH} deep, which is no inventory")
                stack.append((made, []))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        raise ConfigurationError(f"{name}{place}: is no YAML: {problem}", operation="import hosts") from None
    return root


def _made(kind: str, event: object, line: int, anchors: dict[str, _Node]) -> _Node | None:
    """Return the node that an event begins; None for events that begin none."""
    anchor = getattr(event, "anchor", None)
    if kind == "AliasEvent":
        return anchors.get(str(anchor)) or _Node("text", line)
    kinds = {"MappingStartEvent": "map", "SequenceStartEvent": "list", "ScalarEvent": "text"}
    if kind not in kinds:
        return None
    text = str(getattr(event, "value", ""))
    if not getattr(event, "style", None) and text in _NULLS:  # plain, not quoted
        text = ""
    node = _Node(kinds[kind], line, str(getattr(event, "tag", None) or ""), text)
    if anchor:
        anchors[str(anchor)] = node
    return node
