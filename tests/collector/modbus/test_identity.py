import asyncio

import pytest

from collector.modbus.bus import ModbusBus
from collector.modbus.failure import Failure, MeterError
from meters.identity import encode_identity
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import AT, meter, polled
from tests.fix_broker import HOST

LOGGER = modbus_profile("keywatt-logger")


def logger(unit: int, serial: str) -> Unit:
    words = encode_identity(LOGGER, {"serial": serial})
    return Unit(unit, profile=LOGGER, measured_at=AT, words=words)


def says(unit: Unit, serial: str) -> None:
    unit.words = encode_identity(LOGGER, {"serial": serial})


async def at_each_poll(one) -> object:
    one.slow_every = 1
    return await one.read(lambda: AT)


def test_a_gateway_that_mixes_up_its_units_is_found_out() -> None:
    units = logger(1, "A-1"), logger(2, "A-1")

    async def run() -> None:
        async with gateway(*units) as port:
            bus = ModbusBus.tcp(HOST, port)
            one, two = (
                polled(meter(n, port, profile="keywatt-logger"), bus) for n in (1, 2)
            )
            await at_each_poll(one)
            with pytest.raises(MeterError, match="serial number of unit 1") as caught:
                await at_each_poll(two)
            assert caught.value.failure is Failure.WRONG_ANSWER
            # Nobody knows which of the two is not itself.
            with pytest.raises(MeterError, match="serial number of unit 2"):
                await at_each_poll(one)
            says(units[1], "A-2")
            await at_each_poll(two)
            await at_each_poll(one)
            bus.close()

    asyncio.run(run())


def test_a_meter_that_is_another_than_before_is_not_believed() -> None:
    unit = logger(1, "A-1")

    async def run() -> None:
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port)
            one = polled(meter(1, port, profile="keywatt-logger"), bus)
            await at_each_poll(one)
            says(unit, "A-2")
            with pytest.raises(MeterError, match="another serial number than before"):
                await at_each_poll(one)
            says(unit, "A-1")
            await at_each_poll(one)
            bus.close()

    asyncio.run(run())


@pytest.mark.parametrize("serial", ["", "000"])
def test_meters_that_do_not_say_who_they_are_are_not_taken_for_one(serial) -> None:
    async def run() -> None:
        async with gateway(logger(1, serial), logger(2, serial)) as port:
            bus = ModbusBus.tcp(HOST, port)
            for unit in (1, 2):
                one = polled(meter(unit, port, profile="keywatt-logger"), bus)
                assert len((await at_each_poll(one)).batch) == 1
            bus.close()

    asyncio.run(run())


def test_a_meter_that_refuses_to_tell_is_read_all_the_same() -> None:
    unit = logger(1, "A-1")
    unit.holes = {16}

    async def run() -> None:
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port)
            one = polled(meter(1, port, profile="keywatt-logger"), bus)
            for _ in range(2):
                assert len((await at_each_poll(one)).batch) == 1
            assert [address for address, _ in unit.asked].count(16) == 1
            bus.close()

    asyncio.run(run())
