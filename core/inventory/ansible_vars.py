"""group_vars and host_vars beside an Ansible inventory: files of variables, named for a group or a host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from core.exceptions import ConfigurationError
from core.inventory.ansible import Tree, Var
from core.inventory.ansible_yaml import variables_of
from core.inventory.disk import read_text
from core.inventory.yaml_nodes import load_yaml

_MAX_BYTES = 1 << 20
_MOST_FILES = 5000
_SUFFIXES = ("", ".yml", ".yaml", ".json")
_VAULT = "$ANSIBLE_VAULT"


def read_vars_folders(tree: Tree, folder: Path) -> None:
    """Add what the files say of groups and hosts that the tree has; they count above what the inventory itself says.

    Blocking. What cannot be read is left out and said.
    """
    for owner, path in _files(folder / "group_vars", tree):
        if owner == "all" or owner in tree.groups:
            variables = _read(tree, f"group_vars of {owner}", path)
            tree.group(owner, str(path)).beside.update(variables)
    for owner, path in _files(folder / "host_vars", tree):
        if owner in tree.members:
            tree.members[owner].variables.update(_read(tree, f"host_vars of {owner}", path))


def _files(base: Path, tree: Tree) -> Iterator[tuple[str, Path]]:
    """The files in a folder and in folders of it, each with the group or host it is named for."""
    found = 0
    for entry in _entries(base, tree):
        inner = _entries(entry, tree) if entry.is_dir() else None
        paths = [entry] if inner is None else [path for path in inner if path.suffix in _SUFFIXES and path.is_file()]
        found += len(paths)
        if found > _MOST_FILES:
            tree.reading.skip(base.name, str(base), f"holds over {_MOST_FILES} files: the rest is not read")
            return
        owners = [entry.name]
        if inner is None and entry.suffix in _SUFFIXES[1:]:
            owners.append(entry.stem)
        yield from ((owner, path) for path in paths for owner in owners)


def _entries(base: Path, tree: Tree) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(base) if not name.startswith(".") and not name.endswith("~"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        tree.reading.skip(base.name, str(base), f"cannot be read: {error.strerror}")
        return []
    return [base / name for name in names]


def _read(tree: Tree, owner: str, path: Path) -> dict[str, Var]:
    where = str(path)
    try:
        text = read_text(path, most=_MAX_BYTES, what="file of variables") or ""
        if text.startswith(_VAULT):
            tree.reading.skip(owner, where, "is encrypted by ansible-vault: not read")
            return {}
        variables = variables_of(load_yaml(text, where), where)
    except ConfigurationError as error:
        tree.reading.skip(owner, where, error.message)
        return {}
    if variables is None:
        tree.reading.skip(owner, where, "is no mapping of names to values")
        return {}
    tree.count(len(variables), where)
    tree.tell(owner, variables, where)
    return variables
