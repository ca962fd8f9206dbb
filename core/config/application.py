"""All settings together, merged once: flag over environment over .env over TOML file over default."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from core.config.fields import HomePath, Section, variable_name
from core.config.layers import (
    PREFIX,
    Layer,
    dotenv_layer,
    environment_layer,
    flag_layer,
    toml_layer,
    use_layers,
)
from core.config.sections import (
    DatabaseSettings,
    LoggingSettings,
    MonitoringSettings,
    PollingSettings,
    RetentionSettings,
    SSHSettings,
)
from core.exceptions import ConfigurationError

SECTION_CLASSES: dict[str, type[Section]] = {
    cls.section: cls
    for cls in (
        DatabaseSettings,
        SSHSettings,
        PollingSettings,
        MonitoringSettings,
        RetentionSettings,
        LoggingSettings,
    )
}
_OWN_FIELDS = ("environment", "data_dir", "state_dir", "cache_dir", "inventory_file")
# Read before any file is, so a file cannot set them.
_FIRST = ("config_dir", "config_file")


class ApplicationSettings(Section):
    """Everything: the folders (XDG), the environment's name, and one attribute a section."""

    section: ClassVar[str] = ""

    environment: Literal["development", "production"] = "development"
    config_dir: HomePath
    data_dir: HomePath
    state_dir: HomePath
    cache_dir: HomePath
    inventory_file: HomePath
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    ssh: SSHSettings = Field(default_factory=SSHSettings)
    polling: PollingSettings = Field(default_factory=PollingSettings)
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)

    _notices: tuple[str, ...] = PrivateAttr(default=())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _files: tuple[Path, ...] = PrivateAttr(default=())

    @classmethod
    def merge(cls, layers: tuple[Layer, ...]) -> dict[str, Any]:
        """Merge the application's own fields alone; the sections merge themselves."""
        merged = super().merge(layers)
        wanted = (*_OWN_FIELDS, "config_dir", *SECTION_CLASSES)
        return {key: value for key, value in merged.items() if key in wanted}

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


def load_settings(
    flags: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    config_file: Path | None = None,
) -> ApplicationSettings:
    """Read all sources and return the settings, or raise ConfigurationError.

    ``flags`` are keyed "section.field" (or "environment"); ``env`` None is the process environment;
    ``config_file`` None is JUMPWATCH_CONFIG_FILE, else config.toml in the config folder (which may be missing).
    """
    env = os.environ if env is None else env
    named = config_file or _path(env.get(f"{PREFIX}CONFIG_FILE"))
    config_dir = _path(env.get(f"{PREFIX}CONFIG_DIR")) or _xdg(env, "XDG_CONFIG_HOME", ".config")
    toml = named or config_dir / "config.toml"
    dotenv = config_dir / ".env"
    flag, environment = flag_layer(flags or {}), environment_layer(env)
    layers = (flag, environment, dotenv_layer(dotenv), toml_layer(toml, required=named is not None))
    for layer in (layers[0], *layers[2:]):
        _refuse_unknown(layer)
    folders: dict[str, Any] = {
        "config_dir": config_dir,
        "data_dir": _xdg(env, "XDG_DATA_HOME", ".local/share"),
        "state_dir": _xdg(env, "XDG_STATE_HOME", ".local/state"),
        "cache_dir": _xdg(env, "XDG_CACHE_HOME", ".cache"),
        "inventory_file": config_dir / "hosts.toml",
    }
    given = {name: path for name, path in folders.items() if not any(name in layer.section("") for layer in layers)}
    with use_layers(layers):
        settings = ApplicationSettings(**(given | {"config_dir": config_dir}))
    settings._notices = tuple(_unread_variables(environment))
    settings._origins = _origins(layers)
    settings._files = (toml, dotenv)
    _check_production(settings)
    return settings


@lru_cache(maxsize=1)
def get_settings() -> ApplicationSettings:
    """Return the settings of this process; tests clear it by get_settings.cache_clear()."""
    return load_settings()


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _xdg(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    """Return our folder under an XDG base; a relative base is ignored, as the specification asks."""
    base = env.get(variable, "")
    home = Path(env["HOME"]) if env.get("HOME") else Path("~").expanduser()
    return (Path(base) if os.path.isabs(base) else home / fallback) / "jumpwatch"


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _refuse_unknown(layer: Layer) -> None:
    """Raise for keys that nothing reads: a typing error must not pass in silence."""
    wrong = list(_unknown(layer))
    for section, values in layer.values.items():
        wrong += [f"{section}.{key} must be a value, not a table" for key in values if isinstance(values[key], dict)]
    if wrong:
        raise ConfigurationError(f"{layer.label}: unknown settings: {', '.join(wrong)}", operation="load settings")


def _unknown(layer: Layer) -> Iterator[str]:
    """Yield each key of a layer that nothing reads, with the nearest one that something does."""
    first = _FIRST if layer.label == "environment" else ()
    known = {"": [*_OWN_FIELDS, *first], **{name: list(cls.model_fields) for name, cls in SECTION_CLASSES.items()}}
    names = [variable_name(section, key) for section, keys in known.items() for key in keys]
    for section, values in layer.values.items():
        if section not in known:
            yield f"[{section}]{_hint(section, SECTION_CLASSES)}"
            continue
        for key in values:
            if key in known[section]:
                continue
            if layer.variables:
                variable = variable_name(section, key)
                yield variable + _hint(variable, names)
            else:
                close = [*known[section], *(SECTION_CLASSES if section == "" else ())]
                yield (f"{section}.{key}" if section else key) + _hint(key, close)


def _unread_variables(layer: Layer) -> Iterator[str]:
    """Yield a line for each variable of the environment that nothing reads; others may own some, so no error."""
    for name in _unknown(layer):
        if not name.startswith("JUMPWATCH_TEST_"):
            yield f"nothing reads the variable {name}"


def _origins(layers: tuple[Layer, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for layer in reversed(layers):
        for section, values in layer.values.items():
            found |= {f"{section}.{key}" if section else key: layer.label for key in values}
    return found


def _check_production(settings: ApplicationSettings) -> None:
    database = settings.database
    if settings.environment == "production" and not database.local and database.ssl_mode in ("disable", "prefer"):
        raise ConfigurationError(
            f"JUMPWATCH_DATABASE_SSL_MODE is {database.ssl_mode}: in JUMPWATCH_ENVIRONMENT=production a database "
            f"on another machine ({database.host}) needs require, verify-ca or verify-full",
            details={"variables": "JUMPWATCH_DATABASE_SSL_MODE"},
            operation="load settings",
        )
