"""Where settings come from: flags, environment, .env and the TOML file, each as one flat layer."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from core.exceptions import ConfigurationError

PREFIX = "JUMPWATCH_"
SECTIONS = ("database", "ssh", "polling", "monitoring", "retention", "logging")


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
    return current if current is not None else (environment_layer(os.environ),)


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
    return Layer(label, values, variables=True)


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
    from dotenv import dotenv_values

    text = _read(path, private=True)
    if text is None:
        return Layer(str(path))
    pairs = dotenv_values(stream=StringIO(text), interpolate=False)
    return environment_layer({name: value or "" for name, value in pairs.items()}, str(path))


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
        raise ConfigurationError(f"the settings file {path} is not TOML: {error}", operation="load settings") from None
    values: dict[str, dict[str, Any]] = {"": {}}
    for key, value in document.items():
        if isinstance(value, dict):
            values[key] = value
        else:
            values[""][key] = value
    return Layer(str(path), values)


def _read(path: Path, *, private: bool) -> str | None:
    """Return the text of a file, None where there is none; the open file is checked, not its name."""
    try:
        with path.open("rb") as file:
            if private:
                _check_private(path, os.fstat(file.fileno()))
            return file.read(1 << 20).decode("utf-8")
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
