"""What every event has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from core.event_fields import Moment, Number, Severity, Text, new_id, utc_now
from core.event_versions import CURRENT


class BaseEvent(BaseModel):
    """What every event has; ``correlation_id`` joins a poll or a key press to all that came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    id: Text = Field(default_factory=new_id)
    type: str
    version: Number = 1
    timestamp: Moment = Field(default_factory=utc_now)
    source: Text = ""
    correlation_id: Text | None = None
    metadata: dict[Text, Text] = Field(default_factory=dict)

    quiet: ClassVar[bool] = False  # too frequent for a log a person reads

    @field_validator("version")
    @classmethod
    def _readable(cls, version: int, info: ValidationInfo) -> int:
        if version != (current := CURRENT.get(str(info.data.get("type")), version)):
            raise ValueError(f"this program makes and reads version {current}")
        return version

    @property
    def severity(self) -> Severity:
        """How loud the Events pane shows it."""
        return "info"

    def summary(self) -> str:
        """Return one line for a person."""
        return self.type
