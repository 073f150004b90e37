"""A physical device as the collector and the simulators know it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Transport(StrEnum):
    """How a meter is reached."""

    MODBUS = "modbus"
    MQTT = "mqtt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """One meter under collection."""

    meter_id: int
    serial: str
    """Unique; in MQTT topics and payloads it names the meter."""
    profile: str
    """Name of a file in meters/profiles, without its ending."""
    transport: Transport
    host: str | None = None
    """Modbus only: where its gateway listens."""
    port: int | None = None
    unit: int | None = None
    """Modbus only: unit id behind the gateway."""
    poll_every_s: float = 10.0
    """Modbus only."""
    installed_at: datetime | None = None
    """Start of its current installation: nothing measured earlier is believed."""
    removed_at: datetime | None = None
    """Its end, where known: another meter may answer at the address from then on."""

    @property
    def address(self) -> str:
        """Where it is, for people and for quarantine."""
        if self.transport is Transport.MQTT:
            return f"mqtt:{self.serial}"
        return f"{self.host}:{self.port}/{self.unit}"
