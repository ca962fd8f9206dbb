"""jumpwatch config: show, path, validate, schema, keys."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from console.commands.output import plain, print_json, print_table, say
from console.commands.setup import settings_from
from console.formatting import clean
from core.alerts.rules_file import load_rules
from core.config.fields import problems_of
from core.exceptions import ConfigurationError
from core.redaction import MASK, redact_text

if TYPE_CHECKING:
    from core.config import ApplicationSettings


def show(args: argparse.Namespace) -> int:
    """Print every setting, secrets masked, and where it came from."""
    settings = settings_from(args)
    values = _flat(settings)
    if args.json:
        print_json({key: {"value": value, "source": _source(settings, key)} for key, value in values.items()})
        return 0
    for key, value in values.items():
        source = _source(settings, key)
        print(f"{key} = {plain(value)}" + ("" if source == "default" else f"  # {source}"))
    return 0


def path(args: argparse.Namespace) -> int:
    """Print the files and folders in use."""
    settings = settings_from(args)
    files = dict(zip(("settings", "dotenv"), settings.files, strict=True))
    files |= {
        "inventory": settings.inventory_file,
        "data": settings.data_dir,
        "state": settings.state_dir,
        "cache": settings.cache_dir,
        "log": settings.log_file,
        "ssh_config": settings.ssh.config_file,
        "known_hosts": settings.ssh.known_hosts,
    }
    if args.json:
        print_json({name: {"path": file, "exists": file.exists()} for name, file in files.items()})
        return 0
    for name, file in files.items():
        print(f"{name:<12} {file}" + ("" if file.exists() else "  (not there)"))
    return 0


def validate(args: argparse.Namespace) -> int:
    """Print ok, or every problem of the settings, one a line; exit code 2 where there is one."""
    problems: list[str] = []
    try:
        settings = settings_from(args)
        if settings.database.configured:
            from core.storage.connect import tls

            tls(settings.database)  # reads the authority's file
        load_rules(settings.inventory_file.with_name("alerts.toml"))
    except ConfigurationError as error:
        problems = [redact_text(problem) for problem in problems_of(error)[0]]
    if args.json:
        print_json({"ok": not problems, "problems": problems})
    else:
        for line in problems or ["ok"]:
            print(clean(line))
    return 2 if problems else 0


def schema(args: argparse.Namespace) -> int:
    """Print the JSON Schema of the settings; it has defaults, and no value that is in force."""
    from core.config.reference import schema as made

    print_json(made())
    return 0


def _flat(settings: ApplicationSettings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        section = getattr(type(value), "model_fields", None)
        if section is None:
            flat[name] = value
        else:
            flat |= {f"{name}.{field}": _shown(getattr(value, field)) for field in section}
    flat |= {f"keys.{binding}": keys for binding, keys in settings.keys.items()}
    return flat


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return MASK if isinstance(value, SecretStr) else value


def _source(settings: ApplicationSettings, key: str) -> str:
    source = settings.origins.get(key, "default")
    section, _, field = key.partition(".")
    if source == "default" and section == "database" and settings.database.url is not None:
        default = type(settings.database).model_fields[field].default
        return "default" if getattr(settings.database, field) == default else "database.url"
    return source


def keys(args: argparse.Namespace) -> int:
    """Print every binding that has a name, with its keys; exit code 2 where a wish of the file is refused."""
    from console.screens.keymap import bindings, make_keymap

    settings = settings_from(args)
    known = bindings()
    made = make_keymap(settings.keys, known)
    rows = [(name, made.keys.get(name, each.key), each.description) for name, each in sorted(known.items())]
    if args.json:
        print_json(
            {
                "keys": [{"name": name, "keys": bound.split(","), "does": does} for name, bound, does in rows],
                "problems": made.problems,
            }
        )
    else:
        print_table(("NAME", "KEYS", "DOES"), rows)
    for problem in made.problems:
        say(problem)
    return 2 if made.problems else 0
