"""What the database is told of polled meters: their troubles, and what they say."""

import asyncio

from collector.counting.counts import new_counters
from collector.counting.metrics import Metrics
from collector.modbus.polled import PolledMeter
from meters.decode import encode_registers
from meters.event import MeterEvent
from storage.collector_beats import load_beats
from storage.database import connect
from storage.meter_events import load_lasting
from storage.meter_troubles import load_troubles
from tests.collector.counting.test_metrics import scraped
from tests.collector.master import enter_meters
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.modbus.test_backfill import IMPORT, LOGGER
from tests.collector.test_run import collecting, now
from tests.collector.waiting import until
from tests.fix_broker import HOST

EVENTS = """
    SELECT serial, code, at, ended_at, "text"
      FROM meter_event JOIN meter USING (meter_id)
     ORDER BY code
"""


def says(*events: MeterEvent) -> dict[int, int]:
    """Status registers of a logger that says this of itself, address to word."""
    words = encode_registers(LOGGER, {IMPORT: 1.0}, now(), set(events))
    first = LOGGER.events[0].address
    return {address: words[address] for address in (first, first + 1)}


def logger(unit: int, *events: MeterEvent) -> Unit:
    return Unit(
        unit,
        profile=LOGGER,
        measured_at=now(),
        values={IMPORT: 1.0},
        words=says(*events),
    )


def test_what_meters_say_of_themselves_is_kept_from_its_begin_to_its_end(
    database, monkeypatch
) -> None:
    monkeypatch.setattr("collector.modbus.faring.TELL_EVERY_S", 0.05)
    unit = logger(1, MeterEvent.COVER_OPEN, MeterEvent.BATTERY_LOW)

    async def told(*codes: str) -> None:
        def is_so() -> bool:
            with connect(database) as conn:
                return {one.code for one in load_lasting(conn, now())} == set(codes)

        await until(is_so)

    async def run() -> None:
        async with gateway(unit) as port:
            at = {"host": HOST, "port": port, "unit": 1, "profile": "keywatt-logger"}
            enter_meters(database, {"serial": "A", **at})
            async with collecting(database, None, "north"):
                await told("cover-open", "battery-low")
                unit.words = says(MeterEvent.BATTERY_LOW)
                await told("battery-low")
            # Nobody watches while it ends; the next collector sees that it has.
            unit.words = says()
            async with collecting(database, None, "north"):
                await told()

    asyncio.run(run())
    with connect(database) as conn:
        rows = conn.execute(EVENTS).fetchall()
        (beat,) = load_beats(conn, now())
    assert [row[:4] for row in rows] == [
        ("A", "battery-low", now(), now()),
        ("A", "cover-open", now(), now()),
    ]
    assert all("register" in text and "holds 0x" in text for *_, text in rows)
    assert (beat.collector, beat.polls, beat.hears) == ("north", True, False)


def test_a_meter_that_is_not_read_is_told_and_that_it_is_again(
    database, monkeypatch
) -> None:
    monkeypatch.setattr("collector.modbus.faring.TELL_EVERY_S", 0.05)
    well, lacking, dead = Unit(1), Unit(2), Unit(3, delay_s=60.0)
    lacking.holes = {0x46}  # the frequency: it has no such register
    polled: dict[int, PolledMeter] = {}
    metrics = Metrics(new_counters(), polled=polled)

    def troubles() -> dict[str, tuple[bool, list[str]]]:
        with connect(database) as conn:
            return {t.serial: (bool(t.text), t.holes) for t in load_troubles(conn)}

    async def run() -> None:
        async with gateway(well, lacking, dead) as port:
            bus = f"{HOST}:{port}"
            at = {"host": HOST, "port": port}
            enter_meters(
                database,
                *({"serial": f"S{unit}", **at, "unit": unit} for unit in (1, 2, 3)),
                {"serial": "S4", **at, "unit": 4, "profile": "none-such"},
            )
            with metrics.serve(HOST, 0) as served:
                async with collecting(database, None, "north", polled=polled):
                    await until(lambda: len(troubles()) == 3)
                    assert troubles() == {
                        "S2": (False, ["frequency_hz"]),
                        "S3": (True, []),
                        "S4": (True, []),
                    }
                    found = await asyncio.to_thread(scraped, served)
                    assert found["keywatt_bus_meters"] == {(bus,): 3}
                    assert found["keywatt_bus_meters_in_trouble"] == {(bus,): 1}
                    assert found["keywatt_bus_reachable"] == {(bus,): 1}
                    assert found["keywatt_meter_holes"] == {(bus, "S2"): 1}
                    since = found["keywatt_meter_in_trouble_since_seconds"]
                    assert since == {(bus, "S3"): now().timestamp()}
                    dead.delay_s, lacking.holes = 0.0, set()
                    await until(lambda: "S3" not in troubles(), 10.0)

    asyncio.run(run())
    assert troubles().keys() == {"S2", "S4"}  # holes are tried again in a day
