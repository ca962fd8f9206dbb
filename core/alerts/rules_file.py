"""alerts.toml: the user's rules, which change the defaults, hold in part of the fleet, or are new ones."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.alerts.defaults import DEFAULTS
from core.alerts.figures import FIGURES
from core.alerts.rules import Rule
from core.exceptions import ConfigurationError
from core.inventory.toml_file import read_toml

_LISTS = {"items", "skip", "hosts", "groups", "tags"}
_TEXTS = {"title", "advice", "figure"}
_BOUNDS = {"info", "warning", "error", "slack"}
_SPANS = {"for": "for_s", "clear": "clear_s", "within": "over_s"}
_FLAGS = {"on", "below"}
_KNOWN = {"name", "samples", *_LISTS, *_TEXTS, *_BOUNDS, *_SPANS, *_FLAGS}
_LONGEST_S = 366 * 86_400.0
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|second|min|m|minute|h|hour|d|day|w|week)?s?", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Return the defaults and what the file makes of them; a missing file changes nothing.

    ConfigurationError names the file, the rule and the key that is wrong.
    """
    document = read_toml(path, _wrong)
    if document is None:
        return DEFAULTS
    tables = document.pop("rules", [])
    if document:
        raise _wrong(str(path), f"{next(iter(document))!r} is not known here: a rule is a [[rules]] table")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _wrong(str(path), "rules must be [[rules]] tables")
    rules = list(DEFAULTS)
    for place, table in enumerate(tables, 1):
        rules.append(_rule(table, f"{path}, rule {place}", rules))
    return tuple(rules)


def _rule(table: dict[str, Any], where: str, before: list[Rule]) -> Rule:
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(where, 'it needs a name of small letters, digits, dots and dashes, such as name = "disk-full"')
    where = f"{where} ({name})"
    for key in table:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, 1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise _wrong(where, f"{key!r} is not known{hint} (known: {', '.join(sorted(_KNOWN))})")
    base = next((rule for rule in reversed(before) if rule.name == name and not _scoped(rule)), None)
    if base is None and "figure" not in table:
        near = difflib.get_close_matches(name, [rule.name for rule in DEFAULTS], 1)
        hint = f"do you mean {near[0]}? " if near else ""
        raise _wrong(where, f'{hint}a rule that is none of the defaults needs a figure, such as figure = "disk.pct"')
    values = {_field(key): _value(key, value, table, base, where) for key, value in table.items()}
    bounds = values.keys() & {"info", "warning", "error"}
    if base is not None and bounds:  # whoever sets bounds means these and no others
        values = {**dict.fromkeys(("info", "warning", "error")), **values}
    rule = replace(base, **values) if base is not None else Rule(**values)
    if rule.info is rule.warning is rule.error is None:
        raise _wrong(where, "it needs a bound: warning = 90, or info or error")
    _ordered(rule, where)
    return rule


def _scoped(rule: Rule) -> bool:
    return bool(rule.hosts or rule.groups or rule.tags)


def _field(key: str) -> str:
    return _SPANS.get(key, key)


def _value(key: str, value: Any, table: dict[str, Any], base: Rule | None, where: str) -> Any:
    if key in _LISTS:
        if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
            raise _wrong(where, f'{key} must be a list of texts, such as {key} = ["web-*"]')
        return tuple(value)
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise _wrong(where, f"{key} must be true or false")
        return value
    if key == "figure":
        if value not in FIGURES:
            near = difflib.get_close_matches(str(value), FIGURES, 1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise _wrong(where, f"there is no figure {str(value)[:60]!r}{hint} (there are {', '.join(FIGURES)})")
        return value
    if key in _TEXTS | {"name"}:
        if not isinstance(value, str) or not value.isprintable() or len(value) > 300:
            raise _wrong(where, f"{key} must be a line of text")
        return value
    if key == "samples":
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
            raise _wrong(where, "samples must be a whole number from 1 to 1000")
        return value
    figure = str(table.get("figure") or (base.figure if base else ""))
    timed = key in _SPANS or (figure in FIGURES and FIGURES[figure].unit == "time")
    return _seconds(key, value, where) if timed else _number(key, value, where)


def _number(key: str, value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e15:
        raise _wrong(where, f"{key} must be a number")
    return float(value)


def _seconds(key: str, value: Any, where: str) -> float:
    seconds: float | None = None
    if isinstance(value, str) and (match := _SPAN.fullmatch(value.strip())):
        seconds = float(match[1]) * _SECONDS[(match[2] or "s")[0].lower()]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    if seconds is None or not 0 <= seconds <= _LONGEST_S:
        raise _wrong(where, f'{key} must be a time of up to a year, such as "90 s", "10 min", "3 days" or seconds')
    return seconds


def _ordered(rule: Rule, where: str) -> None:
    bounds = [bound for bound in (rule.info, rule.warning, rule.error) if bound is not None]
    if bounds != sorted(bounds, reverse=rule.below):
        side = "falls" if rule.below else "grows"
        raise _wrong(where, f"info, warning, error must stand in this order as the figure {side}")


def _wrong(where: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {text}", operation="read alerts.toml")
