"""A physical device as the collector and the simulators know it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Transport(StrEnum):
    """How a meter is reached."""

    MODBUS = "modbus"
    MQTT = "mqtt"


class Framing(StrEnum):
    """How a Modbus request travels."""

    TCP = "tcp"
    """With the header of Modbus TCP: to a meter, or to a gateway that translates."""
    RTU_OVER_TCP = "rtu-over-tcp"
    """As on a serial line, checksum and all, through a serial-device server."""
    SERIAL = "serial"
    """On a serial line of this machine."""


Parity = Literal["none", "even", "odd"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BusAddress:
    """Where a bus is, and how it is spoken to."""

    framing: Framing = Framing.TCP
    host: str | None = None
    """Not for a serial line."""
    port: int | None = None
    device: str | None = None
    """Serial line only, such as /dev/ttyUSB0; so are the next three."""
    baud_rate: int = 9600
    parity: Parity = "none"
    stop_bits: int = 1

    @property
    def place(self) -> str:
        """Where it is, for people; two buses cannot be there."""
        if self.framing is Framing.SERIAL:
            return f"{self.device}"
        return f"{self.host}:{self.port}"

    @property
    def is_complete(self) -> bool:
        """Whether it says all that is needed to go there."""
        if self.framing is Framing.SERIAL:
            return bool(self.device)
        return bool(self.host and self.port)


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """One meter under collection."""

    meter_id: int
    serial: str
    """Unique; in MQTT topics and payloads it names the meter."""
    profile: str
    """Name of a file in meters/profiles, without its ending."""
    transport: Transport
    framing: Framing = Framing.TCP
    """Modbus only, as all up to `unit`."""
    host: str | None = None
    """Where its gateway listens."""
    port: int | None = None
    device: str | None = None
    """The serial line it hangs on."""
    baud_rate: int = 9600
    parity: Parity = "none"
    stop_bits: int = 1
    unit: int | None = None
    """Unit id on its bus."""
    poll_every_s: float = 10.0
    """How often it is asked; how often it publishes, over MQTT."""
    installed_at: datetime | None = None
    """Start of its current installation: nothing measured earlier is believed."""
    removed_at: datetime | None = None
    """Its end, where known: another meter may answer at the address from then on."""

    @property
    def bus(self) -> BusAddress:
        """The bus it hangs on."""
        return BusAddress(
            framing=self.framing,
            host=self.host,
            port=self.port,
            device=self.device,
            baud_rate=self.baud_rate,
            parity=self.parity,
            stop_bits=self.stop_bits,
        )

    @property
    def address(self) -> str:
        """Where it is, for people and for quarantine."""
        if self.transport is Transport.MQTT:
            return f"mqtt:{self.serial}"
        return f"{self.bus.place}/{self.unit}"
