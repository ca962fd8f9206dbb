"""Where settings come from: flags, environment, .env and the TOML file, each as one flat layer."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from core.config.types import clean_path
from core.exceptions import ConfigurationError

PREFIX = "JUMPWATCH_"
SECTIONS = (
    "database", "redis", "ssh", "polling", "monitoring", "retention", "auth", "api", "swag", "external", "logging",
    "console",
)  # fmt: skip
# Names that other programs made common, taken without the prefix too; the prefixed one wins in the same source.
UNPREFIXED = {"CORS_ORIGINS": ("api", "cors_origins")}
_MAX_FILE = 1 << 20
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*(?:([A-Za-z0-9_-]+)|\"([A-Za-z0-9_-]+)\"|'([A-Za-z0-9_-]+)')\s*=")


@dataclass(frozen=True, slots=True)
class Layer:
    """One source: values by section ("" is the application's own) and field; ``label`` says where it was."""

    label: str
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: bool = False  # its keys are written as JUMPWATCH_ variables

    def section(self, name: str) -> Mapping[str, Any]:
        """Return the values of one section."""
        return self.values.get(name, {})


_CURRENT: ContextVar[tuple[Layer, ...] | None] = ContextVar("jumpwatch_settings_layers", default=None)


def default_layers() -> tuple[Layer, ...]:
    """Return the layers below directly given values: those of a load under way, else the environment."""
    current = _CURRENT.get()
    return current if current is not None else (environment_layer(os.environ), folder_layer(os.environ))


@contextmanager
def use_layers(layers: tuple[Layer, ...]) -> Iterator[None]:
    """Make these the layers of every section built inside the block."""
    token = _CURRENT.set(layers)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def split_name(variable: str) -> tuple[str, str]:
    """Return section and field of a variable without its prefix: POLLING_INTERVAL_S -> polling, interval_s."""
    lowered = variable.lower()
    for section in SECTIONS:
        if lowered.startswith(f"{section}_"):
            return section, lowered[len(section) + 1 :]
    return "", lowered


def environment_layer(env: Mapping[str, str], label: str = "environment") -> Layer:
    """Return the JUMPWATCH_ variables as a layer; an empty value counts as not given."""
    values: dict[str, dict[str, Any]] = {}
    for variable, text in env.items():
        if variable.startswith(PREFIX) and text != "":
            section, name = split_name(variable.removeprefix(PREFIX))
            values.setdefault(section, {})[name] = text
    for variable, (section, name) in UNPREFIXED.items():
        if env.get(variable):
            values.setdefault(section, {}).setdefault(name, env[variable])
    return Layer(label, values, variables=True)


def folder_layer(env: Mapping[str, str]) -> Layer:
    """Return our folders under the XDG base directories as the lowest layer: the defaults of the application."""
    config_dir = named_path(env, f"{PREFIX}CONFIG_DIR") or _xdg(env, "XDG_CONFIG_HOME", ".config")
    folders = {
        "config_dir": config_dir,
        "data_dir": _xdg(env, "XDG_DATA_HOME", ".local/share"),
        "state_dir": _xdg(env, "XDG_STATE_HOME", ".local/state"),
        "cache_dir": _xdg(env, "XDG_CACHE_HOME", ".cache"),
        "inventory_file": config_dir / "hosts.toml",
    }
    return Layer("default", {"": folders})


def named_path(env: Mapping[str, str], variable: str) -> Path | None:
    """Return the path that a variable names, None where it is not set; ConfigurationError where it can be none."""
    text = env.get(variable)
    if not text:
        return None
    try:
        return clean_path(Path(text))
    except ValueError as error:
        raise ConfigurationError(f"{variable} {error}", operation="load settings") from None


def _xdg(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    """Return our folder under an XDG base; a relative base is ignored, as the specification asks."""
    if os.path.isabs(env.get(variable, "")):
        base = named_path(env, variable)
    else:
        home = named_path(env, "HOME")
        if home is None:
            try:
                home = Path("~").expanduser()
            except RuntimeError:
                raise ConfigurationError(
                    "the home folder is not known: set HOME, or JUMPWATCH_CONFIG_DIR and the XDG folders",
                    operation="load settings",
                ) from None
        base = home / fallback
    return (base or Path("/")) / "jumpwatch"


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Return flags ("polling.interval_s", "environment") as a layer; None counts as not given."""
    values: dict[str, dict[str, Any]] = {}
    for key, value in flags.items():
        if value is not None:
            section, _, name = key.rpartition(".")
            values.setdefault(section, {})[name] = value
    return Layer("flag", values)


def dotenv_layer(path: Path) -> Layer:
    """Read a .env file, or refuse it: it must belong to the user and nobody else may write it."""
    text = _read(path, private=True)
    if text is None:
        return Layer(str(path))
    from dotenv.parser import parse_stream

    pairs: dict[str, str] = {}
    for line in parse_stream(StringIO(text)):
        if line.error or line.key in pairs:
            what = "cannot be read" if line.error else f"gives {line.key} again"
            raise ConfigurationError(f"{path}: line {line.original.line} {what}", operation="load settings")
        if line.key is not None:
            pairs[line.key] = line.value or ""
    return environment_layer(pairs, str(path))


def toml_layer(path: Path, *, required: bool) -> Layer:
    """Read the TOML file; ``required`` makes its absence an error (it was named by the user)."""
    text = _read(path, private=False)
    if text is None:
        if required:
            raise ConfigurationError(f"the settings file {path} does not exist", operation="load settings")
        return Layer(str(path))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = _repeated(text) or str(error)
        raise ConfigurationError(f"the settings file {path} is not TOML: {why}", operation="load settings") from None
    except RecursionError:
        raise ConfigurationError(f"the settings file {path} is nested too deep", operation="load settings") from None
    values: dict[str, dict[str, Any]] = {"": {}}
    for key, value in document.items():
        if isinstance(value, dict):
            values[key] = value
        else:
            values[""][key] = value
    return Layer(str(path), values)


def _repeated(text: str) -> str:
    """Name the section or key that is given twice, which the parser's own words leave out; never a value."""
    seen: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            section, name = f"{header[1]}.", f"[{header[1]}]"
        elif key := _KEY.match(line):
            name = section + (key[1] or key[2] or key[3])
        else:
            continue
        if name in seen:
            return f"{name} stands in line {seen[name]} and again in line {number}"
        seen[name] = number
    return ""


def _read(path: Path, *, private: bool) -> str | None:
    """Return the text of a file, None where there is none; the open file is checked, not its name."""
    try:
        with path.open("rb") as file:
            if private:
                _check_private(path, os.fstat(file.fileno()))
            data = file.read(_MAX_FILE + 1)
        if len(data) > _MAX_FILE:
            raise ConfigurationError(f"{path} is larger than {_MAX_FILE} bytes", operation="load settings")
        return data.decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", operation="load settings") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", operation="load settings") from None


def _check_private(path: Path, info: os.stat_result) -> None:
    if info.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{path} belongs to user id {info.st_uid}, not to you (id {os.geteuid()}): chown or remove it, "
            "for whoever owns it decides where your data goes",
            operation="load settings",
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"{path} may be written by others (mode {stat.S_IMODE(info.st_mode):04o}): run chmod go-w on it",
            operation="load settings",
        )
