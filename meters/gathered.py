"""One reading while its fields come in, and what it is in the end. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from meters.mqtt_profile import MqttProfile
from meters.payload_error import not_in_schema
from meters.quantity import Quantity
from meters.ratios import RatioName, ratios_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """One reading as a payload gave it."""

    serial: str | None
    """Of the meter; None where the payload does not name it and the topic must."""
    measured_at: datetime
    """In UTC."""
    values: dict[Quantity, float]
    multiplier: float | None = None
    """CT x PT as the message states it."""
    item: str | None = None
    """What `{item}` is of this reading, where the profile has such a field."""


class Gathered:
    """A reading while its fields come in."""

    __slots__ = ("arrived_at", "item", "measured_at", "ratios", "serial", "values")

    def __init__(
        self, serial: str | None = None, arrived_at: datetime | None = None
    ) -> None:
        self.serial = serial
        self.arrived_at = arrived_at
        self.item: str | None = None
        self.measured_at: datetime | None = None
        self.values: dict[Quantity, float] = {}
        self.ratios: dict[RatioName, float] | None = None
        """None while none was told."""

    def known_serial(self, profile: MqttProfile) -> str | None:
        """Return the meter's serial; a profile that has a field for it demands it."""
        if self.serial is None and profile.serial is not None:
            raise not_in_schema(f"The field {profile.serial} is missing.")
        return self.serial

    def parsed(self, profile: MqttProfile) -> Parsed | None:
        """Close the reading, if nothing is missing; None if it is to be passed over."""
        if not self.values and profile.no_value == "ignore":
            return None
        serial = self.known_serial(profile)
        if self.item is None and profile.item_serial is not None:
            raise not_in_schema(f"The field {profile.item_serial} is missing.")
        measured_at = self.measured_at
        if measured_at is None:
            if not profile.is_stamped_on_arrival:
                raise not_in_schema(f"The field {profile.measured_at} is missing.")
            if self.arrived_at is None:
                raise ValueError(f"{profile.name} needs to know when a message came")
            measured_at = self.arrived_at
        if not self.values:
            raise not_in_schema("The reading holds no value.")
        return Parsed(
            serial=serial,
            measured_at=measured_at,
            values=self.values,
            multiplier=ratios_of(self.ratios).multiplier if self.ratios else None,
            item=self.item,
        )


Leaf = Callable[[Gathered, object], None]
"""Takes one field's value into a reading, or raises PayloadError."""
