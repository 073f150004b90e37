import asyncio
from contextlib import asynccontextmanager

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collector.modbus.bus import MeterError, ModbusBus
from collector.modbus.sunspec_walk import resolve_device, walk_chain
from meters.blocks import plan_blocks
from meters.decode import decode_blocks, encode_registers
from meters.profile import load_profile
from meters.quantity import Quantity
from meters.sunspec import Chain, Model, SunspecError, SunspecProfile, resolve
from tests.fix_broker import HOST, free_port

PROFILE = load_profile("sunspec-meter")
assert isinstance(PROFILE, SunspecProfile)
# An inverter (model 103) with a meter behind it: 2 + 68 + 52 + 67 = 189 from the base.
CHAIN = Chain(
    base=40000,
    models=(
        Model(model_id=1, address=40002, length=66),
        Model(model_id=103, address=40070, length=50),
        Model(model_id=1, address=40122, length=65),
        Model(model_id=203, address=40189, length=105),
    ),
)
VALUES = {Quantity.ENERGY_IMPORT_KWH: 671433.6, Quantity.VOLTAGE_L1_V: 230.5}


def bus_to(port) -> ModbusBus:
    return ModbusBus.tcp(HOST, port, timeout_s=1.0)


@asynccontextmanager
async def device(held):
    """A Modbus TCP server with these holding registers and no others."""
    port = free_port()
    first, last = min(held), max(held)
    words = [held.get(at, 0) for at in range(first, last + 1)]
    space = SimData(first, values=words, datatype=DataType.REGISTERS)
    server = ModbusTcpServer([SimDevice(1, simdata=[space])], address=(HOST, port))
    await server.serve_forever(background=True)
    bus = bus_to(port)
    try:
        yield bus
    finally:
        bus.close()
        await server.shutdown()


@pytest.mark.parametrize("base", [40000, 0, 50000])
def test_a_meter_behind_an_inverter_is_found_and_read(base) -> None:
    moved = [
        Model(model_id=m.model_id, address=m.address - 40000 + base, length=m.length)
        for m in CHAIN.models
    ]
    chain = Chain(base=base, models=tuple(moved))
    held = encode_registers(resolve(PROFILE.form, chain), VALUES, None)

    async def run() -> None:
        async with device(held) as bus:
            own = await resolve_device(bus, 1, PROFILE)
            assert own.chain == chain
            words = {b: await bus.read_block(1, b) for b in plan_blocks(own)}
        values = decode_blocks(own, words).values
        assert {quantity: values[quantity] for quantity in VALUES} == VALUES

    asyncio.run(run())


def test_a_device_without_suns_says_so() -> None:
    async def run() -> None:
        async with device({40000: 1, 40010: 2}) as bus:
            with pytest.raises(SunspecError, match='no "SunS"'):
                await walk_chain(bus, 1)

    asyncio.run(run())


def test_a_device_that_is_not_there_is_no_answer() -> None:
    async def run() -> None:
        bus = bus_to(free_port())
        with pytest.raises(MeterError, match="no connection"):
            await walk_chain(bus, 1)
        bus.close()

    asyncio.run(run())
