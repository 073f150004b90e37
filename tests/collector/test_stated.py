"""The ratio that was set in a meter reaches the database whenever it changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from collector.modbus.stated import Stated
from meters.identity import Ratios, encode_identity
from storage.database import connect, connect_async
from storage.stated_multipliers import (
    ToldMultiplier,
    load_disagreements,
    store_multipliers,
)
from tests.collector.master import enter_meters
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.test_backfill import IMPORT, LOGGER
from tests.collector.test_run import collecting, now
from tests.collector.waiting import until
from tests.fix_broker import HOST

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
