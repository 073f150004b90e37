"""What happened while no collector ran is read from the meters' own memory."""

import asyncio
from datetime import datetime, timedelta

import pytest

from meters.load_profile import LogRecord
from meters.quantity import Quantity
from meters.reading import Reading, Source, batch_of
from storage.clocks import load_clock_hours
from storage.database import connect, connect_async
from storage.reading_store import write_batch
from storage.readings import load_sources
from tests.collector.master import enter_meters, stored
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.modbus.test_backfill import IMPORT, LOGGER, QUARTER, recorded
from tests.collector.modbus.test_backfill_search import a44
from tests.collector.test_run import MODBUS, collecting, now
from tests.collector.waiting import until
from tests.fix_broker import HOST

AWAY = timedelta(hours=2, minutes=7)


async def stored_before(url: str, meter_id: int, *times: datetime) -> None:
    """Leave readings of before the collector started."""
    values = {Quantity.ENERGY_IMPORT_KWH: 1.0}
    known = [
        Reading(meter_id=meter_id, measured_at=at, received_at=at, values=values)
        for at in times
    ]
    conn = await connect_async(url)
    async with conn:
        await write_batch(conn, batch_of(known), transport="modbus")


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([now() - AWAY], id="nothing since"),
        # A collector was back for a moment, and killed before it had filled the gap.
        pytest.param([now() - AWAY, now() - timedelta(minutes=1)], id="half done"),
    ],
)
def test_a_stop_of_the_collector_is_filled_from_a_meters_memory(
    database, known
) -> None:
    # From 10:53 to 13:00: the quarter-hours from 11:00 to 12:45 are eight.
    unit = Unit(
        1,
        profile=LOGGER,
        measured_at=now() + timedelta(minutes=4),
        values={IMPORT: 50.0},
    )
    unit.memory = recorded(now() - timedelta(hours=9), 36)

    async def run() -> int:
        async with gateway(unit) as port:
            (meter,) = enter_meters(
                database,
                {
                    "serial": "LOG-1",
                    "profile": "keywatt-logger",
                    "host": HOST,
                    "port": port,
                    "unit": 1,
                },
            )
            await stored_before(database, meter.meter_id, *known)
            async with collecting(database, None, "filler") as counts:
                await until(lambda: counts[MODBUS].stored >= 9)
        return meter.meter_id

    meter_id = asyncio.run(run())
    times = [at for _, at, _ in stored(database)]
    assert len(times) == len(set(times))
    with connect(database) as conn:
        until_now = (now() - AWAY, now() + timedelta(hours=1))
        sources = load_sources(conn, meter_id, *until_now)
        assert sources[Source.LOAD_PROFILE] == 8
        assert sources[Source.PUSHED] == len(known)  # as it was before
        assert sources[Source.POLLED] >= 1
        # Its clock is four minutes ahead, which is said once it is told.
        (hour,) = load_clock_hours(conn, meter_id)
        assert hour.drift_s == 240.0
    first = now() - timedelta(hours=2)
    assert {first + n * QUARTER for n in range(8)} <= set(times)


def test_what_a_meter_found_in_its_memory_is_stored_once_beside_the_others(
    database,
) -> None:
    # From 10:53 to 13:00: the quarter-hours from 11:00 to 12:45 are eight. An A44 that
    # searches for as long as we like, and a meter that hangs on the same bus.
    bad = LogRecord(
        measured_at=now() - 3 * QUARTER, values={IMPORT: 9.0}, is_doubtful=True
    )
    slow = a44(bad, now=now(), measured_at=now(), held_searches=1)
    other = Unit(2)

    async def run() -> None:
        async with gateway(slow, other) as port:
            place = {"host": HOST, "port": port, "poll_every_s": 0.5}
            entered = enter_meters(
                database,
                {"serial": "A44", "profile": "abb-a44", "unit": 1, **place},
                {"serial": "OTHER", "unit": 2, **place},
            )
            meter = next(each for each in entered if each.serial == "A44")
            await stored_before(database, meter.meter_id, now() - AWAY)
            async with collecting(database, None, "finder") as counts:
                await until(lambda: slow.found is not None)
                polls = len(other.asked)
                await until(lambda: len(other.asked) >= polls + 3)
                slow.found.set()
                await until(lambda: counts[MODBUS].refused >= 1)

    asyncio.run(run())
    rows = [(at, kwh) for serial, at, kwh in stored(database) if serial == "A44"]
    # The first of the gap's records is number 32 of those that began at 0 kWh.
    expected = {now() - n * QUARTER: (40 - n) * 12.5 for n in range(1, 9) if n != 3}
    assert len(rows) == len(dict(rows))
    assert {at: kwh for at, kwh in rows if at in expected} == expected
    assert set(dict(rows)) - set(expected) == {now() - AWAY, now()}
    with connect(database) as conn:
        kept = conn.execute("SELECT reason, meter_id FROM quarantine").fetchall()
    assert [reason for reason, _ in kept] == ["marked-bad"]
