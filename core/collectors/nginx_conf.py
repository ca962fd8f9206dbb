"""One file of SWAG's proxy-confs, read by crossplane from its text alone: nothing is opened, nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.collectors.text import clean
from core.models import ProxyFigures

_VARIABLE = re.compile(r"\$\{?(\w{1,64})\}?", re.ASCII)
_AUTH = re.compile(r"(?:.*/)?(authelia|authentik|ldap|tinyauth)-location\.conf")  # as SWAG ships them
_PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_KINDS = ("subdomain", "subfolder")
_MOST, _ROUNDS = 20, 4  # texts of one kind, variables within variables


@dataclass
class _Told:
    """What the directives of one file add up to; dictionaries keep order and know each text once."""

    names: dict[str, None] = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)
    upstreams: dict[str, None] = field(default_factory=dict)
    auth: str | None = None
    tls: bool | None = None


def parse_conf(file: str, text: str) -> ProxyFigures:
    """Read one file; what nginx would not take is a problem, with its line, and never an error."""
    import crossplane  # only hosts with a proxy pay for it

    kind = next((each for each in _KINDS if f".{each}." in file), "other")
    read = crossplane.parse_string(
        text, filename=file, single=True, strict=False, check_ctx=False, check_args=False, comments=False
    )
    told = _Told()
    for block, scope in _blocks([each for config in read["config"] for each in config["parsed"]]):
        _take(block, scope, told)
    return ProxyFigures(
        clean(file),
        kind,
        _texts(told.names),
        _texts(told.paths),
        _texts(told.upstreams),
        told.auth,
        told.tls,
        _problem(read["errors"], file),
    )


def _blocks(outermost: list[Any]) -> Iterator[tuple[list[Any], Mapping[str, str]]]:
    """Go through all blocks, the outer ones first, each with the variables that are set in and around it."""
    waiting: list[tuple[list[Any], Mapping[str, str]]] = [(outermost, {})]
    while waiting:
        block, around = waiting.pop(0)
        sets = {each["args"][0].lstrip("$"): each["args"][1][:200] for each in block
                if each["directive"] == "set" and len(each["args"]) == 2}  # fmt: skip
        scope = {**around, **sets}
        yield block, scope
        waiting += [(each["block"], scope) for each in block if each.get("block")]


def _take(block: list[Any], scope: Mapping[str, str], told: _Told) -> None:
    for each in block:
        name, args = each["directive"], [str(arg) for arg in each["args"]]
        if not args:
            continue
        if name == "server_name":
            told.names.update(dict.fromkeys(args))
        elif name == "listen":
            told.tls = bool(told.tls) or "ssl" in args[1:]
        elif name == "location":
            told.paths[args[-1]] = None
        elif name in _PASSES:
            told.upstreams[_filled(args[0], scope)] = None
        elif name == "include" and (found := _AUTH.fullmatch(args[0])):
            told.auth = found[1]
        elif name == "auth_basic" and args[0] != "off":
            told.auth = told.auth or "basic"
        elif name == "auth_request" and args[0] != "off":
            told.auth = told.auth or "auth_request"


def _filled(text: str, scope: Mapping[str, str]) -> str:
    """Return the text with the variables that the file itself sets; nginx's own ones stay as they are."""
    for _ in range(_ROUNDS):
        filled = _VARIABLE.sub(lambda found: scope.get(found[1], found[0]), text)[:500]
        if filled == text:
            break
        text = filled
    return text


def _texts(found: Mapping[str, None]) -> tuple[str, ...]:
    return tuple(clean(text)[:200] for text in list(found)[:_MOST])


def _problem(errors: list[Any], file: str) -> str:
    if not errors:
        return ""
    line = errors[0].get("line")
    said = str(errors[0].get("error") or "the file ends too soon").partition(f" in {file}")[0]
    return clean(f"line {line}: {said}" if line else said)[:200]
