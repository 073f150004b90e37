"""A Modbus gateway on loopback whose units can be dead, slow, or refuse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from meters.blocks import plan_blocks
from meters.decode import encode_registers
from meters.load_memory import LogMemory, encode_load_profile
from meters.profile import ModbusProfile, load_profile
from meters.quantity import Quantity
from tests.fix_broker import HOST, free_port


def modbus_profile(name: str) -> ModbusProfile:
    """One of the house's Modbus profiles."""
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    return profile


@dataclass
class Unit:
    """One simulated meter; change its fields while it runs."""

    unit: int
    profile: ModbusProfile = field(
        default_factory=lambda: modbus_profile("eastron-sdm630")
    )
    values: dict[Quantity, float] = field(
        default_factory=lambda: {Quantity.ENERGY_IMPORT_KWH: 1.0}
    )
    measured_at: datetime | None = None
    delay_s: float = 0.0
    """Of each answer; infinite = dead."""
    delay_at: dict[int, float] = field(default_factory=dict)
    """Delay of requests that begin at an address, before `delay_s`."""
    refusal: ExcCodes | None = None
    holes: set[int] = field(default_factory=set)
    """A request that touches one is refused."""
    words: dict[int, int] = field(default_factory=dict)
    """What stands elsewhere, by address."""
    memory: LogMemory | None = None
    written: dict[int, int] = field(default_factory=dict)
    on_write: Callable[[int], None] | None = None
    """Told where something was written, once it is done."""
    passed: int = 0
    """Of a memory that is searched: how often its next records were asked for."""
    searches: int = 0
    held_searches: int = 0
    """So many of those to come end only with `found`; meanwhile it answers nothing."""
    found: asyncio.Event | None = None
    """Clear while a search is held."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """Address and count of each request."""
    asked_at: list[float] = field(default_factory=list)

    def device(self) -> SimDevice:
        held = self._held()
        blocks = plan_blocks(self.profile)
        first = min([*held, *(block.address for block in blocks)])
        last = max([*held, *(block.address + block.count for block in blocks)])
        registers = [0] * (last + 1 - first)
        space = SimData(first, values=registers, datatype=DataType.REGISTERS)
        return SimDevice(self.unit, simdata=[space], action=self._answer)

    def _held(self) -> dict[int, int]:
        held = encode_registers(self.profile, self.values, self.measured_at)
        if self.memory is not None:
            held |= encode_load_profile(
                self.profile, self.memory, self.written, self.passed
            )
        return held | self.words

    async def _answer(
        self, _function, first, address, count, registers, new
    ) -> ExcCodes | None:
        loop = asyncio.get_running_loop()
        self.asked_at.append(loop.time())
        self.asked.append((address, count))
        if self.found is not None:
            await self.found.wait()
        await asyncio.sleep(self.delay_at.get(address, self.delay_s))
        if new is not None:
            self.written |= dict(enumerate(new, address))
            await self._search(address)
            if self.on_write is not None:
                self.on_write(address)
        for at, word in self._held().items():
            registers[at - first] = word
        if self.holes.intersection(range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        return self.refusal

    async def _search(self, address: int) -> None:
        """Begin a search, or go on with one, where that was written."""
        log = self.profile.load_profile
        if log is None or log.next is None or log.select is None:
            return
        if address == log.next.address:
            self.passed += 1
        elif address in {log.select.address, *(write.address for write in log.writes)}:
            self.passed, self.searches = 0, self.searches + 1
            if self.held_searches:
                self.held_searches -= 1
                self.found = asyncio.Event()
                await self.found.wait()


@asynccontextmanager
async def gateway(
    *units: Unit, port: int | None = None, framer: FramerType = FramerType.SOCKET
) -> AsyncIterator[int]:
    """Serve the units while the block lasts; yields the port."""
    port = port or free_port()
    server = ModbusTcpServer(
        [unit.device() for unit in units],
        address=(HOST, port),
        framer=framer,
        ignore_missing_devices=True,
    )
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()


@asynccontextmanager
async def raw_server(
    answer: Callable[[bytes], Awaitable[bytes]],
) -> AsyncIterator[int]:
    """Serve whatever `answer` makes of each request's bytes; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(256):
            writer.write(await answer(request))
            await writer.drain()

    async with streams(serve) as port:
        yield port


@asynccontextmanager
async def streams(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve each connection by a coroutine, whatever it does; yields the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accept, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
