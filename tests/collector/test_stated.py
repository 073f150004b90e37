"""The ratio that was set in a meter reaches the database whenever it changes."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from collector.modbus.stated import Stated
from meters.identity import encode_identity
from meters.ratios import Ratios
from storage.database import connect, connect_async
from storage.dirty import mark_touched, take_dirty
from storage.stated_multipliers import (
    ToldMultiplier,
    load_disagreements,
    store_multipliers,
)
from tests.collector.master import enter_meters
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.test_backfill import IMPORT, LOGGER
from tests.collector.test_run import collecting, now, payload, send, topic
from tests.collector.waiting import until
from tests.fix_broker import HOST
from tests.registers import readings_of, write

HOUR = timedelta(hours=1)
STATED = "SELECT multiplier FROM stated_multiplier ORDER BY since_at"


def test_it_is_kept_once_for_as_long_as_it_stays(database, monkeypatch) -> None:
    monkeypatch.setattr("collector.modbus.faring.TELL_EVERY_S", 0.05)
    monkeypatch.setattr("collector.modbus.stated.ASK_EVERY_S", 0.0)
    unit = Unit(1, profile=LOGGER, measured_at=now(), values={IMPORT: 1.0})

    def states(ct: float, pt: float) -> None:
        unit.words = encode_identity(LOGGER, {"serial": "A"}, Ratios(ct=ct, pt=pt))

    def stored() -> list[float]:
        with connect(database) as conn:
            return [each for (each,) in conn.execute(STATED).fetchall()]

    async def run() -> None:
        states(80.0, 1.0)
        async with gateway(unit) as port:
            at = {"host": HOST, "port": port, "unit": 1, "profile": "keywatt-logger"}
            enter_meters(database, {"serial": "A", "poll_every_s": 0.05, **at})
            async with collecting(database, None, "north"):
                await until(lambda: stored() == [80.0])
                # The hour by which it collects stands still: the later word replaces.
                states(80.0, 2.5)
                await until(lambda: stored() == [200.0])
            async with collecting(database, None, "north") as counts:
                answered = counts["modbus"].answered
                await until(lambda: counts["modbus"].answered > answered + 3)
        assert stored() == [200.0]

    asyncio.run(run())
    with connect(database) as conn:
        (one,) = load_disagreements(conn, now())
    assert (one.serial, one.stated, one.entered) == ("A", 200.0, 1.0)


def test_a_message_states_it_too(database, broker, unique, monkeypatch) -> None:
    monkeypatch.setattr("collector.modbus.faring.TELL_EVERY_S", 0.05)
    monkeypatch.setattr("collector.mqtt.stated.TAKE_EVERY", timedelta())
    serial = f"A-{unique}"
    enter_meters(database, {"serial": serial})

    def stored() -> list[float]:
        with connect(database) as conn:
            return [each for (each,) in conn.execute(STATED).fetchall()]

    async def run() -> None:
        async with collecting(database, broker, unique) as counts:
            first = payload(serial, 0, ct_ratio=80, pt_ratio=2.5)
            await send(broker, (topic(serial), first))
            await until(lambda: stored() == [200.0])
            plain, second = payload(serial, 1), payload(serial, 2, ct_ratio=60)
            await send(broker, (topic(serial), plain), (topic(serial), second))
            await until(lambda: stored() == [60.0])
            await until(lambda: counts["mqtt"].stored == 3)

    asyncio.run(run())


def test_what_was_settled_before_it_was_told_is_settled_again(database) -> None:
    (meter,) = enter_meters(database, {"serial": "A"})
    day = now().date()
    # Noon of three days in a row; what is stated of the second is told after the third.
    at = [now() + n * 24 * HOUR for n in range(3)]

    def dirty() -> list[date]:
        with connect(database) as conn:
            mark_touched(conn)
            found = {one.local_day for one in take_dirty(conn)}
        return sorted(found)

    async def tell(multiplier: float, hours: int = 0) -> None:
        async with await connect_async(database) as conn:
            at_noon = at[1] + hours * HOUR
            told = ToldMultiplier(
                meter_id=meter.meter_id, at=at_noon, multiplier=multiplier
            )
            await store_multipliers(conn, [told])

    write(database, readings_of(meter.meter_id, at[0], np.full(192, 100.0)))
    assert dirty() == [day + n * timedelta(days=1) for n in range(3)]
    asyncio.run(tell(80.0))
    assert dirty() == [day + n * timedelta(days=1) for n in (1, 2)]
    asyncio.run(tell(80.0))
    asyncio.run(tell(80.0, hours=1))
    assert dirty() == []
    # What will be read after it touches its day itself.
    asyncio.run(tell(60.0, hours=48))
    assert dirty() == []


def test_a_meter_that_multiplies_itself_is_not_asked() -> None:
    em24 = modbus_profile("carlo-gavazzi-em24")
    assert em24.ratio
    assert em24.ratio_in_meter
    assert not Stated.of(em24).is_due(0.0)
    assert Stated.of(LOGGER).is_due(0.0)


def test_the_same_word_again_makes_no_row(database) -> None:
    (meter,) = enter_meters(database, {"serial": "A"})
    hours = [now() + n * HOUR for n in range(4)]

    async def run() -> None:
        async with await connect_async(database) as conn:
            told = [
                ToldMultiplier(meter_id=meter.meter_id, at=at, multiplier=m)
                for at, m in zip(hours, (80.0, 80.0, 60.0, 80.0), strict=True)
            ]
            await store_multipliers(conn, told)
            # A meter that was deleted meanwhile states nothing.
            await store_multipliers(conn, [replace(told[0], meter_id=999)])

    asyncio.run(run())
    with connect(database) as conn:
        rows = conn.execute(
            "SELECT since_at, multiplier FROM stated_multiplier ORDER BY 1"
        ).fetchall()
    assert rows == [(hours[0], 80.0), (hours[2], 60.0), (hours[3], 80.0)]
