"""The memory of a simulated logger, read into gaps over a real Modbus server."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest

from collector.modbus.backfill import Backfill
from collector.modbus.failure import Failure
from meters.load_memory import LogMemory
from meters.load_profile import LogRecord
from meters.quantity import Quantity
from meters.reading import Reading, Source
from meters.refusal import Reason
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import AT, meter, on_a_bus
from tests.collector.waiting import until
from tests.meters.test_load_profile import (
    BY_AGE,
    BY_SEQUENCE,
    BY_TIME,
    RING,
    meter_with,
)

IMPORT = Quantity.ENERGY_IMPORT_KWH
QUARTER = timedelta(minutes=15)
ROOM = {"capacity": 40}
LOGGER = modbus_profile("keywatt-logger")


def recorded(since: datetime, quarters: int) -> LogMemory:
    """As many records, the first one at `since`: 1 kWh a quarter-hour."""
    records = [
        LogRecord(measured_at=since + n * QUARTER, values={IMPORT: float(n)})
        for n in range(quarters)
    ]
    return LogMemory(records=records, total=quarters)


def read_from(queue) -> tuple[list[Reading], list[Reading]]:
    """What was polled, and what came from the memory, so far."""
    polled: list[Reading] = []
    remembered: list[Reading] = []
    for parcel in queue.take_nowait(10_000):
        of_this = remembered if parcel.source is Source.LOAD_PROFILE else polled
        assert parcel.source is not Source.PUSHED
        of_this += parcel.batch.readings()
    return polled, remembered


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(LOGGER, id="keywatt-logger"),
        pytest.param(meter_with(RING | {"capacity": 40}), id="ring"),
        pytest.param(
            meter_with(BY_SEQUENCE | {"capacity": 40}), id="selected by number"
        ),
        pytest.param(meter_with(BY_AGE | {"capacity": 40}), id="selected by age"),
        pytest.param(meter_with(BY_TIME | {"capacity": 40}), id="selected by time"),
    ],
)
def test_what_was_missed_since_the_last_run_is_read_from_the_memory(profile) -> None:
    # The newest committed reading is of five hours and seven minutes ago; the memory
    # begins a day before. 06:53 to 12:00: 07:00 to 11:45 are 20 quarter-hours.
    memory = recorded(AT - timedelta(days=1), 96)
    if profile.load_profile.capacity < 96:
        memory = recorded(AT - timedelta(hours=9), 36)
    unit = Unit(1, profile=profile, measured_at=AT, values={IMPORT: 50.0})
    unit.memory = memory

    async def run() -> tuple[list[Reading], list[Reading]]:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            all_of.start(
                unit,
                meter(1, port, poll_every_s=0.1),
                now=lambda: AT,
                newest=AT - timedelta(hours=5, minutes=7),
            )
            health, counts = all_of.health(1), all_of.counts[1]
            await until(lambda: len(all_of.queue) >= health.answered + 20)
            polls = health.answered
            await until(lambda: health.answered >= polls + 3)
            assert counts.answered == health.answered + 20
            assert counts.asked - counts.answered - counts.failed <= 1
            return read_from(all_of.queue)

    polled, remembered = asyncio.run(run())
    times = sorted(reading.measured_at for reading in remembered)
    assert times == [AT - n * QUARTER for n in range(20, 0, -1)]
    first = memory.records[0].measured_at
    for reading in remembered:
        assert reading.received_at == AT
        assert reading.values[IMPORT] == (reading.measured_at - first) / QUARTER
    assert all(reading.measured_at == AT for reading in polled)


def test_an_outage_while_it_runs_is_filled_and_said(caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory = recorded(AT, 8)

    async def run() -> list[Reading]:
        async with gateway(unit) as port, on_a_bus(port, timeout_s=0.05) as all_of:
            one = meter(1, port, poll_every_s=0.1)
            later = AT + timedelta(hours=2)
            all_of.start(unit, one, now=lambda: later, backs_off_s=0.05)
            await until(lambda: all_of.health(1).answered >= 2)
            unit.delay_s = 60.0
            await until(lambda: all_of.health(1).failed.total() >= 6)
            unit.delay_s, unit.measured_at = 0.0, later
            await until(lambda: "The memory of meter M1 had" in caplog.text)
            return read_from(all_of.queue)[1]

    remembered = asyncio.run(run())
    # 12:15 to 13:45; the record of 12:00 is of the time of the last reading.
    assert sorted(r.values[IMPORT] for r in remembered) == [1, 2, 3, 4, 5, 6, 7]
    assert (
        "The memory of meter M1 had 7 readings for the gap "
        "from 2026-03-01 12:00 to 2026-03-01 14:00 UTC."
    ) in [record.getMessage() for record in caplog.records]


def test_without_an_outage_the_memory_is_left_alone() -> None:
    # The time that readings bear runs a thousand times as fast as ours.
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory = recorded(AT, 96)

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            one = meter(1, port, poll_every_s=0.05)
            health = all_of.start(unit, one, now=lambda: unit.measured_at).health
            for polls in range(1, 6):
                await until(lambda polls=polls: health.answered >= polls)
                unit.measured_at += timedelta(minutes=20)

    asyncio.run(run())
    assert all(address < 0x1000 for address, _ in unit.asked)


def test_the_memory_is_read_a_little_at_a_time_between_polls() -> None:
    # 96 records of 20 registers, six a request: 16 requests.
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory = recorded(AT - 95 * QUARTER, 96)

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            one = meter(1, port, poll_every_s=0.3)
            before = AT - timedelta(days=1)
            all_of.start(unit, one, now=lambda: AT, newest=before)
            await until(lambda: all_of.health(1).answered >= 6)

    asyncio.run(run())
    between, remembered = [], 0
    for address, _ in unit.asked:
        if address >= 0x1000:
            remembered += 1
        elif address == LOGGER.clock.address:
            between.append(remembered)
            remembered = 0
    assert max(between[1:]) <= 4
    assert sum(between) >= 8


def test_a_long_gap_is_filled_though_each_poll_is_long_after_the_last(
    monkeypatch,
) -> None:
    # 96 records, six a request, four requests a poll, one of them for the newest: six
    # polls, and one to see the end. An hour passes between two, and one more record.
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory, filled = recorded(AT - 96 * QUARTER, 96), []

    async def run() -> int:
        loop, polls = asyncio.get_running_loop(), 0
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + polls * 3600.0)

        async def put(parcel) -> None:
            filled.extend(parcel.batch.readings())

        async with gateway(unit) as port, on_a_bus(port) as all_of:
            backfill = Backfill(meter(1, port), LOGGER, all_of.bus, lambda: AT, put)
            backfill.want(AT - 97 * QUARTER, AT)
            while backfill.waits and polls < 20:
                await backfill.some(latest=float("inf"))
                polls += 1
                newest = unit.memory.records[-1].measured_at
                more = [LogRecord(measured_at=newest + QUARTER, values={IMPORT: 0.0})]
                unit.memory = LogMemory(
                    records=[*unit.memory.records, *more], total=96 + polls
                )
        return polls

    assert asyncio.run(run()) <= 7
    assert len({reading.measured_at for reading in filled}) == 96


def test_a_memory_that_cannot_be_read_leaves_the_gap_and_the_polls_go_on(
    caplog,
) -> None:
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory, unit.holes = recorded(AT - timedelta(hours=9), 36), {200}

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            one = meter(1, port, poll_every_s=0.05)
            before = AT - timedelta(hours=5)
            health = all_of.start(unit, one, now=lambda: AT, newest=before).health
            await until(lambda: health.answered >= 8)
            assert health.failed.total() == 0

    asyncio.run(run())
    assert [address for address, _ in unit.asked].count(200) == 3
    (said,) = [r.getMessage() for r in caplog.records if "stays" in r.getMessage()]
    assert said.startswith(
        "The gap from 2026-03-01 07:00 to 2026-03-01 12:00 UTC of meter M1 stays: "
        "its memory cannot be read: 127.0.0.1:"
    )


def test_what_a_memory_says_is_judged_as_everything_else() -> None:
    unit = Unit(1, profile=LOGGER, measured_at=AT, values={IMPORT: 0.0})
    unit.memory = recorded(AT - timedelta(hours=2), 8)

    async def run() -> list:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            one = meter(
                1, port, poll_every_s=0.05, installed_at=AT - timedelta(hours=1)
            )
            before = AT - timedelta(hours=2)
            all_of.start(unit, one, now=lambda: AT, newest=before)
            await until(lambda: len(all_of.queue) >= 1 + 7)
            return all_of.queue.take_nowait(100)

    parcels = asyncio.run(run())
    refusals = [refusal for parcel in parcels for refusal in parcel.refusals]
    # 10:15, 10:30 and 10:45 are before 11:00.
    assert [r.reason for r in refusals] == [Reason.BEFORE_INSTALLATION] * 3
    assert Failure.FAULT not in {r.reason for r in refusals}
