"""The memory of an A44, searched over a real Modbus server that others share."""

import asyncio
import logging
from datetime import timedelta
from itertools import pairwise

import pytest
from pymodbus.framer import FramerType

from meters.load_memory import LogMemory
from meters.load_profile import LogRecord
from meters.load_records import Channel
from meters.meter import Framing
from meters.quantity import Quantity
from meters.reading import Reading
from meters.refusal import Reason
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import AT, meter, on_a_bus
from tests.collector.modbus.test_backfill import QUARTER, read_from
from tests.collector.waiting import until

A44 = modbus_profile("abb-a44")
IMPORT, EXPORT = Quantity.ENERGY_IMPORT_KWH, Quantity.ENERGY_EXPORT_KWH
AWAY = timedelta(hours=6, minutes=7)
"""05:53 to 12:00: 06:00 to 11:45 are 24 quarter-hours, more than a window has."""
WANTED = [AT - n * QUARTER for n in range(24, 0, -1)]
NEXT, CHANNEL, DATE, BLOCK = 0x8700, 0x8703, 0x8704, 0x8720


def a44(*marked: LogRecord, now=AT, **fields) -> Unit:
    """It recorded ten hours up to now: 12.5 kWh in and 0.25 kWh out a quarter-hour."""
    times = [now - n * QUARTER for n in range(40, -1, -1)]
    records = {
        at: LogRecord(measured_at=at, values={IMPORT: n * 12.5, EXPORT: n * 0.25})
        for n, at in enumerate(times)
    }
    records |= {record.measured_at: record for record in marked}
    channels = [
        Channel(number=3, quantity=EXPORT, exponent=0, interval=QUARTER),
        Channel(number=6, quantity=IMPORT, exponent=1, interval=QUARTER),
    ]
    unit = Unit(
        **{"unit": 1, "profile": A44, "measured_at": now, "values": {IMPORT: 600.0}}
        | fields
    )
    unit.memory = LogMemory(
        records=list(records.values()), total=len(records), channels=channels
    )
    return unit


def energies(reading: Reading) -> tuple[float, float]:
    return reading.values[IMPORT], reading.values[EXPORT]


async def filled(unit: Unit, caplog, **fields):
    """Have the gap of an outage filled, and return all parcels."""
    async with gateway(unit) as port, on_a_bus(port) as all_of:
        one = meter(1, port, poll_every_s=0.05)
        all_of.start(unit, one, now=lambda: AT, newest=AT - AWAY, **fields)
        await until(lambda: " for the gap " in caplog.text)
        return all_of.queue


def test_a_gap_is_filled_once_with_what_every_channel_held(caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    unit = a44()
    _, remembered = read_from(asyncio.run(filled(unit, caplog)))
    assert [reading.measured_at for reading in remembered] == WANTED
    # The first is the record 40 - 24 = 16 of those that began at 0.
    assert [energies(reading) for reading in remembered] == [
        (n * 12.5, n * 0.25) for n in range(16, 40)
    ]
    assert "had 24 readings for the gap from 2026-03-01 05:53" in caplog.text
    # Date and direction of two channels; the others were only asked what they hold.
    assert unit.searches == 4
    assert [address for address, _ in unit.asked].count(NEXT) == 2


def test_what_the_meter_marked_bad_is_refused_and_the_rest_is_kept(caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    bad, absent = AT - 4 * QUARTER, AT - 8 * QUARTER
    set_at = AT - 12 * QUARTER
    unit = a44(
        LogRecord(measured_at=bad, values={IMPORT: 9.0}, is_doubtful=True),
        LogRecord(measured_at=absent, values={}),
        LogRecord(measured_at=set_at, values={IMPORT: 350.0}, clock_set=True),
    )
    parcels = asyncio.run(filled(unit, caplog)).take_nowait(10_000)
    (refusal,) = [r for parcel in parcels for r in parcel.refusals]
    assert refusal.reason is Reason.MARKED_BAD
    assert refusal.text == (
        "The meter marked its record of 2026-03-01T11:00:00+00:00 as bad: "
        "energy_import_kwh 9.0."
    )
    readings = [r for parcel in parcels for r in parcel.batch.readings()]
    times = {reading.measured_at for reading in readings}
    assert times == {*WANTED, AT} - {bad, absent}
    assert (
        "Meter M1 marks 1 of its records, the first of 2026-03-01 09:00 UTC, as "
        "recorded while its clock was set: the times around them may be wrong."
    ) in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("framer", "framing"),
    [
        pytest.param(FramerType.SOCKET, Framing.TCP, id="tcp"),
        pytest.param(FramerType.RTU, Framing.RTU_OVER_TCP, id="rtu over tcp"),
    ],
)
def test_a_slow_search_delays_nobody_else(caplog, framer, framing) -> None:
    # It lasts as long as we like, and the A44 answers nothing meanwhile.
    caplog.set_level(logging.INFO, "collector")
    slow, other = a44(held_searches=1), Unit(2)

    async def run():
        async with (
            gateway(slow, other, framer=framer) as port,
            on_a_bus(port, timeout_s=5.0, framing=framing) as all_of,
        ):
            one = meter(1, port, poll_every_s=0.6)
            fields = {"newest": AT - AWAY, "backs_off_s": 0.05}
            all_of.start(slow, one, now=lambda: AT, **fields)
            all_of.start(other, meter(2, port, poll_every_s=0.6))
            await until(lambda: slow.found is not None)
            health, polls = all_of.health(2), len(other.asked)
            await until(lambda: all_of.health(1).failed.total() >= 2)
            await until(lambda: len(other.asked) >= polls + 4)
            assert health.failed.total() == 0
            slow.found.set()
            await until(lambda: " for the gap " in caplog.text)
            return read_from(all_of.queue)[1]

    remembered = asyncio.run(run())
    late = [b - a - 0.6 for a, b in pairwise(other.asked_at)]
    assert max(late) < 0.6
    remembered = [reading for reading in remembered if reading.meter_id == 1]
    assert [reading.measured_at for reading in remembered] == WANTED
    assert [energies(reading) for reading in remembered] == [
        (n * 12.5, n * 0.25) for n in range(16, 40)
    ]
    # What the meter had found by then was fetched, not searched for again: date and
    # direction are one search each, and of the first channel there is only the first.
    assert slow.searches == 3
    assert "stays" not in caplog.text


def test_a_restart_during_the_search_begins_it_anew(caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    unit, restarts = a44(), []

    def forget(address) -> None:
        if address == NEXT and not restarts:
            restarts.append(unit.written.copy())
            unit.written.clear()

    unit.on_write = forget
    _, remembered = read_from(asyncio.run(filled(unit, caplog)))
    assert len(restarts) == 1
    assert [reading.measured_at for reading in remembered] == WANTED
    assert [energies(reading) for reading in remembered] == [
        (n * 12.5, n * 0.25) for n in range(16, 40)
    ]


@pytest.mark.parametrize("channels", [(), [Channel(number=1, interval=QUARTER)]])
def test_a_meter_without_a_channel_for_energy_is_told_of(caplog, channels) -> None:
    unit = a44()
    unit.memory = LogMemory(records=unit.memory.records, total=41, channels=channels)

    async def run() -> None:
        async with gateway(unit) as port, on_a_bus(port) as all_of:
            one = meter(1, port, poll_every_s=0.05)
            all_of.start(unit, one, now=lambda: AT, newest=AT - AWAY)
            await until(lambda: "stays" in caplog.text)
            polls = all_of.health(1).answered
            await until(lambda: all_of.health(1).answered >= polls + 2)

    asyncio.run(run())
    assert (
        "none of its 8 channels records any of energy_import_kwh, energy_export_kwh, "
        "energy_lagging_kvarh, energy_leading_kvarh; set one up in the meter."
    ) in caplog.text
    # What each holds was asked once.
    assert [address for address, _ in unit.asked].count(CHANNEL) == 8
