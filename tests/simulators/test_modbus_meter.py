import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from collector.modbus.bus import MeterError, ModbusBus
from meters.blocks import Block, plan_blocks
from meters.decode import Decoded, decode_blocks
from meters.profile import ModbusProfile, load_profile, profile_names
from meters.quantity import Quantity
from simulators.display import Display
from simulators.modbus_meter import ModbusMeters, Unit
from simulators.simulator_error import SimulatorError

HOST = "127.0.0.1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MODBUS_PROFILES = [
    name for name in profile_names() if isinstance(load_profile(name), ModbusProfile)
]


class Counting:
    """A meter that has counted one kWh more each time it was read."""

    def __init__(self) -> None:
        self.reads = 0
        self.answers = True

    def show(self) -> Display | None:
        if not self.answers:
            return None
        return Display(
            measured_at=NOON + timedelta(minutes=self.reads),
            values={Quantity.ENERGY_IMPORT_KWH: float(self.reads)},
        )

    def was_read(self) -> None:
        self.reads += 1


def profile_of(name: str) -> ModbusProfile:
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    return profile


async def read(bus: ModbusBus, unit: int, profile: ModbusProfile) -> Decoded:
    blocks = plan_blocks(profile)
    return decode_blocks(profile, {b: await bus.read_block(unit, b) for b in blocks})


@pytest.mark.parametrize("name", MODBUS_PROFILES)
def test_each_complete_read_is_one_display(name) -> None:
    async def run() -> None:
        meter, profile = Counting(), profile_of(name)
        unit = Unit(unit=7, profile=profile, meter=meter)
        async with ModbusMeters([unit], host=HOST, port=0) as meters:
            bus = ModbusBus.tcp(HOST, meters.port)
            for expected in range(3):
                decoded = await read(bus, 7, profile)
                assert decoded.values[Quantity.ENERGY_IMPORT_KWH] == expected
                if profile.clock is not None:
                    assert decoded.measured_at == NOON + timedelta(minutes=expected)
            assert meter.reads == 3
            bus.close()

    asyncio.run(run())


def test_a_pass_begun_again_shows_the_same() -> None:
    async def run() -> None:
        meter, profile = Counting(), profile_of("schneider-iem3155")
        unit = Unit(unit=1, profile=profile, meter=meter)
        async with ModbusMeters([unit], host=HOST, port=0) as meters:
            bus = ModbusBus.tcp(HOST, meters.port)
            for block in plan_blocks(profile)[:-1]:
                await bus.read_block(1, block)
            assert meter.reads == 0
            decoded = await read(bus, 1, profile)
            assert decoded.values[Quantity.ENERGY_IMPORT_KWH] == 0
            assert meter.reads == 1
            bus.close()

    asyncio.run(run())


def test_units_behind_one_port_do_not_meet() -> None:
    async def run() -> None:
        one, two = Counting(), Counting()
        two.reads = 500
        first, second = profile_of("carlo-gavazzi-em340"), profile_of("eastron-sdm630")
        units = [
            Unit(unit=11, profile=first, meter=one),
            Unit(unit=12, profile=second, meter=two),
        ]
        async with ModbusMeters(units, host=HOST, port=0) as meters:
            bus = ModbusBus.tcp(HOST, meters.port)
            values = [
                (await read(bus, unit, profile)).values[Quantity.ENERGY_IMPORT_KWH]
                for unit, profile in ((11, first), (12, second), (11, first))
            ]
            assert values == [0, 500, 1]
            bus.close()

    asyncio.run(run())


def test_a_silent_meter_gives_no_answer_and_comes_back() -> None:
    async def run() -> None:
        meter, profile = Counting(), profile_of("eastron-sdm630")
        meter.answers = False
        unit = Unit(unit=1, profile=profile, meter=meter)
        async with ModbusMeters([unit], host=HOST, port=0) as meters:
            bus = ModbusBus.tcp(HOST, meters.port, timeout_s=0.2)
            with pytest.raises(MeterError, match="no answer"):
                await read(bus, 1, profile)
            assert meter.reads == 0
            meter.answers = True
            assert await read(bus, 1, profile)
            bus.close()

    asyncio.run(run())


def test_registers_that_the_profile_does_not_have_are_refused() -> None:
    async def run() -> None:
        profile = profile_of("schneider-iem3155")
        unit = Unit(unit=1, profile=profile, meter=Counting())
        async with ModbusMeters([unit], host=HOST, port=0) as meters:
            bus = ModbusBus.tcp(HOST, meters.port)
            hole = Block(function="holding", address=3000, count=30, registers=())
            with pytest.raises(MeterError, match="illegal address"):
                await bus.read_block(1, hole)
            bus.close()

    asyncio.run(run())


def test_a_taken_port_is_one_sentence() -> None:
    async def run() -> None:
        unit = Unit(unit=1, profile=profile_of("eastron-sdm630"), meter=Counting())
        async with ModbusMeters([unit], host=HOST, port=0) as meters:
            with pytest.raises(SimulatorError) as caught:
                async with ModbusMeters([unit], host=HOST, port=meters.port):
                    pass
            assert str(caught.value) == (
                f"The simulated meters cannot listen on {HOST}:{meters.port}; another "
                "program may use that port: choose another or stop it."
            )

    asyncio.run(run())
