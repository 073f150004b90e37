"""A serial line without a cable: pseudo-terminals whose ends are joined.

Where a real line has a USB converter at our end and meters at the other, here each end
is the slave of a pseudo-terminal, and what one master hears is written to the other.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pymodbus.server import ModbusSerialServer

from collector.modbus.frames import checksum
from tests.collector.modbus.gateway import Unit


@dataclass
class SerialLine:
    """Both ends of a line."""

    device: str
    """Our end, by its path."""
    ours: int
    """The master behind it: what is written here, we hear."""
    heard: bytearray = field(default_factory=bytearray)
    """All that was sent from our end."""

    def say(self, data: bytes) -> None:
        """Have our end hear something."""
        os.write(self.ours, data)


def rtu(unit: int, pdu: bytes) -> bytes:
    """A frame with its checksum."""
    frame = bytes([unit]) + pdu
    return frame + checksum(frame).to_bytes(2, "little")


@asynccontextmanager
async def loose_line(
    on_request: Callable[[SerialLine, bytes], None],
) -> AsyncIterator[SerialLine]:
    """A line at whose other end is whatever `on_request` does."""
    master, slave = os.openpty()
    tty.setraw(slave)
    line = SerialLine(device=os.ttyname(slave), ours=master)
    loop = asyncio.get_running_loop()

    def hear() -> None:
        data = os.read(master, 4096)
        line.heard += data
        on_request(line, data)

    loop.add_reader(master, hear)
    try:
        yield line
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)


@asynccontextmanager
async def serial_line(*units: Unit) -> AsyncIterator[SerialLine]:
    """A line with a real Modbus server at its other end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    loop = asyncio.get_running_loop()
    async with loose_line(lambda _, data: os.write(master, data)) as line:
        loop.add_reader(master, lambda: line.say(os.read(master, 4096)))
        server = ModbusSerialServer(
            [unit.device() for unit in units],
            port=os.ttyname(slave),
            baudrate=9600,
            ignore_missing_devices=True,
        )
        await server.serve_forever(background=True)
        try:
            yield line
        finally:
            loop.remove_reader(master)
            with contextlib.suppress(asyncio.CancelledError):
                await server.shutdown()
            os.close(master)
            os.close(slave)
