"""What is leant on of paho that it does not promise, and links that are not read."""

import asyncio
import contextlib
import inspect

import paho.mqtt.client as paho
import pytest

from collector.mqtt.broker import BrokerAddress, MqttError
from collector.mqtt.link import MqttLink
from tests.collector.mqtt.test_link import Inbox, listening, send
from tests.collector.waiting import until
from tests.fix_broker import HOST


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_packet_read", ["self"]),
        ("_packet_handle", ["self"]),
        ("_packet_queue", ["self", "command", "packet", "mid", "qos", "info"]),
        ("_sock_recv", ["self", "bufsize"]),
        ("_loop_rc_handle", ["self", "rc"]),
        ("_ssl_wrap_socket", ["self", "tcp_sock"]),
    ],
)
def test_paho_still_has_what_we_lean_on(method, parameters) -> None:
    of_paho = inspect.signature(getattr(paho.Client, method))
    assert list(of_paho.parameters) == parameters


@pytest.mark.parametrize(
    "field", ["_in_packet", "_last_bytes_received", "_ping_t", "_sock", "_ssl_context"]
)
def test_paho_still_keeps_what_we_set(field) -> None:
    assert hasattr(paho.Client(paho.CallbackAPIVersion.VERSION2), field)


def test_a_link_that_is_not_read_stays_connected(mosquitto, unique, caplog) -> None:
    # The broker gives up on us after 1.5 times the keep-alive, paho after once.
    inbox = Inbox(acknowledge=False)
    keep_alive_s = 1

    async def run() -> None:
        options = {"window": 1, "keep_alive_s": keep_alive_s}
        async with listening(mosquitto, unique, inbox, **options) as link:
            await send(mosquitto, *((f"{unique}/x", bytes([n])) for n in range(3)))
            await inbox.has(1)
            await asyncio.sleep(4 * keep_alive_s)
            assert link.is_connected
            for number in range(3):
                inbox.dones[number]()
                await until(lambda n=number: len(inbox.messages) >= min(n + 2, 3))

    asyncio.run(run())
    assert [payload for _, payload in inbox.messages] == [b"\0", b"\1", b"\2"]
    assert not [r for r in caplog.records if "Lost" in r.getMessage()]


def test_a_broker_that_does_not_speak_mqtt_is_left(unique) -> None:
    async def babble(reader, writer) -> None:
        writer.write(b"\x30\xff\xff\xff\xff\xff\x7f" * 100)
        with contextlib.suppress(ConnectionError):
            await reader.read()  # until we hang up
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(babble, HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            address = BrokerAddress(host=HOST, port=port)
            link = MqttLink(address, client_id=unique)
            with pytest.raises(MqttError, match="more than four bytes"):
                await link.connect()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def sharing(broker: BrokerAddress, name: str, share: str, inbox: Inbox):
    """Listen to a share of everything under the share's name."""
    link = MqttLink(broker, client_id=name, on_message=inbox.take)
    link.listen((f"$share/{share}/{share}/#",))
    await link.connect()
    try:
        yield link
    finally:
        await link.close()


def test_links_of_one_share_divide_the_messages(broker, unique) -> None:
    first, second = Inbox(), Inbox()

    async def run() -> None:
        async with (
            sharing(broker, f"{unique}-1", unique, first),
            sharing(broker, f"{unique}-2", unique, second),
        ):
            await send(broker, *((f"{unique}/x", bytes([n])) for n in range(100)))
            await until(lambda: len(first.messages) + len(second.messages) >= 100)

    asyncio.run(run())
    got = sorted(payload for _, payload in first.messages + second.messages)
    assert got == [bytes([n]) for n in range(100)]
    assert min(len(first.messages), len(second.messages)) >= 20
