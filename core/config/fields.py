"""The base class of the settings: frozen, merged from layers; each of pydantic's findings becomes one clear line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, get_args

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from core.config.layers import UNPREFIXED, Layer, default_layers
from core.exceptions import ConfigurationError
from core.redaction import MASK, is_secret_name, redact_text


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
        """Return a layer's values of this section that a field can take; who loads the layer tells of the others."""
        values = layer.section(cls.section)
        if layer.label == "given":
            return dict(values)
        return {key: value for key, value in values.items() if key in cls.model_fields and not isinstance(value, dict)}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Replace pydantic's sources by one that is merged already, so that the order is the same everywhere.

        Values pass as they are: pydantic's own decoding of lists (what NoDecode is for) is never reached.
        """
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        layers = (Layer("given", {cls.section: dict(given)}), *default_layers())
        return (InitSettingsSource(settings_cls, init_kwargs=cls.merge(layers)),)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("must not be true or false")  # pydantic would read port = true as 1
        return value


def variable_name(section: str, field: str) -> str:
    """Return the environment variable of a field: JUMPWATCH_POLLING_INTERVAL_S."""
    return "_".join(part for part in ("JUMPWATCH", section.upper(), field.upper()) if part)


def other_name(section: str, field: str) -> str | None:
    """Return the name without prefix that a field is accepted under too, or None."""
    return next((name for name, place in UNPREFIXED.items() if place == (section, field)), None)


def number_range(info: FieldInfo) -> tuple[Any, Any]:
    """Return the lower and upper bound of a field (None where there is none)."""
    low = high = None
    for rule in info.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
    return low, high


def holds_secret(annotation: Any) -> bool:
    """Whether a type is SecretStr, or made of it: a list of secrets, an optional one."""
    return annotation is SecretStr or any(holds_secret(part) for part in get_args(annotation))


def refusal(problems: Sequence[str], variables: Sequence[str] = ()) -> ConfigurationError:
    """Return one error for all problems; ``details`` has them one by one, and the variables they are about."""
    return ConfigurationError(
        "; ".join(problems),
        details={"variables": list(dict.fromkeys(variables)), "problems": list(problems)},
        operation="load settings",
    )


def problems_of(error: ConfigurationError) -> tuple[list[str], list[str]]:
    """Return the problems that an error tells of, one text each, and the variables."""
    return list(error.details.get("problems", [error.message])), list(error.details.get("variables", []))


def bound_text(value: Any) -> str:
    """Return a bound of a range for people: "2 days", "0.5"."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds >= size and seconds % size == 0:
                return f"{seconds / size:g} {unit if seconds > size else unit[:-1]}"
        return f"{seconds:g} seconds"
    return f"{value}"


def _configuration_error(cls: type[Section], error: ValidationError, given: Mapping[str, Any]) -> ConfigurationError:
    lines, names = [], []
    for found in error.errors(include_url=False):
        field = str(found["loc"][0]) if found["loc"] else ""
        if not field:  # a rule over several fields words itself
            lines.append(str(found["msg"]).removeprefix("Value error, "))
            continue
        names.append(variable_name(cls.section, field))
        lines.append(_one_line(cls, field, dict(found), given))
    return refusal(list(dict.fromkeys(lines)), names)


def _one_line(cls: type[Section], field: str, found: dict[str, Any], given: Mapping[str, Any]) -> str:
    name = variable_name(cls.section, field)
    info = cls.model_fields.get(field)
    if info is None:
        return f"there is no setting {name}"
    if other := other_name(cls.section, field):
        name += f" (or {other})"
    layers = (Layer("given", {cls.section: dict(given)}), *default_layers())
    value = next((row[field] for layer in layers if field in (row := layer.section(cls.section))), found.get("input"))
    origin = next((layer.label for layer in layers if field in layer.section(cls.section)), "given")
    secret = is_secret_name(field) or isinstance(value, SecretStr) or holds_secret(info.annotation)
    where = "" if origin == "given" else f" ({origin})"
    return f"{name} is {MASK if secret else _shown(value)}{where}: {_rule(info, found)}"


def _shown(value: Any) -> str:
    text = redact_text(str(value))[:80]
    return text if text.isprintable() else repr(text)  # one problem, one line


def _rule(info: FieldInfo, found: dict[str, Any]) -> str:
    low, high = number_range(info)
    own_words = found["type"] == "value_error"
    if not own_words and (low is not None or high is not None):
        kind = " whole number" if info.annotation is int else " duration" if isinstance(low, timedelta) else " number"
        return f"must be a{kind} from {bound_text(low)} to {bound_text(high)}"
    if found["type"] == "literal_error":
        return f"must be one of {found['ctx']['expected'].replace(chr(39), '')}"
    return str(found["msg"]).removeprefix("Value error, ")
