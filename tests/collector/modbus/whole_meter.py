"""Whole meters behind a pymodbus server: what they do not hold is refused."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.fix_broker import HOST, free_port
from tests.meters.meter_memory import MeterMemory

_TABLES = {3: "holding", 4: "input"}


@dataclass
class Answering:
    """A meter that answers as its memory has it; change its fields while it runs."""

    memory: MeterMemory
    silent: bool = False
    """It answers nothing of what it does not hold."""
    refusal: ExcCodes = ExcCodes.ILLEGAL_ADDRESS
    busy: int = 0
    """As many requests are put off first."""
    delay_s: float = 0.0
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def device(self, unit: int) -> SimDevice:
        space = SimData(0, count=0x10000, values=0, datatype=DataType.REGISTERS)
        return SimDevice(unit, simdata=[space], action=self._answer)

    async def _answer(
        self, function, _first, address, count, registers, _new
    ) -> ExcCodes | None:
        table = _TABLES[function]
        self.asked.append((table, address, count))
        await asyncio.sleep(self.delay_s)
        if self.busy:
            self.busy -= 1
            return ExcCodes.DEVICE_BUSY
        words = self.memory.words(table, address, count)
        if words is None:
            if self.silent:
                await asyncio.sleep(60)
            return self.refusal
        registers[address : address + count] = words
        return None


@asynccontextmanager
async def whole_meters(meters: Mapping[int, Answering]) -> AsyncIterator[int]:
    """Serve meters by their unit ids while the block lasts; yields the port."""
    port = free_port()
    server = ModbusTcpServer(
        [meter.device(unit) for unit, meter in meters.items()],
        address=(HOST, port),
        ignore_missing_devices=True,
    )
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()
