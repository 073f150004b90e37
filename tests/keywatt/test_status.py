import asyncio
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from collector.counting.counts import new_counters
from collector.counting.metrics import Metrics
from meters.meter import Transport
from meters.quantity import Quantity
from meters.reading import Reading, batch_of, utc_us
from meters.refusal import Reason, Refusal
from storage.database import connect, connect_async
from storage.meter_counts import FAILED, OUTCOMES, add_failed, summed
from storage.reading_store import write_batch
from tests.collector.master import enter_meters
from tests.fix_broker import HOST, free_port

NOW = datetime(2026, 11, 22, 13, 20, tzinfo=UTC)


def at_now() -> str:
    return f"2026-11-22T13:20:00Z@{datetime.now(UTC).timestamp()}*1"


def reading(meter_id: int, minutes_ago: int) -> Reading:
    at = NOW - timedelta(minutes=minutes_ago)
    values = {Quantity.ENERGY_IMPORT_KWH: 1.0}
    return Reading(meter_id=meter_id, measured_at=at, received_at=at, values=values)


def refusal(meter_id: int | None, reason: Reason, readings: int) -> Refusal:
    return Refusal(
        reason=reason,
        text="No.",
        source="somewhere",
        transport="mqtt",
        received_at=NOW,
        raw=b"",
        meter_id=meter_id,
        readings=readings,
    )


@pytest.fixture
def collected(database) -> str:
    """A polled meter with 2 of 5 polls failed, and a message meter with refusals."""
    polled, listened = enter_meters(
        database,
        {"serial": "P", "host": "10.0.0.1", "port": 502, "unit": 1},
        {"serial": "L"},
    )
    failed = np.zeros((1, len(OUTCOMES)), np.int64)
    failed[0, FAILED] = 2
    now_us = np.array([utc_us(NOW)])
    with connect(database) as conn:
        counts = summed(np.array([polled.meter_id], np.int32), now_us, failed)
        add_failed(conn, counts, "modbus")

    async def write() -> None:
        conn = await connect_async(database)
        async with conn:
            # One is of the hour before.
            of_polled = batch_of([reading(polled.meter_id, n) for n in (0, 10, 30)])
            await write_batch(conn, of_polled, transport="modbus")
            of_listened = batch_of([reading(listened.meter_id, 0)] * 2)
            refusals = [
                refusal(listened.meter_id, Reason.FAR_FUTURE, 4),
                refusal(None, Reason.UNKNOWN_METER, 1),
            ]
            await write_batch(conn, of_listened, transport="mqtt", refusals=refusals)

    asyncio.run(write())
    return database


def numbers(line: dict[str, object]) -> list[object]:
    names = ("asked", "answered", "decoded", "stored", "repeated", "refused", "failed")
    return [line[name] for name in (*names, "waiting")]


def test_it_adds_up_by_transport_bus_and_meter(keywatt, collected) -> None:
    said = keywatt("status", "--json", database_url=collected, clock=at_now())
    assert said.code == 0
    found = json.loads(said.out)
    modbus, mqtt = found["transports"]
    # asked, answered, decoded, stored, repeated, refused, failed, waiting
    assert numbers(modbus) == [5, 3, 3, 3, 0, 0, 2, None]
    assert numbers(mqtt) == [7, 7, 6, 1, 1, 5, 0, None]
    assert mqtt["reasons"] == {"far-future": 4, "unknown-meter": 1}
    assert [(b["bus"], *numbers(b)) for b in found["buses"]] == [
        ("10.0.0.1:502", 5, 3, 3, 3, 0, 0, 2, None)
    ]
    # Most trouble first.
    assert [(m["meter"], *numbers(m)) for m in found["meters"]] == [
        ("L", 6, 6, 6, 1, 1, 4, 0, None),
        ("P", 5, 3, 3, 3, 0, 0, 2, None),
    ]
    assert "set KEYWATT_METRICS_PORT" in found["collector"]
    this_hour = keywatt(
        *("status", "--json", "--hours", "1"), database_url=collected, clock=at_now()
    )
    stored = {m["meter"]: m["stored"] for m in json.loads(this_hour.out)["meters"]}
    assert stored == {"P": 2, "L": 1}


def test_what_waits_is_asked_of_the_collector(keywatt, collected) -> None:
    counts = new_counters()
    counts[Transport.MODBUS].of(1).asked = 9
    with Metrics(counts).serve(HOST, 0) as port:
        said = keywatt(
            *("status", "--once"),
            database_url=collected,
            clock=at_now(),
            metrics_port=str(port),
        )
    assert said.code == 0
    (row,) = (line for line in said.out.splitlines() if "modbus" in line)
    assert [c.strip() for c in row.split("│")[1:-1]] == [
        *("modbus", "14", "3", "3", "3", "0", "0", "2", "9")
    ]
    assert "mqtt refused: far-future 4, unknown-meter 1" in said.out
    assert "Since 2026-11-21 14:00 UTC; the collector answers." in said.out


def test_without_a_collector_the_rest_is_shown(keywatt, collected) -> None:
    port = free_port()
    said = keywatt(
        *("status", "--once"),
        database_url=collected,
        clock=at_now(),
        metrics_port=str(port),
    )
    assert said.code == 0
    assert f"no collector answers at 127.0.0.1:{port} (" in said.out
    assert "10.0.0.1:502" in said.out


def test_a_database_that_lacks_migrations_is_said(keywatt, empty_database) -> None:
    said = keywatt("status", "--once", database_url=empty_database)
    assert said.code == 1
    assert said.err.endswith("migrations: run keywatt migrate.\n")
    assert said.err.startswith("The database lacks ")
