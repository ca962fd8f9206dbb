"""What an import would do to an inventory: hosts added, fields filled, what the user set left alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.exceptions import ValidationError
from core.inventory.fields import FIELDS, as_table, from_text, in_text, known_field, validate_host
from core.inventory.reading import Found, Reading, Skipped
from core.models import Host

_FILLED = (
    "address", "port", "user", "interval_s", "identity_files", "known_hosts", "collectors", "sudo", "services",
)  # fmt: skip
_ADDED = ("groups", "tags")


@dataclass(frozen=True, slots=True)
class Changed:
    """A host that is there already and gains something."""

    host: Host  # as it will be
    where: str
    gains: tuple[str, ...]  # "port 2222", "group web"


@dataclass(frozen=True, slots=True)
class Kept:
    """A host that is there already, with what the file says otherwise and the inventory keeps."""

    name: str
    where: str
    differs: tuple[str, ...]  # "port 22 (the file says 2222)"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import adds, changes, leaves as it is, and leaves out."""

    format: str
    added: tuple[Found, ...]
    changed: tuple[Changed, ...]
    kept: tuple[Kept, ...]
    skipped: tuple[Skipped, ...]


def plan_import(
    existing: Mapping[str, Host], reading: Reading, *, groups: tuple[str, ...] = (), tags: tuple[str, ...] = ()
) -> ImportPlan:
    """Return what importing the reading does; ``groups`` and ``tags`` are given to every host of it.

    What a host has is kept: only fields not set are filled, groups and tags are added. So a second import of the
    same file changes nothing.
    """
    validate_host(Host("x", groups=groups, tags=tags))
    added: list[Found] = []
    changed: list[Changed] = []
    kept: list[Kept] = []
    for one in reading.found.values():
        wanted = replace(one.host, groups=_union(one.host.groups, groups), tags=_union(one.host.tags, tags))
        there = existing.get(wanted.name)
        if there is None:
            added.append(Found(wanted, one.where))
            continue
        merged = _merged(there, wanted)
        if differs := _differing(merged, wanted):
            kept.append(Kept(wanted.name, one.where, differs))
        elif merged == there:
            kept.append(Kept(wanted.name, one.where, ()))
        if merged != there:
            changed.append(Changed(merged, one.where, _gains(there, merged)))
    return ImportPlan(reading.format, tuple(added), tuple(changed), tuple(kept), tuple(reading.skipped))


def _merged(there: Host, wanted: Host) -> Host:
    mine = as_table(there)
    values: dict[str, Any] = {key: getattr(there if key in mine else wanted, key) for key in _FILLED}
    for key in _ADDED:
        values[key] = _union(getattr(there, key), getattr(wanted, key))
    return replace(there, **values)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _gains(before: Host, after: Host) -> tuple[str, ...]:
    old, new = in_text(before), in_text(after)
    gains = [f"{key} {new[key]}" for key in _FILLED if key in new and old.get(key) != new[key]]
    for key in _ADDED:
        gains += [f"{key[:-1]} {word}" for word in getattr(after, key) if word not in getattr(before, key)]
    return tuple(gains)


def _differing(there: Host, wanted: Host) -> tuple[str, ...]:
    mine, theirs = in_text(there), in_text(wanted)
    return tuple(
        f"{key} {mine[key]} (the file says {theirs[key]})"
        for key in _FILLED
        if key in theirs and mine.get(key) != theirs[key]
    )


def changed_field(host: Host, setting: str) -> Host:
    """Return the host with one setting written ``key=value`` applied; lists also take ``key+=word``, ``key-=word``.

    An empty value takes the setting away. Raises ValidationError.
    """
    key, equals, text = setting.partition("=")
    sign = key[-1:] if key[-1:] in ("+", "-") else ""
    key = key.removesuffix(sign).strip()
    if not equals or not key:
        raise ValidationError(f"{setting[:80]!r} must be KEY=VALUE, such as user=watch (known: {', '.join(FIELDS)})")
    if known_field(key) == "name":
        raise ValidationError("a host's name is the key of its history: add the new name, and remove the old one")
    value = from_text(key, text)
    if sign:
        if not isinstance(value, tuple):
            raise ValidationError(
                f"{key}{sign}= is for lists (groups, tags, identity_files, sudo ...): {key} takes {key}="
            )
        before: tuple[str, ...] | None = getattr(host, key)
        if before is None:
            raise ValidationError(f"{host.name} has the {key} of the settings: name all that it shall have with {key}=")
        value = _union(before, value) if sign == "+" else tuple(word for word in before if word not in value)
    changes: dict[str, Any] = {key: value}
    if key == "maintenance" and not value:
        changes["maintenance_until"] = None
    if key == "maintenance_until":
        changes["maintenance"] = value is not None or host.maintenance
    changed = replace(host, **changes)
    validate_host(changed)
    return changed
