"""Field types of the settings, and the base class that turns pydantic's findings into one clear line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from core.config.layers import Layer, default_layers
from core.exceptions import ConfigurationError
from core.redaction import MASK, is_secret_name, redact_text

_UNITS_TIME = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400, "w": 604800, "week": 604800,
}  # fmt: skip
_UNITS_BYTES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS_BYTES |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_duration(value: Any) -> Any:
    """Read "2 days", "36h" or plain seconds; anything else is left to pydantic (ISO 8601 among it)."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        unit = match[2].lower() or "s"
        factor = _UNITS_TIME.get(unit) or _UNITS_TIME.get(unit.removesuffix("s"))
        if factor is not None:
            try:
                return timedelta(seconds=float(match[1]) * factor)
            except OverflowError:
                return timedelta.max  # over every range: the message will say so
    return value


def parse_bytes(value: Any) -> Any:
    """Read "256MiB", "1k" or a plain number of bytes; anything else is left to pydantic."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        factor = _UNITS_BYTES.get(match[2].lower())
        if factor is not None:
            return int(float(match[1]) * factor)
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
HomePath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


class Section(BaseSettings):
    """One concern's settings: frozen; a wrong value becomes a ConfigurationError that names the variable."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    section: ClassVar[str] = ""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _configuration_error(type(self), error, values) from None

    @classmethod
    def merge(cls, layers: tuple[Layer, ...]) -> dict[str, Any]:
        """Merge this section's values, the first layer wins; a section with rules of its own overrides this."""
        merged: dict[str, Any] = {}
        for layer in reversed(layers):
            merged.update(cls.own_values(layer))
        return merged

    @classmethod
    def own_values(cls, layer: Layer) -> dict[str, Any]:
        """Return a layer's values of this section; variables that nothing reads may be somebody else's: left out."""
        values = layer.section(cls.section)
        return {key: value for key, value in values.items() if not layer.variables or key in cls.model_fields}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Replace pydantic's sources by one that is merged already, so that the order is the same everywhere."""
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        layers = (Layer("given", {cls.section: dict(given)}), *default_layers())
        return (InitSettingsSource(settings_cls, init_kwargs=cls.merge(layers)),)


def variable_name(section: str, field: str) -> str:
    """Return the environment variable of a field: JUMPWATCH_POLLING_INTERVAL_S."""
    return "_".join(part for part in ("JUMPWATCH", section.upper(), field.upper()) if part)


def number_range(info: FieldInfo) -> tuple[Any, Any]:
    """Return the lower and upper bound of a field (None where there is none)."""
    low = high = None
    for rule in info.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
    return low, high


def _configuration_error(cls: type[Section], error: ValidationError, given: Mapping[str, Any]) -> ConfigurationError:
    lines = []
    for found in error.errors(include_url=False):
        field = str(found["loc"][0]) if found["loc"] else ""
        if not field:  # a rule over several fields words itself
            lines.append(str(found["msg"]).removeprefix("Value error, "))
            continue
        lines.append(_one_line(cls, field, dict(found), given))
    names = [variable_name(cls.section, str(found["loc"][0])) for found in error.errors() if found["loc"]]
    return ConfigurationError("; ".join(lines), details={"variables": ", ".join(names)}, operation="load settings")


def _one_line(cls: type[Section], field: str, found: dict[str, Any], given: Mapping[str, Any]) -> str:
    name = variable_name(cls.section, field)
    info = cls.model_fields.get(field)
    if info is None:
        return f"there is no setting {name}"
    layers = (Layer("given", {cls.section: dict(given)}), *default_layers())
    value = next((row[field] for layer in layers if field in (row := layer.section(cls.section))), found.get("input"))
    origin = next((layer.label for layer in layers if field in layer.section(cls.section)), "given")
    secret = is_secret_name(field) or isinstance(value, SecretStr) or SecretStr in get_args(info.annotation)
    shown = MASK if secret else redact_text(str(value))[:80]
    where = "" if origin == "given" else f" ({origin})"
    return f"{name} is {shown}{where}: {_rule(info, found)}"


def _rule(info: FieldInfo, found: dict[str, Any]) -> str:
    low, high = number_range(info)
    if low is not None or high is not None:
        kind = " whole number" if info.annotation is int else " duration" if isinstance(low, timedelta) else " number"
        return f"must be a{kind} from {_bound(low)} to {_bound(high)}"
    if found["type"] == "literal_error":
        return f"must be one of {found['ctx']['expected'].replace(chr(39), '')}"
    return str(found["msg"]).removeprefix("Value error, ")


def _bound(value: Any) -> str:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds >= size and seconds % size == 0:
                return f"{seconds / size:g} {unit}"
        return f"{seconds:g} seconds"
    return f"{value}"
