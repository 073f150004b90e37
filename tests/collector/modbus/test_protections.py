"""What one meter, or a gateway, may do to the others: as little as can be."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

from pymodbus.constants import ExcCodes

from collector.modbus.failure import Failure
from collector.modbus.turns import Asking
from meters.blocks import Block
from meters.modbus_profile import ModbusProfile
from meters.quantity import REGISTERS
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import Polling, meter, on_a_bus, polling
from tests.collector.modbus.test_holes import with_slow
from tests.collector.waiting import until
from tests.fix_broker import free_port

IEM3155 = modbus_profile("schneider-iem3155")


def is_closed(counts) -> bool:
    """Asked is what became of it, but for one under way."""
    became = counts.stored + counts.repeated + counts.refused + counts.waiting
    return 0 <= counts.asked - became - counts.failed <= 1


def note(all_of: Polling) -> list[Asking]:
    """Take note of how the meters of a bus ask."""
    asked: list[Asking] = []
    read_block = all_of.bus.read_block

    async def noting(unit: int, block: Block, asking: Asking) -> list[int]:
        asked.append(asking)
        return await read_block(unit, block, asking)

    all_of.bus.read_block = noting
    return asked


def test_a_dead_meter_is_asked_less_and_less_and_at_once_when_it_is_back() -> None:
    unit = Unit(1, delay_s=60)

    async def run() -> None:
        async with polling(
            unit, every_s=0.02, timeout_s=0.02, backs_off_s=0.1
        ) as all_of:
            health = all_of.health(1)
            await until(lambda: health.failed[Failure.NO_ANSWER] >= 4)
            # Asked at 0, then 0.1, 0.2 and 0.4 s after each time-out.
            gaps = [b - a for a, b in pairwise(unit.asked_at)]
            assert all(gap > 0.09 * 2**n for n, gap in enumerate(gaps[:3]))
            assert health.failed[Failure.BACKING_OFF] > 5
            unit.delay_s = 0.0
            await until(lambda: health.answered >= 3)
            assert health.breaker.failures == 0
            assert health.trouble == ""
            assert is_closed(all_of.counts[1])

    asyncio.run(run())


def test_what_fails_is_tried_again_before_the_next_poll() -> None:
    unit = Unit(1, refusal=ExcCodes.DEVICE_BUSY)

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            # Polled at once, and the next time in ten minutes.
            one = meter(1, port, meter_id=0, poll_every_s=600.0)
            health = all_of.start(unit, one, backs_off_s=0.05).health
            await until(lambda: health.failed[Failure.EXCEPTION] >= 2)
            unit.refusal = None
            await until(lambda: health.answered == 1)
            assert health.failed[Failure.BACKING_OFF] == 0

    asyncio.run(run())


def test_exceptions_and_garbage_make_it_back_off_too() -> None:
    busy = Unit(1, refusal=ExcCodes.DEVICE_BUSY)
    # A clock of month 15: it cannot be decoded.
    at = datetime(2018, 1, 15, 4, 30, tzinfo=UTC)
    mad = Unit(2, profile=IEM3155, measured_at=at, words={1845: 0x0F0F})

    async def run() -> None:
        async with polling(busy, mad, every_s=0.02, backs_off_s=60.0) as all_of:
            for unit in (1, 2):
                health = all_of.health(unit)
                await until(lambda h=health: h.failed[Failure.BACKING_OFF] >= 3)
            assert all_of.health(1).failed[Failure.EXCEPTION] == 1
            assert all_of.health(2).answered == 1
            (parcel,) = all_of.queue.take_nowait(10)
            assert [r.reason for r in parcel.refusals] == ["undecodable"]

    asyncio.run(run())


def test_the_first_time_out_skips_the_rest_of_the_meter() -> None:
    unit = Unit(1, profile=IEM3155, delay_s=60)

    async def run() -> None:
        async with polling(
            unit, every_s=60.0, timeout_s=0.05, backs_off_s=60.0
        ) as all_of:
            all_of.tasks[0].cancel()
            one = meter(1, all_of.polled[1].meter.port, meter_id=0, poll_every_s=60.0)
            health = all_of.start(unit, one, backs_off_s=60.0).health
            await until(lambda: health.failed[Failure.NO_ANSWER] == 1)

    asyncio.run(run())
    assert len(unit.asked) == 1


def test_behind_a_dead_gateway_no_meter_is_to_blame() -> None:
    units = [Unit(n) for n in range(1, 6)]

    async def run() -> None:
        port = free_port()
        async with on_a_bus(port) as all_of:
            for unit in units:
                one = meter(unit.unit, port, poll_every_s=0.05)
                all_of.start(unit, one, backs_off_s=60.0)
            everyone = [all_of.health(unit.unit) for unit in units]
            await until(
                lambda: all(h.failed[Failure.NO_CONNECTION] >= 3 for h in everyone)
            )
            async with gateway(*units, port=port):
                # None of them waits for the minute that its own failure would cost.
                await until(lambda: all(h.answered >= 2 for h in everyone))
                await asyncio.sleep(0)
            assert all(h.breaker.failures == 0 for h in everyone)
            assert all(is_closed(counts) for counts in all_of.counts.values())

    asyncio.run(run())


def test_dead_and_slow_meters_delay_no_other_by_more_than_a_period() -> None:
    # Two that never answer, one that takes 0.4 s, with a time-out of 5 s and no backing
    # off: each alone would be more than the period of 0.6 s for all.
    units = [
        Unit(1),
        Unit(2, delay_s=60),
        Unit(3, delay_s=60),
        Unit(4, delay_s=0.25),
        Unit(5),
    ]

    async def run() -> None:
        async with polling(*units, every_s=0.6, timeout_s=5.0) as all_of:
            await until(lambda: all_of.health(1).answered >= 8)
            assert all_of.health(2).failed[Failure.NO_ANSWER] >= 2
            assert all_of.health(4).answered >= 2
            for healthy in (1, 5):
                assert all_of.health(healthy).failed.total() == 0

    asyncio.run(run())
    for healthy in (units[0], units[4]):
        late = [b - a - 0.6 for a, b in pairwise(healthy.asked_at)]
        assert max(late) < 0.6


def test_a_bus_that_is_too_slow_for_its_meters_serves_all_of_them_in_turn() -> None:
    # Ten meters of 0.1 s each, to be polled twice a second: half of that is possible.
    units = [Unit(n, delay_s=0.1) for n in range(1, 11)]

    async def run() -> None:
        async with polling(*units, every_s=0.5) as all_of:
            asked = note(all_of)
            everyone = [all_of.health(unit.unit) for unit in units]
            await until(lambda: sum(h.answered for h in everyone) >= 40)
            served = [h.answered for h in everyone]
            assert min(served) >= max(served) / 2
            assert sum(h.failed[Failure.NO_TIME] for h in everyone) >= 3
            assert all(set(h.failed) <= {Failure.NO_TIME} for h in everyone)
            # Whoever was left over says so the next time, to be before the others.
            assert {asking.missed for asking in asked} >= {0, 1}
            # That it was left over is no fault of a meter.
            assert all(h.breaker.failures == 0 for h in everyone)
            assert all(is_closed(counts) for counts in all_of.counts.values())

    asyncio.run(run())


def test_slow_quantities_are_asked_for_less_often() -> None:
    unit = Unit(1, profile=with_slow(*REGISTERS))

    async def run() -> None:
        async with polling(unit, every_s=0.01, slow_every=3) as all_of:
            await until(lambda: all_of.health(1).answered >= 7)

    asyncio.run(run())
    # Up to the frequency, and every third time the energy behind it too.
    assert [count for _, count in unit.asked[:7]] == [80, 72, 72, 80, 72, 72, 80]


def test_a_slow_poll_that_failed_is_made_up_for_by_the_next() -> None:
    unit = Unit(1, profile=with_slow(*REGISTERS), refusal=ExcCodes.DEVICE_BUSY)

    async def run() -> None:
        async with polling(unit, every_s=0.01, slow_every=3) as all_of:
            await until(lambda: all_of.health(1).failed[Failure.EXCEPTION] >= 2)
            unit.refusal = None
            await until(lambda: all_of.health(1).answered >= 2)

    asyncio.run(run())
    failed = len(unit.asked) - unit.asked[::-1].index((0, 80)) - 1
    assert all(count == 80 for _, count in unit.asked[: failed + 1])
    assert unit.asked[failed + 1] == (0, 72)


def test_a_meter_says_once_what_it_does_not_have(caplog) -> None:
    unit = Unit(1, holes={0x34})

    async def run() -> None:
        async with polling(unit, every_s=0.01) as all_of:
            await until(lambda: all_of.health(1).answered >= 5)
            assert all_of.health(1).missing == ("active_power_kw",)
            assert all_of.health(1).failed.total() == 0
            for parcel in all_of.queue.take_nowait(5):
                (reading,) = parcel.batch.readings()
                assert "active_power_kw" not in reading.values
                assert reading.values["energy_import_kwh"] == 1.0

    asyncio.run(run())
    (said,) = [r.getMessage() for r in caplog.records if "have" in r.getMessage()]
    assert said.startswith("Meter M1 does not have active_power_kw (register 52): ")


def test_a_meter_without_energy_is_a_failure() -> None:
    energy = {r.address for r in Unit(1).profile.registers if r.quantity.is_register}
    unit = Unit(1, holes=energy)

    async def run() -> None:
        async with polling(unit, every_s=0.01) as all_of:
            await until(lambda: all_of.health(1).failed[Failure.EXCEPTION] >= 2)
            assert all_of.health(1).answered == 0
            assert len(all_of.queue) == 0

    asyncio.run(run())


def test_a_profile_says_how_its_meters_want_to_be_asked() -> None:
    manners = {"pause_ms": 150, "timeout_ms": 700}
    profile = ModbusProfile.model_validate(Unit(1).profile.model_dump() | manners)
    unit = Unit(1, profile=profile)

    async def run() -> None:
        async with polling(unit, every_s=0.05) as all_of:
            asked = note(all_of)
            await until(lambda: all_of.health(1).answered >= 3)
            assert {(a.pause_s, a.timeout_s) for a in asked} == {(0.15, 0.7)}

    asyncio.run(run())
    assert all(b - a >= 0.15 for a, b in pairwise(unit.asked_at))
