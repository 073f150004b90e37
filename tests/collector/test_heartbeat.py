"""What a collector says of itself and of its broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from collector.heartbeat import Heartbeat
from collector.mqtt.broker import BrokerAddress
from collector.run import collect
from storage.collector_beats import CollectorBeat, load_beats
from storage.database import connect
from tests.collector.master import enter_meters
from tests.collector.waiting import until

BEAT = timedelta(seconds=0.05)


def clock() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def collecting(url: str, broker, name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(collect(url, broker, clock, client_id=name))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def test_it_says_when_it_reached_its_broker_last(
    database, own_broker, unique, monkeypatch
) -> None:
    monkeypatch.setattr("collector.heartbeat.BEAT_EVERY_S", BEAT.total_seconds())
    enter_meters(database, {"serial": f"M-{unique}"})

    async def said(holds: Callable[[CollectorBeat], bool]) -> CollectorBeat:
        found: list[CollectorBeat] = []

        def is_so() -> bool:
            with connect(database) as conn:
                found[:] = load_beats(conn, clock())
            return bool(found) and holds(found[0])

        await until(is_so)
        return found[0]

    async def run() -> None:
        async with collecting(database, own_broker.address, unique):
            reached = await said(lambda one: one.heard_at == one.beat_at)
            await asyncio.to_thread(own_broker.stop)
            stopped = clock()
            lost = await said(lambda one: one.beat_at > stopped + 2 * BEAT)
        assert reached.broker == lost.broker == str(own_broker.address)
        assert reached.heard_at is not None
        assert lost.heard_at is not None
        assert reached.heard_at <= lost.heard_at <= stopped + BEAT
        assert lost.hearing_since == reached.hearing_since
        # One that starts while the broker is away has not reached it since, as before.
        async with collecting(database, own_broker.address, unique):
            anew = await said(lambda one: one.since_at > lost.beat_at)
            assert anew.heard_at == lost.heard_at
            await asyncio.to_thread(own_broker.start)
            back = await said(lambda one: one.heard_at == one.beat_at)
            assert back.hearing_since is not None
            assert back.hearing_since > anew.beat_at

    asyncio.run(run())


@pytest.mark.parametrize(("pause_s", "is_anew"), [(59.0, False), (61.0, True)])
def test_a_long_break_of_the_connection_begins_anew(
    database, unique, monkeypatch, pause_s, is_anew
) -> None:
    begun = datetime(2026, 3, 1, 12, tzinfo=UTC)
    seconds = 0.0
    monkeypatch.setattr("collector.heartbeat.monotonic", lambda: seconds)

    async def beat_at(after_s: float) -> None:
        nonlocal seconds
        seconds = after_s
        await heart.tell()

    heart = Heartbeat(
        database,
        lambda: begun + timedelta(seconds=seconds),
        unique,
        polls=False,
        broker=BrokerAddress(host="10.0.0.9", port=1883),
        is_hearing=lambda: seconds in (0.0, pause_s),
    )

    async def run() -> None:
        for at_s in (0.0, 30.0, pause_s):
            await beat_at(at_s)

    asyncio.run(run())
    with connect(database) as conn:
        (beat,) = load_beats(conn, begun)
    heard_at = begun + timedelta(seconds=pause_s)
    assert beat.since_at == begun
    assert beat.heard_at == heard_at
    assert beat.hearing_since == (heard_at if is_anew else begun)
