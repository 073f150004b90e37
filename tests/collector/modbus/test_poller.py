import asyncio
import contextlib
import logging
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from collector.counting.counts import Counts
from collector.modbus.breaker import Breaker
from collector.modbus.bus import MeterError, ModbusBus
from collector.modbus.identity import Roll
from collector.modbus.poller import PolledMeter, poll
from collector.modbus.turns import Turns
from collector.parcel import ParcelQueue
from meters.quantity import Quantity
from meters.refusal import Reason
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import AT, meter, polled, polling
from tests.collector.waiting import until
from tests.fix_broker import HOST

IMPORT, SDM630 = Quantity.ENERGY_IMPORT_KWH, "eastron-sdm630"


async def read_once(unit: Unit, **fields):
    """Read a meter once, at the hour AT by our clock."""
    async with gateway(unit) as port:
        bus = ModbusBus.tcp(HOST, port)
        try:
            one = meter(unit.unit, port, profile=unit.profile.name, **fields)
            return await polled(one, bus).read(lambda: AT)
        finally:
            bus.close()


def test_a_reading_bears_our_time_where_the_meter_has_none() -> None:
    parcel = asyncio.run(read_once(Unit(3, values={IMPORT: 12.5})))
    (reading,) = parcel.batch.readings()
    assert (reading.meter_id, reading.measured_at, reading.received_at) == (3, AT, AT)
    assert reading.values[IMPORT] == 12.5


def test_a_reading_bears_the_meters_time_where_it_has_one() -> None:
    clock = datetime(2018, 1, 15, 4, 30, tzinfo=UTC)
    iem3155 = modbus_profile("schneider-iem3155")
    unit = Unit(3, profile=iem3155, values={IMPORT: 0.007}, measured_at=clock)
    (reading,) = asyncio.run(read_once(unit)).batch.readings()
    assert (reading.measured_at, reading.received_at) == (clock, AT)
    assert reading.values[IMPORT] == 0.007


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        pytest.param(AT + timedelta(hours=3), Reason.FAR_FUTURE, id="far future"),
        pytest.param(
            AT - timedelta(days=2), Reason.BEFORE_INSTALLATION, id="not yet installed"
        ),
    ],
)
def test_what_no_meter_can_say_is_refused_with_its_words(clock, reason) -> None:
    unit = Unit(3, profile=modbus_profile("schneider-iem3155"), measured_at=clock)
    parcel = asyncio.run(read_once(unit, installed_at=AT - timedelta(days=1)))
    assert not len(parcel.batch)
    (refusal,) = parcel.refusals
    assert refusal.reason is reason
    assert (refusal.meter_id, refusal.transport) == (3, "modbus")
    assert refusal.source.startswith(f"{HOST}:")
    assert bytes([clock.month, clock.day]) in refusal.raw


def test_not_a_number_is_refused() -> None:
    unit = Unit(1, values={IMPORT: 1.0, Quantity.VOLTAGE_L1_V: math.inf})
    parcel = asyncio.run(read_once(unit))
    assert [r.reason for r in parcel.refusals] == [Reason.NOT_A_NUMBER]


def test_one_block_without_answer_fails_the_whole_poll() -> None:
    # Of the iEM3155 the registers from 3203 on, the energy, do not answer.
    unit = Unit(1, profile=modbus_profile("schneider-iem3155"), delay_at={3203: 60})

    async def run() -> None:
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=0.1)
            one = meter(1, port, profile="schneider-iem3155")
            with pytest.raises(MeterError, match="registers from 3203"):
                await polled(one, bus).read(lambda: AT)
            bus.close()

    asyncio.run(run())


def test_a_dead_meter_delays_the_others_by_one_timeout_only() -> None:
    units = Unit(1), Unit(2, delay_s=60), Unit(3)

    async def run() -> None:
        async with polling(*units, every_s=0.3, timeout_s=0.1) as all_of:
            counts = all_of.counts
            await until(lambda: counts[2].failed >= 4)
            assert counts[2].answered == 0
            for healthy in (1, 3):
                assert counts[healthy].answered >= 3
                assert counts[healthy].failed == 0
        for healthy in (units[0], units[2]):
            times = healthy.asked_at
            gaps = [b - a for a, b in pairwise(times)]
            # Its own period, and at most one time-out of the dead one behind or ahead.
            assert max(gaps) < 0.3 + 0.1 + 0.1

    asyncio.run(run())


def test_failure_and_recovery_are_said_once(caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    unit = Unit(1, delay_s=60)

    async def run() -> None:
        async with polling(unit, every_s=0.05, timeout_s=0.05) as all_of:
            queue, counts = all_of.queue, all_of.counts
            await until(lambda: counts[1].failed >= 3)
            unit.delay_s = 0.0
            await until(lambda: counts[1].answered >= 3)
            assert counts[1].asked - counts[1].answered - counts[1].failed <= 1
            assert len(queue) == counts[1].answered

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("Meter M1 stopped answering: 127.0.0.1:")
    assert said[1] == "Meter M1 answers again."


class SomeBus:
    """What every bus has."""

    def __init__(self) -> None:
        self.turns, self.roll, self.breaker = Turns(), Roll(), Breaker()


class BrokenBus(SomeBus):
    """Raises what no bus should, then answers, then raises again."""

    asked = 0

    async def read_block(self, _unit, block, _asking) -> list[int]:
        self.asked += 1
        if self.asked in (4, 5, 6):
            return [0] * block.count
        raise RuntimeError("a fault of our own")


def test_no_fault_of_one_meter_ends_its_poll(caplog) -> None:
    bus, counts = BrokenBus(), Counts()
    one = polled(meter(1, poll_every_s=0.01), bus)

    async def run() -> None:
        running = asyncio.create_task(poll(one, ParcelQueue(), counts, lambda: AT))
        await until(lambda: bus.asked >= 10 or running.done())
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()

    asyncio.run(run())
    assert counts.answered == 3
    assert counts.asked - counts.failed - counts.answered <= 1
    said = [r for r in caplog.records if "Meter M1 cannot be read" in r.getMessage()]
    assert len(said) == 2
    assert said[0].exc_info is not None


class FullOfFaults:
    """Takes every other parcel only."""

    def __init__(self) -> None:
        self.given = 0

    async def put(self, _parcel) -> None:
        self.given += 1
        if self.given % 2:
            raise RuntimeError("a fault of our own")


def test_what_cannot_be_handed_on_is_one_poll_failed_and_no_more(caplog) -> None:
    unit, sink, counts = Unit(1), FullOfFaults(), Counts()

    async def run() -> None:
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=1.0)
            one = polled(meter(1, port, poll_every_s=0.01), bus)
            running = asyncio.create_task(poll(one, sink, counts, lambda: AT))
            await until(lambda: sink.given >= 6 or running.done())
            running.cancel()
            await asyncio.wait([running])
            bus.close()
            assert running.cancelled()

    asyncio.run(run())
    assert counts.failed == (sink.given + 1) // 2
    assert counts.answered == sink.given // 2
    assert "What meter M1 said was not kept." in caplog.text


def test_a_removed_meter_is_asked_no_more() -> None:
    # Removed at AT; by a clock that a request moves on by a second.
    clock = [AT - timedelta(seconds=2.5)]
    queue, counts = ParcelQueue(), Counts()

    class MovingBus(SomeBus):
        async def read_block(self, _unit, block, _asking) -> list[int]:
            clock[0] += timedelta(seconds=1)
            return [0] * block.count

    one = polled(meter(1, poll_every_s=0.01, removed_at=AT), MovingBus())
    asyncio.run(asyncio.wait_for(poll(one, queue, counts, lambda: clock[0]), 5))
    first, second, last = queue.take_nowait(10)
    assert first.batch.readings()[0].measured_at == AT - timedelta(seconds=1.5)
    assert second.batch.readings()[0].measured_at == AT - timedelta(seconds=0.5)
    assert [r.reason for r in last.refusals] == [Reason.AFTER_REMOVAL]
    assert counts.asked == counts.answered == 3


def test_whoever_answers_after_removal_is_not_believed_by_his_clock() -> None:
    # The next meter at the address may run behind.
    unit = Unit(
        3,
        profile=modbus_profile("schneider-iem3155"),
        values={IMPORT: 1.0},
        measured_at=AT - timedelta(minutes=5),
    )
    parcel = asyncio.run(read_once(unit, removed_at=AT - timedelta(seconds=1)))
    assert [r.reason for r in parcel.refusals] == [Reason.AFTER_REMOVAL]


def test_late_polls_are_not_made_up_for() -> None:
    # Each poll takes 0.25 s, two and a half periods of 0.1 s: it runs every third.
    unit = Unit(1, delay_s=0.25)

    async def run() -> None:
        async with polling(unit, every_s=0.1, timeout_s=5.0) as all_of:
            counts = all_of.counts
            await until(lambda: counts[1].answered >= 2)
            unit.delay_s = 0.0
            await until(lambda: counts[1].answered >= 6)

    asyncio.run(run())
    gaps = [b - a for a, b in pairwise(unit.asked_at)]
    assert 0.25 < gaps[0] < 0.38
    # No burst once it is quick again: back to the period, on the same beat.
    assert all(0.05 < gap < 0.2 for gap in gaps[3:])


def test_a_full_queue_slows_the_poll() -> None:
    unit = Unit(1)

    async def run() -> None:
        async with polling(unit, every_s=0.01, timeout_s=1.0, limit=5) as all_of:
            queue, counts = all_of.queue, all_of.counts
            await until(lambda: len(queue) >= 5)
            asked = counts[1].asked
            await asyncio.sleep(0.1)
            assert counts[1].asked <= asked + 1
            assert len(queue) == 5
            queue.take_nowait(3)
            await until(lambda: counts[1].asked > asked + 1)

    asyncio.run(run())


def test_polls_of_many_meters_are_spread_over_the_period() -> None:
    units = [Unit(n) for n in range(1, 21)]

    async def run() -> None:
        async with polling(*units, every_s=1.0, timeout_s=1.0) as all_of:
            counts = all_of.counts
            await until(lambda: all(c.answered for c in counts.values()))

    asyncio.run(run())
    first = sorted(unit.asked_at[0] for unit in units)
    # Twenty in one second, evenly: 0.05 s apart; by the golden ratio at most 0.1 s.
    assert max(b - a for a, b in pairwise(first)) < 0.15


class AnsweringBus(SomeBus):
    """Answers at the very moment its reader is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def read_block(self, _unit, block, _asking) -> list[int]:
        self.is_asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return [0] * block.count


def test_a_poll_stops_even_if_the_answer_comes_with_the_cancellation() -> None:
    async def run() -> asyncio.Task[None]:
        bus = AnsweringBus()
        one = PolledMeter.of(meter(poll_every_s=0.01), modbus_profile(SDM630), bus)
        task = asyncio.create_task(poll(one, ParcelQueue(), Counts(), lambda: AT))
        await bus.is_asked.wait()
        task.cancel()
        await asyncio.wait([task], timeout=2.0)
        return task

    assert asyncio.run(run()).cancelled()
