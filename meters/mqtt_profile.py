"""The form of a JSON payload's profile."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from meters.form import refuse_repeats
from meters.profile_form import FROM_TEXT, MeterType, Strict
from meters.quantity import Quantity

_PATH = r"^[^.]+(\.[^.]+)*$"


class PayloadField(Strict):
    """Where one quantity stands in a reading."""

    quantity: Annotated[Quantity, FROM_TEXT]
    path: str = Field(pattern=_PATH)
    """Names of nested fields, joined by dots."""
    scale: float = Field(default=1.0, gt=0)
    """The quantity's unit for one unit of the field."""


class MqttProfile(MeterType):
    """All the collector must know about one kind of JSON payload."""

    transport: Literal["mqtt"]
    topic: str
    """Where readings arrive; one whole level is `{serial}`."""
    serial: str | None = Field(default=None, pattern=_PATH)
    """Path of the field that names the meter; without it the topic alone does."""
    measured_at: str = Field(pattern=_PATH)
    """Path, in each reading, of its ISO 8601 time with a zone."""
    batch: str | None = Field(default=None, pattern=r"^[^.]+$")
    """Field that holds a list of readings where a message carries several."""
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    max_bytes: int = Field(default=256 * 1024, ge=64)
    max_readings: int = Field(default=5000, ge=1)
    """More than any honest batch holds within `max_bytes`: each is work to judge."""
    fields: Annotated[tuple[PayloadField, ...], FROM_TEXT] = Field(min_length=1)

    @field_validator("topic")
    @classmethod
    def _topic_names_the_meter(cls, topic: str) -> str:
        """One level is the serial number; subscribers put the wildcard there."""
        levels = topic.split("/")
        plain = "".join(level for level in levels if level != "{serial}")
        if levels.count("{serial}") != 1 or set("+#{}") & set(plain):
            raise ValueError("one level must be {serial}, and none a wildcard")
        return topic

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Check what no single key shows."""
        refuse_repeats("quantity", (field.quantity for field in self.fields))
        paths = [field.path for field in self.fields]
        paths += [path for path in (self.serial, self.measured_at, self.batch) if path]
        for path in paths:
            if paths.count(path) > 1 or any(p.startswith(f"{path}.") for p in paths):
                raise ValueError(f"two things stand at {path}")
        return self
