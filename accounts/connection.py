"""How a meter is reached, as people enter it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from accounts.form import Amount, Host, Whole
from meters.form import Form
from meters.meter import Parity


class OnModbus(Form):
    """What every meter has that is asked over Modbus."""

    unit: Annotated[Whole, Field(ge=0, le=255)]
    """Unit id on its bus: behind the gateway, or on the line."""
    poll_every_s: Annotated[Amount, Field(gt=0)] = 10.0


class ModbusConnection(OnModbus):
    """A meter that is asked over Modbus TCP, or through a serial-device server."""

    transport: Literal["modbus"] = "modbus"
    framing: Literal["tcp", "rtu-over-tcp"] = "tcp"
    """`rtu-over-tcp`: the server hands frames of Modbus RTU on as they are."""
    host: Host
    port: Annotated[Whole, Field(ge=1, le=65535)] = 502

    @property
    def place(self) -> str:
        """Where its bus is."""
        return f"{self.host}:{self.port}"

    @property
    def manner(self) -> str:
        """How its bus is spoken to: the same for all meters there."""
        return f"in {self.framing} framing"


class SerialConnection(OnModbus):
    """A meter on a serial line of the collector's machine, asked over Modbus RTU."""

    transport: Literal["modbus"] = "modbus"
    framing: Literal["serial"] = "serial"
    device: Annotated[str, StringConstraints(pattern=r"^/[^\s\x00]+$", max_length=255)]
    """Of the line, such as /dev/ttyUSB0 or, better, /dev/serial/by-id/..."""
    baud_rate: Annotated[Whole, Field(ge=300, le=4_000_000)] = 9600
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def place(self) -> str:
        """Where its bus is."""
        return self.device

    @property
    def manner(self) -> str:
        """How its bus is spoken to: the same for all meters there."""
        bits = f"{self.stop_bits} stop bit{'s' if self.stop_bits > 1 else ''}"
        return f"at {self.baud_rate} baud, parity {self.parity}, {bits}"


class MqttConnection(Form):
    """A meter that publishes by itself, under its serial."""

    transport: Literal["mqtt"] = "mqtt"
    report_every_s: Annotated[Amount, Field(gt=0)] = 10.0
    """How often it publishes: its silence is judged by that."""


def _framing(entered: object) -> object:
    """Say which form of a Modbus connection is meant; left out, it is TCP."""
    if isinstance(entered, Mapping):
        return entered.get("framing", "tcp")
    return getattr(entered, "framing", "tcp")


Connection = Annotated[
    Annotated[
        Annotated[ModbusConnection, Tag("tcp")]
        | Annotated[ModbusConnection, Tag("rtu-over-tcp")]
        | Annotated[SerialConnection, Tag("serial")],
        Discriminator(_framing),
    ]
    | MqttConnection,
    Field(discriminator="transport"),
]
