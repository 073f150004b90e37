import asyncio
import contextlib
import logging
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from collector.mqtt.broker import BrokerAddress, MqttError
from collector.mqtt.link import Message, MqttLink
from collector.mqtt.publish import connected, publish_now
from tests.collector.waiting import until
from tests.fix_broker import HOST, TestBroker, free_port, running
from tests.support import missing


@dataclass
class Inbox:
    """What came in, with what acknowledges it."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    dones: list[Callable[[], None]] = field(default_factory=list)
    acknowledge: bool = True

    def take(self, messages: Sequence[Message], done: Callable[[], None]) -> None:
        self.messages += [(message.topic, message.payload) for message in messages]
        if self.acknowledge:
            done()
        else:
            self.dones.append(done)

    async def has(self, count: int) -> None:
        await until(lambda: len(self.messages) >= count)


@contextlib.asynccontextmanager
async def listening(broker: BrokerAddress, name: str, inbox: Inbox, **options):
    """Listen to everything under a name, in the session of that name."""
    link = MqttLink(broker, client_id=name, on_message=inbox.take, **options)
    link.listen((f"{name}/#",))
    await link.connect()
    keeper = asyncio.create_task(link.keep())
    try:
        yield link
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        await link.close()


async def send(broker: BrokerAddress, *messages: tuple[str, bytes]) -> None:
    async with connected(broker, client_id="") as link:
        await link.publish_all(messages)


async def send_singly(
    broker: BrokerAddress, topic: str, inbox: Inbox, count: int
) -> None:
    """Send the next when the last was taken: each has a `done` of its own then."""
    async with connected(broker, client_id="") as link:
        for number in range(count):
            await link.publish(topic, bytes([number]))
            await inbox.has(number + 1)


def test_messages_arrive_in_order(broker, unique) -> None:
    sent = [(f"{unique}/{n}", str(n).encode()) for n in range(3000)]
    inbox = Inbox()

    async def run() -> None:
        async with listening(broker, unique, inbox):
            await send(broker, *sent)
            await inbox.has(3000)

    asyncio.run(run())
    assert inbox.messages == sent


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(
    broker, unique
) -> None:
    async def run() -> list[bytes]:
        first = Inbox(acknowledge=False)
        async with listening(broker, unique, first):
            await send_singly(broker, f"{unique}/x", first, 10)
            for done in first.dones[:4]:
                done()
        again = Inbox()
        async with listening(broker, unique, again):
            await again.has(6)
            await send(broker, (f"{unique}/x", b"last"))
            await again.has(7)
        return [payload for _, payload in again.messages]

    assert asyncio.run(run()) == [*(bytes([n]) for n in range(4, 10)), b"last"]


def test_they_are_acknowledged_in_the_order_they_came(broker, unique, caplog) -> None:
    # The embedded broker hangs up on an acknowledgement out of turn.
    async def run() -> None:
        inbox = Inbox(acknowledge=False)
        async with listening(broker, unique, inbox):
            await send_singly(broker, f"{unique}/x", inbox, 10)
            for done in reversed(inbox.dones[1:]):
                done()
        again = Inbox()
        async with listening(broker, unique, again):
            await again.has(10)  # the first held back the others'
        held = Inbox(acknowledge=False)
        async with listening(broker, unique, held):
            await send_singly(broker, f"{unique}/x", held, 10)
            for done in reversed(held.dones):
                done()
        last = Inbox()
        async with listening(broker, unique, last):
            await send(broker, (f"{unique}/x", b"last"))
            await last.has(1)
        assert [payload for _, payload in last.messages] == [b"last"]

    asyncio.run(run())
    assert not [r for r in caplog.records if "Lost" in r.getMessage()]


def test_what_is_sent_while_nobody_listens_is_kept(broker, unique) -> None:
    async def run() -> Inbox:
        async with listening(broker, unique, Inbox()):
            pass
        await send(broker, *((f"{unique}/x", bytes([n])) for n in range(50)))
        inbox = Inbox()
        async with listening(broker, unique, inbox):
            await inbox.has(50)
        return inbox

    inbox = asyncio.run(run())
    assert [payload for _, payload in inbox.messages] == [bytes([n]) for n in range(50)]


def test_memory_is_bounded_and_the_broker_keeps_the_rest(mosquitto, unique) -> None:
    # The broker would have 1000 under way; the window of 20 stops us at 20.
    inbox = Inbox(acknowledge=False)

    async def run() -> None:
        async with listening(mosquitto, unique, inbox, window=20):
            await send(mosquitto, *((f"{unique}/x", bytes([n])) for n in range(200)))
            await inbox.has(20)
            await asyncio.sleep(0.2)
            assert len(inbox.messages) == 20
            while len(inbox.messages) < 200:
                assert len(inbox.dones) <= 20
                for done in inbox.dones:
                    done()
                inbox.dones.clear()
                await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert [p for _, p in inbox.messages] == [bytes([n]) for n in range(200)]


def test_a_restarted_broker_is_found_again(own_broker, unique, caplog) -> None:
    caplog.set_level(logging.INFO, "collector")

    async def run() -> Inbox:
        inbox = Inbox(acknowledge=False)
        async with listening(own_broker.address, unique, inbox) as link:
            await send(own_broker.address, (f"{unique}/x", b"before"))
            await inbox.has(1)
            await asyncio.to_thread(own_broker.stop)
            inbox.dones[0]()  # too late: that connection is gone
            await asyncio.sleep(0.1)
            await asyncio.to_thread(own_broker.start)
            await inbox.has(2)
            assert link.is_connected
            await send(own_broker.address, (f"{unique}/x", b"after"))
            await inbox.has(3)
        return inbox

    inbox = asyncio.run(run())
    payloads = [payload for _, payload in inbox.messages]
    assert payloads == [b"before", b"before", b"after"]
    said = [record.getMessage() for record in caplog.records]
    assert (
        said.count(
            f"Lost the connection to the MQTT broker at {HOST}:"
            f"{own_broker.address.port}."
        )
        == 1
    )


def test_a_publisher_waits_out_a_restart(own_broker, unique) -> None:
    async def run() -> None:
        async with connected(own_broker.address, client_id=unique) as link:
            await asyncio.to_thread(own_broker.stop)
            sending = asyncio.create_task(link.publish(f"{unique}/x", b"1"))
            await asyncio.sleep(0.05)
            assert not sending.done()
            await asyncio.to_thread(own_broker.start)
            async with asyncio.timeout(10):
                await sending

    asyncio.run(run())


def test_one_message_can_be_sent_without_a_loop(broker, unique) -> None:
    async def run() -> Inbox:
        inbox = Inbox()
        async with listening(broker, unique, inbox):
            await asyncio.to_thread(publish_now, broker, f"{unique}/crew", b"go")
            await inbox.has(1)
        return inbox

    assert asyncio.run(run()).messages == [(f"{unique}/crew", b"go")]


def test_no_broker_is_one_sentence() -> None:
    port = free_port()
    with pytest.raises(MqttError) as caught:
        publish_now(BrokerAddress(host=HOST, port=port), "x", b"")
    assert str(caught.value) == (
        f"No MQTT broker answers at 127.0.0.1:{port} (Connection refused): start it or "
        "correct its address."
    )


def test_an_unknown_host_is_one_sentence() -> None:
    with pytest.raises(MqttError) as caught:
        publish_now(BrokerAddress(host="no-such-host.invalid"), "x", b"")
    assert str(caught.value) == (
        "The MQTT broker's host no-such-host.invalid is not known: correct its address."
    )


def test_something_that_is_no_broker_is_one_sentence() -> None:
    async def hang_up(_reader, writer) -> None:
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(hang_up, HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            link = MqttLink(BrokerAddress(host=HOST, port=port), client_id="x")
            with pytest.raises(MqttError, match=f"No MQTT broker answers at .*{port}"):
                await link.connect()

    asyncio.run(run())


@pytest.fixture
def guarded(tmp_path):
    """Return the address of a Mosquitto that wants user meter, password secret."""
    passwords = tmp_path / "passwords"
    login = f"allow_anonymous false\npassword_file {passwords}"
    broker = TestBroker("mosquitto", tmp_path, login)
    passwords.touch(0o600)
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        missing("Mosquitto is not installed: apt-get install mosquitto")
    subprocess.run([tool, "-b", passwords, "meter", "secret"], check=True)
    with running(broker):
        yield broker.address


def test_a_refused_login_is_one_sentence_without_the_password(guarded) -> None:
    publish_now(replace(guarded, username="meter", password="secret"), "x", b"")
    wrong = replace(guarded, username="meter", password="guess")
    with pytest.raises(MqttError) as caught:
        publish_now(wrong, "x", b"")
    assert str(caught.value) == (
        f"The MQTT broker at {wrong} refused user meter (not authorized): "
        "correct user and password."
    )
    assert "guess" not in repr(wrong)
    with pytest.raises(MqttError, match="refused a client without user and password"):
        publish_now(guarded, "x", b"")


async def grudging_broker(left: asyncio.Event, reader, writer) -> None:
    """Let everybody in, and grant what is not theirs. (Mosquitto refuses no filter.)"""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            command, length = await reader.readexactly(2)
            body = await reader.readexactly(length)  # short packets only
            if command & 0xF0 == 0x10:
                writer.write(b"\x20\x02\x00\x00")
            elif command & 0xF0 == 0x80:
                codes = bytearray()
                at = 2
                while at < len(body):
                    size = int.from_bytes(body[at : at + 2], "big")
                    topic = body[at + 2 : at + 2 + size]
                    codes.append(0x80 if b"theirs" in topic else 1)
                    at += 3 + size
                writer.write(bytes([0x90, 2 + len(codes)]) + body[:2] + codes)
    writer.close()
    await writer.wait_closed()
    left.set()


def test_a_refused_topic_is_said_once_and_the_rest_goes_on(unique, caplog) -> None:
    async def run() -> None:
        left = asyncio.Event()
        server = await asyncio.start_server(partial(grudging_broker, left), HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            link = MqttLink(
                BrokerAddress(host=HOST, port=port),
                client_id=unique,
                on_message=Inbox().take,
            )
            link.listen(("mine/#", "theirs/1"))
            keeping = asyncio.create_task(link.keep())
            await until(lambda: "theirs/1" in caplog.text)
            # Entered while the link stands, one of them refused as well.
            link.listen(("mine/#", "theirs/1", "late/#", "theirs/2"))
            await until(lambda: "theirs/2" in caplog.text)
            assert link.is_connected
            keeping.cancel()
            await asyncio.wait([keeping])
            await link.close()
            await left.wait()

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert [text.partition("subscription to ")[2][:8] for text in said] == [
        "theirs/1",
        "theirs/2",
    ]


def test_what_is_wrong_is_said_once_while_it_is_tried_again(caplog) -> None:
    async def run() -> None:
        broker = BrokerAddress(host=HOST, port=free_port())
        link = MqttLink(broker, client_id="x")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(link.keep(), 1.2)

    asyncio.run(run())
    assert len([r for r in caplog.records if r.name == "collector.mqtt.link"]) == 1
