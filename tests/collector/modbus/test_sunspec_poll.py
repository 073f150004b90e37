"""A SunSpec meter under polling: found at its first poll, and again where it moved."""

import asyncio
from math import inf

import pytest

from collector.modbus.failure import Failure, MeterError
from collector.modbus.polled import PolledMeter
from meters.decode import encode_registers
from meters.sunspec import Chain, Model, resolve
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.modbus.polling import AT, meter, on_a_bus
from tests.collector.modbus.test_sunspec_walk import CHAIN, PROFILE, VALUES, device


def moved_to(base: int) -> dict[int, int]:
    """What a device holds whose chain begins elsewhere."""
    models = [
        Model(model_id=m.model_id, address=m.address - 40000 + base, length=m.length)
        for m in CHAIN.models
    ]
    profile = resolve(PROFILE.form, Chain(base=base, models=tuple(models)))
    return encode_registers(profile, VALUES, None)


def on(bus, unit: int = 1):
    return PolledMeter.of(meter(unit, profile="sunspec-meter"), PROFILE, bus)


def test_it_is_walked_once_and_read_where_its_models_stand() -> None:
    async def run() -> None:
        async with device(moved_to(50000)) as bus:
            one = on(bus)
            for _ in range(2):
                (reading,) = (await one.read(lambda: AT)).batch.readings()
                assert reading.values == VALUES
            assert one.profile.chain.base == 50000

    asyncio.run(run())


def test_a_device_whose_models_moved_is_walked_again() -> None:
    async def run() -> None:
        async with device(moved_to(40000)) as bus:
            one = on(bus)
            await one.read(lambda: AT)
        async with device(moved_to(0)) as bus:
            one.bus = bus
            with pytest.raises(MeterError):
                await one.read(lambda: AT)
            (reading,) = (await one.read(lambda: AT)).batch.readings()
            assert reading.values == VALUES

    asyncio.run(run())


def test_a_device_that_is_no_sunspec_meter_says_so() -> None:
    async def run() -> None:
        async with device({40000: 1, 40001: 2}) as bus:
            with pytest.raises(MeterError, match=r":502/1: .*SunS") as caught:
                await on(bus).read(lambda: AT)
            assert caught.value.failure is Failure.WRONG_ANSWER

    asyncio.run(run())


def test_the_first_time_out_ends_the_walk() -> None:
    unit = Unit(1, delay_s=inf)

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port, timeout_s=0.05) as all_of:
            with pytest.raises(MeterError, match="no answer"):
                await on(all_of.bus).read(lambda: AT)

    asyncio.run(run())
    assert len(unit.asked) == 1
