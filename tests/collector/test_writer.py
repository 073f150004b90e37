import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from collector.counting.counts import new_counters
from collector.parcel import Parcel, ParcelQueue
from collector.writer import Writer
from meters.meter import Transport
from meters.quantity import Quantity
from meters.reading import Reading, batch_of
from meters.refusal import Reason, Refusal
from storage import reading_store
from storage.database import connect
from tests.collector.master import enter_meters, outcomes, quarantined, stored
from tests.collector.waiting import until

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MQTT = Transport.MQTT


def reading(meter_id: int, minute: int) -> Reading:
    at = AT + timedelta(minutes=minute)
    values = {Quantity.ENERGY_IMPORT_KWH: float(minute)}
    return Reading(meter_id=meter_id, measured_at=at, received_at=AT, values=values)


def refusal(text: str) -> Refusal:
    return Refusal(
        reason=Reason.NOT_JSON,
        text=text,
        source="a/topic",
        transport=MQTT,
        received_at=AT,
        raw=b"raw",
    )


async def written(url: str, parcels: list[Parcel]):
    """Write parcels and stop; return the counts."""
    queue, counts = ParcelQueue(), new_counters()
    writer = Writer(queue, url, counts)
    for parcel in parcels:
        queue.put_nowait(parcel)
    running = asyncio.create_task(writer.run())
    await until(lambda: not len(queue))
    running.cancel()
    await asyncio.wait([running])
    await writer.drain()
    return counts[MQTT]


def test_what_the_database_cannot_take_is_set_aside_and_the_rest_is_stored(
    database,
) -> None:
    (meter,) = enter_meters(database, {"serial": "M1"})
    with connect(database) as conn:
        conn.execute("ALTER TABLE reading ADD CHECK (energy_import_kwh <> 666)")
    refused = reading(meter.meter_id, 666)
    acknowledged: list[int] = []
    contents = [
        {"batch": batch_of([reading(meter.meter_id, n) for n in range(4)])},
        {"batch": batch_of([reading(meter.meter_id, 4), refused])},
        {"refusals": [refusal("a half \ud800 and a \0")]},
        {
            "batch": batch_of([reading(meter.meter_id, 5)]),
            "refusals": [refusal("plain")],
        },
    ]
    parcels = [
        Parcel(transport=MQTT, done=lambda n=n: acknowledged.append(n), **content)
        for n, content in enumerate(contents)
    ]
    counts = asyncio.run(written(database, parcels))
    assert acknowledged == [0, 1, 2, 3]
    assert [energy for *_, energy in stored(database)] == [0, 1, 2, 3, 4, 5]
    assert (counts.stored, counts.refused, counts.repeated) == (6, 3, 0)
    kept = quarantined(database)
    assert sorted(reason for reason, *_ in kept) == [
        "not-json",
        "not-json",
        "undecodable",
    ]
    assert any(b"666." in raw for *_, raw in kept)
    assert sum(outcomes(database).values()) == 9


def test_both_transports_may_be_in_one_taking(database) -> None:
    (meter,) = enter_meters(database, {"serial": "M1"})
    order: list[str] = []
    parcels = [
        Parcel.of(
            transport,
            [reading(meter.meter_id, n)],
            done=lambda n=n, t=transport: order.append(f"{t}{n}"),
        )
        for n, transport in enumerate([*Transport] * 3)
    ]
    asyncio.run(written(database, parcels))
    assert len(stored(database)) == 6
    for transport in Transport:
        own = [done for done in order if done.startswith(transport)]
        assert own == sorted(own)
    assert outcomes(database) == {("modbus", "stored"): 3, ("mqtt", "stored"): 3}


def test_nothing_is_acknowledged_that_is_not_committed(database, caplog) -> None:
    acknowledged: list[int] = []
    parcel = Parcel.of(MQTT, [reading(1, 0)], done=lambda: acknowledged.append(1))

    async def run() -> None:
        queue, counts = ParcelQueue(), new_counters()
        url = f"{database}&options=-cdefault_transaction_read_only%3Don"
        running = asyncio.create_task(Writer(queue, url, counts).run())
        queue.put_nowait(parcel)
        await until(lambda: not len(queue))
        await until(lambda: "Readings wait" in caplog.text)
        running.cancel()
        await asyncio.wait([running])
        # A connection that was being opened is closed.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        # Put back in its place: a later writer finds it.
        (put_back,) = queue.take_nowait(10)
        assert put_back is parcel
        assert counts[MQTT].stored == 0

    asyncio.run(run())
    assert acknowledged == []


def test_a_batch_that_the_database_makes_wait_holds_up_no_other(database) -> None:
    (meter,) = enter_meters(database, {"serial": "M1"})
    contested, other = reading(meter.meter_id, 0), reading(meter.meter_id, 1)
    acknowledged: list[str] = []

    async def run() -> None:
        queue, counts = ParcelQueue(), new_counters()
        writer = Writer(queue, database, counts)
        running = asyncio.create_task(writer.run())
        with connect(database) as rival:
            rival.execute("SELECT ensure_time_partitions(%s, %s)", (AT, AT))
            rival.commit()
            rival.execute(
                "INSERT INTO reading (meter_id, measured_at, received_at)"
                " VALUES (%s, %s, %s)",
                (contested.meter_id, contested.measured_at, AT),
            )
            for name, each in {"contested": contested, "other": other}.items():
                done = partial(acknowledged.append, name)
                queue.put_nowait(Parcel.of(MQTT, [each], done=done))
                await until(lambda: not len(queue))
            await until(lambda: acknowledged == ["other"])
            rival.rollback()
        await until(lambda: acknowledged == ["other", "contested"])
        running.cancel()
        await asyncio.wait([running])
        await writer.drain()

    asyncio.run(run())
    assert [energy for *_, energy in stored(database)] == [0, 1]


@pytest.mark.parametrize(("waiting", "taken"), [(3, 3), (700, 500), (2000, 1000)])
def test_of_many_waiting_half_are_taken(waiting, taken) -> None:
    async def run() -> int:
        queue = ParcelQueue()
        for n in range(waiting):
            queue.put_nowait(Parcel.of(MQTT, [reading(1, n)]))
        parcels = await queue.take(enough_rows=500, most_rows=5000, linger_s=0.05)
        return len(parcels)

    assert asyncio.run(run()) == taken


def test_who_is_overtaken_again_and_again_tries_later(database, monkeypatch) -> None:
    (meter,) = enter_meters(database, {"serial": "M1"})
    look, overtaken = reading_store._new, 7  # noqa: SLF001 - more often than is tried

    async def look_too_early(conn, batch):
        nonlocal overtaken
        overtaken -= 1
        return np.arange(len(batch)) if overtaken >= 0 else await look(conn, batch)

    async def run() -> None:
        parcels = [Parcel.of(MQTT, [reading(meter.meter_id, n) for n in range(3)])]
        await written(database, parcels)
        monkeypatch.setattr(reading_store, "_new", look_too_early)
        counts = await written(database, parcels)
        assert (counts.stored, counts.repeated) == (0, 3)

    asyncio.run(run())
    assert len(stored(database)) == 3
