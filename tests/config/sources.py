"""Writes one setting into any source of settings, as a person would, and loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from core.config import ApplicationSettings, load_settings
from core.config.fields import variable_name

ORDER = ("flag", "env", "dotenv", "toml")


class Sources:
    """A home with the settings files of its own; nothing of this process's environment is read."""

    def __init__(self, home: Path) -> None:
        self.folder = home / ".config" / "jumpwatch"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.toml, self.dotenv = self.folder / "config.toml", self.folder / ".env"
        self.env = {"HOME": str(home)}
        self.flags: dict[str, object] = {}

    def put(self, source: str, section: str, field: str, value: object) -> None:
        """Add a value to a source ("default" is none); lists are native in TOML and flags, JSON in variables."""
        variable = variable_name(section, field)
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
        if source == "flag":
            self.flags[f"{section}.{field}" if section else field] = value
        elif source == "env":
            self.env[variable] = text
        elif source == "dotenv":
            self.dotenv.touch(mode=0o600)
            quoted = text.replace("\\", "\\\\").replace("'", "\\'")
            with self.dotenv.open("a", encoding="utf-8", newline="") as file:
                file.write(f"{variable}='{quoted}'\n")
        elif source == "toml":
            place = {section: {field: value}} if section else {field: value}
            with self.toml.open("a", encoding="utf-8", newline="") as file:
                file.write(tomlkit.dumps(place))

    def fresh(self) -> None:
        """Forget all that was put."""
        self.env = {"HOME": self.env["HOME"]}
        self.flags = {}
        self.toml.unlink(missing_ok=True)
        self.dotenv.unlink(missing_ok=True)

    def load(self, env: Mapping[str, str] | None = None) -> ApplicationSettings:
        """Load from all that was put."""
        return load_settings(self.flags, self.env | dict(env or {}))
