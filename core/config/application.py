"""All settings together, merged once: flag over environment over .env over TOML file over default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, PrivateAttr

from core.config.console import ConsoleSettings, take_keys
from core.config.fields import Section, problems_of, refusal
from core.config.layers import (
    PREFIX,
    Layer,
    dotenv_layer,
    environment_layer,
    flag_layer,
    folder_layer,
    named_path,
    toml_layer,
    use_layers,
)
from core.config.production import findings
from core.config.sections import (
    LoggingSettings,
    MonitoringSettings,
    PollingSettings,
    RetentionSettings,
    SSHSettings,
)
from core.config.services import APISettings, AuthSettings, ExternalIntegrationSettings, SWAGSettings
from core.config.stores import DatabaseSettings, RedisSettings
from core.config.types import HomePath
from core.config.unknown import file_problems, unread_variables
from core.exceptions import ConfigurationError

SECTION_CLASSES: dict[str, type[Section]] = {
    cls.section: cls
    for cls in (
        DatabaseSettings,
        RedisSettings,
        SSHSettings,
        PollingSettings,
        MonitoringSettings,
        RetentionSettings,
        AuthSettings,
        APISettings,
        SWAGSettings,
        ExternalIntegrationSettings,
        LoggingSettings,
        ConsoleSettings,
    )
}
OWN_FIELDS = ("environment", "data_dir", "state_dir", "cache_dir", "inventory_file")
# Read before any file is, so a file cannot set them.
FIRST = ("config_dir", "config_file")
_KNOWN = {"": list(OWN_FIELDS), **{name: list(cls.model_fields) for name, cls in SECTION_CLASSES.items()}}
T = TypeVar("T")


class ApplicationSettings(Section):
    """Everything: the folders (XDG), the environment's name, and one attribute a section."""

    section: ClassVar[str] = ""

    environment: Literal["development", "production"] = Field(
        default="development", description="`production` refuses values that are unsafe where others can reach them"
    )
    config_dir: HomePath = Field(description="folder of `config.toml` and `.env`; set by environment alone")
    data_dir: HomePath = Field(description="folder of the embedded database")
    state_dir: HomePath = Field(description="folder of the spool and the log")
    cache_dir: HomePath = Field(description="folder of what can be fetched again")
    inventory_file: HomePath = Field(description="the inventory of hosts; moves with the config folder")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    ssh: SSHSettings = Field(default_factory=SSHSettings)
    polling: PollingSettings = Field(default_factory=PollingSettings)
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    api: APISettings = Field(default_factory=APISettings)
    swag: SWAGSettings = Field(default_factory=SWAGSettings)
    external: ExternalIntegrationSettings = Field(default_factory=ExternalIntegrationSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)

    _notices: tuple[str, ...] = PrivateAttr(default=())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _files: tuple[Path, ...] = PrivateAttr(default=())
    _keys: dict[str, str] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if unsafe := list(findings(self)):
            raise refusal(
                [f"in JUMPWATCH_ENVIRONMENT=production {name} {why}" for name, why in unsafe],
                [name for name, _ in unsafe],
            )

    @classmethod
    def own_values(cls, layer: Layer) -> dict[str, Any]:
        """Return the application's own values of a layer; the sections read theirs themselves."""
        values = super().own_values(layer)
        if layer.label == "given":
            return values
        return {key: value for key, value in values.items() if key in (*OWN_FIELDS, "config_dir")}

    @property
    def log_file(self) -> Path:
        """The log file in use while the console has the screen."""
        return self.logging.file or self.state_dir / "jumpwatch.log"

    @property
    def notices(self) -> tuple[str, ...]:
        """What is odd in the settings and no error: for stderr."""
        return self._notices

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each value that is no default came from, by "section.field"."""
        return self._origins

    @property
    def files(self) -> tuple[Path, ...]:
        """The settings files looked at: TOML, .env."""
        return self._files

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys of the file's table [keys], by binding id; commas between several."""
        return self._keys


class _Findings:
    """Gathers every problem, so that all are told at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.variables: list[str] = []

    def attempt(self, make: Callable[[], T], instead: Callable[[], T]) -> T:
        """Return what ``make`` returns; where it refuses, keep its problems and go on with ``instead``."""
        try:
            return make()
        except ConfigurationError as error:
            problems, variables = problems_of(error)
            self.problems += problems
            self.variables += variables
            return instead()

    def conclude(self) -> None:
        if self.problems:
            raise refusal(self.problems, self.variables)


def load_settings(
    flags: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    config_file: Path | None = None,
) -> ApplicationSettings:
    """Read all sources and return the settings, or raise one ConfigurationError that tells of every problem.

    ``flags`` are keyed "section.field" (or "environment"); ``env`` None is the process environment;
    ``config_file`` None is JUMPWATCH_CONFIG_FILE, else config.toml in the config folder (which may be missing).
    The error's details["problems"] has one text each.
    """
    env = os.environ if env is None else env
    named = config_file or named_path(env, f"{PREFIX}CONFIG_FILE")
    folders = folder_layer(env)
    config_dir: Path = folders.section("")["config_dir"]
    toml, dotenv = named or config_dir / "config.toml", config_dir / ".env"
    found = _Findings()
    flag, environment = flag_layer(flags or {}), environment_layer(env)
    files = (
        found.attempt(partial(dotenv_layer, dotenv), lambda: Layer(str(dotenv))),
        found.attempt(partial(toml_layer, toml, required=named is not None), lambda: Layer(str(toml))),
    )
    table, keys, wrong = take_keys(files[1])
    files = (files[0], table)
    found.problems += wrong
    for layer in (flag, *files):
        found.problems += file_problems(layer, _KNOWN)
    layers = (flag, environment, *files, folders)
    settings = _build(layers, found)
    settings._notices = tuple(unread_variables(environment, {**_KNOWN, "": [*OWN_FIELDS, *FIRST]}))
    settings._origins = _origins(layers[:-1])
    settings._files = (toml, dotenv)
    settings._keys = keys
    return settings


@lru_cache(maxsize=1)
def get_settings() -> ApplicationSettings:
    """Return the settings of this process; tests clear it by get_settings.cache_clear()."""
    return load_settings()


def _build(layers: tuple[Layer, ...], found: _Findings) -> ApplicationSettings:
    """Build section by section; one that is refused stands in with its defaults until the others have had their say."""
    with use_layers(layers):
        sections = {name: found.attempt(cls, cls.model_construct) for name, cls in SECTION_CLASSES.items()}
        settings = found.attempt(partial(ApplicationSettings, **sections), lambda: None)
    found.conclude()
    if settings is None:  # cannot be: a refusal leaves a problem
        raise refusal(["the settings cannot be read"])
    return settings


def _origins(layers: tuple[Layer, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for layer in reversed(layers):
        for section, values in layer.values.items():
            found |= {f"{section}.{key}" if section else key: layer.label for key in values}
    return found
