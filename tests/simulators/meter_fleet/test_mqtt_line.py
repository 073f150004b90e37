"""Our own publishing against real brokers, heard by the collector's link."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from collector.mqtt.link import MqttLink
from simulators.meter_fleet.mqtt_frames import Login, Will
from simulators.meter_fleet.mqtt_line import BrokerPlace, Message, MqttLine
from simulators.simulator_error import SimulatorError
from tests.collector.waiting import until
from tests.fix_broker import TestBroker, running


def place_of(broker) -> BrokerPlace:
    return BrokerPlace(host=broker.host, port=broker.port)


@asynccontextmanager
async def heard_at(broker, topic: str):
    """Yield the payloads that come to a topic while the block lasts."""
    heard: list[bytes] = []

    def take(messages, done) -> None:
        heard.extend(message.payload for message in messages)
        done()

    link = MqttLink(broker, client_id=topic.replace("/", "-"), on_message=take)
    link.listen((topic,))
    await link.connect()
    keeping = asyncio.create_task(link.keep())
    try:
        yield heard
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await link.close()


@asynccontextmanager
async def line_to(place, login, confirmed, on_connected=lambda: None):
    """Keep a line while the block lasts."""
    line = MqttLine(place, login, confirmed.append)
    keeping = asyncio.create_task(line.keep(on_connected))
    try:
        await until(lambda: line.is_connected or keeping.done())
        if keeping.done():
            keeping.result()
        yield line
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


def test_each_message_is_heard_and_confirmed_in_order(broker, unique) -> None:
    async def run() -> None:
        confirmed: list[Message] = []
        async with (
            heard_at(broker, f"line/{unique}") as heard,
            line_to(place_of(broker), Login(client_id=unique), confirmed) as line,
        ):
            sent = [Message(f"line/{unique}", b"%d" % n) for n in range(5000)]
            for message in sent:
                line.post(message)
            line.flush()
            await line.all_confirmed()
            await until(lambda: len(heard) == 5000)
            assert heard == [message.payload for message in sent]
            assert confirmed == sent

    asyncio.run(run())


def test_what_was_not_confirmed_is_sent_again_after_a_restart(tmp_path, unique) -> None:
    async def run() -> None:
        confirmed: list[Message] = []
        with running(TestBroker("mosquitto", tmp_path)) as own:
            login = Login(client_id=unique)
            async with line_to(place_of(own.address), login, confirmed) as line:
                line.post(Message("line/x", b"before"))
                line.flush()
                await line.all_confirmed()
                own.stop()
                for payload in (b"a", b"b"):
                    line.post(Message("line/x", payload))
                    line.flush()
                await until(lambda: not line.is_connected)
                own.start()
                await line.all_confirmed()
        assert [m.payload for m in confirmed] == [b"before", b"a", b"b"]

    asyncio.run(run())


def test_who_vanishes_leaves_a_will_and_who_takes_leave_does_not(
    mosquitto, unique
) -> None:
    async def run() -> None:
        topic = f"status/{unique}"
        login = Login(client_id=unique, will=Will(topic=topic, payload=b"offline"))
        confirmed: list[Message] = []
        async with heard_at(mosquitto, topic) as heard:
            async with line_to(place_of(mosquitto), login, confirmed) as line:
                await line.vanish()
                await until(lambda: heard == [b"offline"])
                await line.come_back()
                await until(lambda: line.is_connected)
                line.close()
                await until(lambda: not line.is_connected)
            assert heard == [b"offline"]

    asyncio.run(run())


def test_a_retained_message_waits_for_who_comes_later(mosquitto, unique) -> None:
    async def run() -> None:
        topic, confirmed = f"retained/{unique}", []
        login = Login(client_id=unique)
        async with line_to(place_of(mosquitto), login, confirmed) as line:
            line.post(Message(topic, b"kept", retain=True))
            line.flush()
            await line.all_confirmed()
        async with heard_at(mosquitto, topic) as heard:
            await until(lambda: heard == [b"kept"])

    asyncio.run(run())


def test_a_refused_login_is_said_in_one_sentence(tmp_path, unique) -> None:
    login = "allow_anonymous false"

    async def run() -> None:
        with running(TestBroker("mosquitto", tmp_path, login=login)) as own:
            place = place_of(own.address)
            async with line_to(place, Login(client_id=unique), []):
                pass

    with pytest.raises(SimulatorError, match="refused the simulated meters"):
        asyncio.run(run())


def test_what_never_left_is_told_apart_from_what_may_have_arrived(unique) -> None:
    line = MqttLine(
        BrokerPlace(host="127.0.0.1", port=1), Login(client_id=unique), lambda _: None
    )
    line.post(Message("line/x", b"waits"))
    sent, waiting = line.give_up()
    assert (sent, [m.payload for m in waiting]) == ([], [b"waits"])
    assert line.unconfirmed == 0
