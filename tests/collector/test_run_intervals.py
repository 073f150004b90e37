"""Energy of intervals, read out of a meter's memory after an outage, end to end."""

import asyncio
import logging
from datetime import datetime, timedelta

from meters.load_memory import LogMemory
from meters.load_profile import LogRecord
from meters.quantity import Quantity
from storage.database import connect
from storage.dirty import mark_touched
from storage.meter_interval_store import store_recorded
from tests.collector.master import enter_meters
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.test_run import MODBUS, collecting, now
from tests.collector.test_run_memory import stored_before
from tests.collector.waiting import until
from tests.fix_broker import HOST

IMPORT, EXPORT = Quantity.ENERGY_IMPORT_KWH, Quantity.ENERGY_EXPORT_KWH
PROFILE = modbus_profile("keywatt-interval-logger")
QUARTER = timedelta(minutes=15)
SINCE = now() - timedelta(hours=2, minutes=7)
UNTIL = now() - timedelta(minutes=20)
"""From 10:53 to 12:40: the intervals that end from 11:00 to 12:45 lie in it, eight."""
FIRST = now() - timedelta(hours=2, minutes=15)

INTERVALS = """
    SELECT start, length_min, import_kwh, export_kwh, power_failure, received_at
      FROM meter_interval ORDER BY start
"""
DIRTY = "SELECT DISTINCT local_day FROM dirty_point_day"


def logger() -> Unit:
    """It recorded nine hours: 0, 1, 2 kWh a quarter-hour; one with a power failure."""
    records = [
        LogRecord(
            measured_at=now() - timedelta(hours=9) + n * QUARTER,
            values={IMPORT: float(n), EXPORT: 0.0},
            power_failure=n == 30,
        )
        for n in range(36)
    ]
    unit = Unit(1, profile=PROFILE, measured_at=UNTIL, values={IMPORT: 50.0})
    unit.memory = LogMemory(records=records, total=36)
    return unit


def entered(url: str, port: int) -> int:
    at = {"host": HOST, "port": port, "unit": 1}
    (meter,) = enter_meters(
        url, {"serial": "INT-1", "profile": "keywatt-interval-logger", **at}
    )
    return meter.meter_id


def rows(url: str, query: str = INTERVALS) -> list[tuple]:
    with connect(url) as conn:
        mark_touched(conn)
        return conn.execute(query).fetchall()


def expected() -> list[tuple[datetime, int, float, float, bool]]:
    # The record of number n ends n quarter-hours after 04:00: that of 11:00 is 28.
    return [(FIRST + n * QUARTER, 15, 28.0 + n, 0.0, 28 + n == 30) for n in range(8)]


def test_an_outage_is_filled_with_intervals_once(database, caplog) -> None:
    caplog.set_level(logging.INFO, "collector")
    unit = logger()

    async def run() -> None:
        async with gateway(unit) as port:
            meter_id = entered(database, port)
            await stored_before(database, meter_id, SINCE)
            for _ in range(2):  # the second finds nothing that is left to fill
                async with collecting(database, None, "filler") as counts:
                    await until(lambda: "8 intervals for the gap" in caplog.text)
                    polls = counts[MODBUS].of(meter_id)
                    await until(lambda polls=polls: polls.answered >= 5)
                asked = [address for address, _ in unit.asked if address >= 0x1000]
                unit.asked.clear()
            assert asked == []

    asyncio.run(run())
    assert [row[:5] for row in rows(database)] == expected()
    assert {row[5] for row in rows(database)} == {now()}
    assert rows(database, DIRTY) == [(FIRST.date(),)]


def test_read_again_it_changes_nothing_and_touches_nothing(database) -> None:
    unit = logger()

    async def run() -> None:
        async with gateway(unit) as port:
            meter_id = entered(database, port)
            await stored_before(database, meter_id, SINCE)
            async with collecting(database, None, "filler"):
                await until(lambda: len(rows(database)) == 8)
            # One is lost: so the gap is not filled, and all of it is asked for again.
            with connect(database) as conn:
                conn.execute("DELETE FROM meter_interval WHERE start = %s", (FIRST,))
                conn.execute("DELETE FROM dirty_point_day")
            async with collecting(database, None, "filler"):
                await until(lambda: len(rows(database)) == 8)

    asyncio.run(run())
    assert [row[:5] for row in rows(database)] == expected()


def test_a_database_that_is_away_meanwhile_loses_no_interval(
    database, monkeypatch
) -> None:
    monkeypatch.setattr("collector.modbus.backfill._REST_S", 0.05)
    unit, tried = logger(), 0

    def fails_twice(conn, intervals, received_at) -> int:
        nonlocal tried
        tried += 1
        stored = store_recorded(conn, intervals, received_at)
        if tried <= 2:
            raise OSError("the line is cut")  # after all was said, before the commit
        return stored

    monkeypatch.setattr("collector.modbus.recorded.store_recorded", fails_twice)

    async def run() -> None:
        async with gateway(unit) as port:
            meter_id = entered(database, port)
            await stored_before(database, meter_id, SINCE)
            async with collecting(database, None, "filler"):
                await until(lambda: len(rows(database)) == 8)

    asyncio.run(run())
    assert tried > 2
    assert [row[:5] for row in rows(database)] == expected()


def test_what_cannot_be_is_refused_and_counted(database) -> None:
    unit = logger()
    come = now() - timedelta(hours=1)

    async def run() -> int:
        async with gateway(unit) as port:
            meter_id = entered(database, port)
            await stored_before(database, meter_id, SINCE)
            with connect(database) as conn:
                conn.execute("UPDATE installation SET installed_at = %s", (come,))
            async with collecting(database, None, "filler") as counts:
                await until(lambda: counts[MODBUS].refused == 5)
                await until(lambda: len(rows(database)) == 3)
        return meter_id

    asyncio.run(run())
    # 10:45 to 11:45 began before 12:00.
    assert [row[0] for row in rows(database)] == [come + n * QUARTER for n in range(3)]
