"""YAML as nodes with their lines: no value is made of a text, no alias copied, depth is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.exceptions import ConfigurationError

_MAX_DEPTH = 100
_MOST_MERGED = 10_000
_NULLS = frozenset({"~", "null", "Null", "NULL"})


@dataclass(slots=True)
class Node:
    """A value of the file with its line; ``pairs`` of a mapping, ``items`` of a list, ``text`` of a scalar."""

    kind: str  # map, list, text
    line: int
    tag: str = ""
    text: str = ""
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return self.kind == "text" and not self.text


def merged(node: Node) -> list[tuple[Node, Node]]:
    """The pairs of a mapping; what ``<<`` brings in comes first, so that the mapping's own pairs win."""
    own = [(key, value) for key, value in node.pairs if key.text != "<<"]
    brought: list[tuple[Node, Node]] = []
    for key, value in node.pairs:
        if key.text == "<<":
            sources = reversed(value.items) if value.kind == "list" else (value,)
            brought += [pair for source in sources for pair in source.pairs if pair[0].text != "<<"]
            if len(brought) > _MOST_MERGED:
                raise ConfigurationError(f"line {node.line}: << brings in over {_MOST_MERGED:,} values")
    return brought + own


def load_yaml(text: str, name: str) -> Node | None:
    """Return the document as nodes, from the parser's events: no value is made, no alias copied, depth is bounded."""
    import yaml  # late: few imports are YAML

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    anchors: dict[str, Node] = {}
    root: Node | None = None
    stack: list[tuple[Node, list[Node]]] = []
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


def _made(kind: str, event: object, line: int, anchors: dict[str, Node]) -> Node | None:
    """Return the node that an event begins; None for events that begin none."""
    anchor = getattr(event, "anchor", None)
    if kind == "AliasEvent":
        return anchors.get(str(anchor)) or Node("text", line)
    kinds = {"MappingStartEvent": "map", "SequenceStartEvent": "list", "ScalarEvent": "text"}
    if kind not in kinds:
        return None
    text = str(getattr(event, "value", ""))
    if not getattr(event, "style", None) and text in _NULLS:  # plain, not quoted
        text = ""
    node = Node(kinds[kind], line, str(getattr(event, "tag", None) or ""), text)
    if anchor:
        anchors[str(anchor)] = node
    return node
