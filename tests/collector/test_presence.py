"""A meter with a last will, from its broken connection to the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from collector.counting.counts import new_counters
from collector.mqtt import presences
from collector.mqtt.presences import Presences
from collector.run import collect
from meters.meter import Transport
from meters.presence import Presence
from simulators.meter_fleet.mqtt_frames import (
    CONNACK,
    PUBACK,
    Incoming,
    Login,
    Will,
    connect_packet,
    publish_packet,
)
from storage.database import connect
from tests.collector.master import enter_meters, outcomes, quarantined
from tests.collector.test_run import collecting, now, payload, send, topic
from tests.collector.waiting import until

MQTT = Transport.MQTT


@pytest.fixture(autouse=True)
def often(monkeypatch) -> None:
    monkeypatch.setattr(presences, "TELL_EVERY_S", 0.05)


def status(serial: str) -> str:
    return f"keywatt/meters/{serial}/status"


def states(url: str) -> dict[str, bool]:
    with connect(url) as conn:
        return dict(
            conn.execute(
                "SELECT serial, is_online FROM meter_presence JOIN meter USING"
                " (meter_id) WHERE changed_at = %(now)s",
                {"now": now()},
            ).fetchall()
        )


async def _heard(reader: asyncio.StreamReader, kind: int) -> None:
    incoming = Incoming()
    async with asyncio.timeout(10):
        while kind not in [one.kind for one in incoming.feed(await reader.read(99))]:
            pass


@contextlib.asynccontextmanager
async def meter_with_will(broker, serial: str) -> AsyncIterator[None]:
    """Be a meter that says it is online, and vanishes without a word at the end."""
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    will = Will(topic=status(serial), payload=b"offline")
    writer.write(connect_packet(Login(client_id=serial, will=will)))
    await _heard(reader, CONNACK)
    writer.write(publish_packet(status(serial), b"online", 1, retain=True))
    await _heard(reader, PUBACK)
    try:
        yield
    finally:
        writer.transport.abort()  # no DISCONNECT: the connection breaks


def test_a_broken_connection_is_known_and_its_return(database, broker, unique) -> None:
    mine, other = f"A-{unique}", f"B-{unique}"
    enter_meters(database, {"serial": mine}, {"serial": other})

    async def run() -> None:
        async with collecting(database, broker, unique) as counts:
            async with meter_with_will(broker, mine):
                await until(lambda: states(database) == {mine: True})
            await until(lambda: states(database) == {mine: False})
            async with meter_with_will(broker, mine):
                await until(lambda: states(database) == {mine: True})
                await send(broker, (topic(mine), payload(mine)))
                await until(lambda: counts[MQTT].stored == 1)
        # None of it was a reading.
        assert (counts[MQTT].asked, counts[MQTT].refused) == (1, 0)

    asyncio.run(run())
    assert outcomes(database) == {("mqtt", "stored"): 1}
    assert quarantined(database) == []


def test_what_is_retained_reaches_who_comes_later(database, broker, unique) -> None:
    # One vanished before any collector ran; the other was entered while one does.
    early, late = f"A-{unique}", f"B-{unique}"
    enter_meters(database, {"serial": early})

    async def run() -> None:
        for serial in (early, late):
            async with meter_with_will(broker, serial):
                pass
        counts = new_counters()
        task = asyncio.create_task(
            collect(
                database,
                broker,
                now,
                counts=counts,
                client_id=unique,
                refresh_every_s=0.1,
            )
        )
        await until(lambda: states(database) == {early: False})
        enter_meters(database, {"serial": late})
        await until(lambda: states(database) == {early: False, late: False})
        task.cancel()
        await asyncio.wait([task])
        assert counts[MQTT].asked == 0

    asyncio.run(run())
    assert quarantined(database) == []


def test_another_text_is_kept_in_quarantine_and_is_no_reading(
    database, mosquitto, unique
) -> None:
    serial = f"A-{unique}"
    enter_meters(database, {"serial": serial})

    async def run() -> None:
        async with (
            collecting(database, mosquitto, unique) as counts,
            meter_with_will(mosquitto, serial),
        ):
            await until(lambda: states(database) == {serial: True})
            await send(mosquitto, (status(serial), b"asleep"))
            await until(lambda: quarantined(database) != [])
        assert (counts[MQTT].asked, counts[MQTT].refused) == (0, 0)

    asyncio.run(run())
    # At QoS 1 a message may come again.
    assert set(quarantined(database)) == {("not-in-schema", status(serial), b"asleep")}
    assert outcomes(database) == {}


def test_a_state_waits_for_the_database_and_the_newest_is_told(database) -> None:
    (one, two) = enter_meters(database, {"serial": "A"}, {"serial": "B"})

    async def run() -> None:
        told = Presences(database)
        with away(database, "meter_presence"):
            told.note(Presence(one.meter_id, True, now()))
            told.note(Presence(two.meter_id, True, now()))
            await told.tell()
            told.note(Presence(one.meter_id, False, now()))
        await told.tell()

    asyncio.run(run())
    assert states(database) == {"A": False, "B": True}


@contextlib.contextmanager
def away(url: str, table: str) -> Iterator[None]:
    """Have a table renamed while the block lasts: nothing can be written to it."""
    with connect(url, autocommit=True) as conn:
        conn.execute(f"ALTER TABLE {table} RENAME TO gone")
        try:
            yield
        finally:
            conn.execute(f"ALTER TABLE gone RENAME TO {table}")
