"""Publishing: for simulators over a link that is kept, for jobs one message at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from collector.mqtt.broker import CONNECT_TIMEOUT_S, BrokerAddress, MqttError
from collector.mqtt.link import MqttLink


@contextlib.asynccontextmanager
async def connected(
    broker: BrokerAddress, *, client_id: str
) -> AsyncIterator[MqttLink]:
    """Open a link to publish with, and keep it while the block lasts.

    Raises
    ------
    MqttError
        There is no such broker, or it refused the login.

    """
    link = MqttLink(broker, client_id=client_id)
    await link.connect()
    keeper = asyncio.create_task(link.keep(), name=f"mqtt {client_id}")
    try:
        yield link
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        await link.close()


def publish_now(broker: BrokerAddress, topic: str, payload: bytes) -> None:
    """Connect, publish one message at QoS 1, wait for its confirmation, and leave.

    For callers without an event loop, such as a background job's thread.

    Raises
    ------
    MqttError
        There is no such broker, it refused the login, or did not confirm in time.

    """

    async def once() -> None:
        async with connected(broker, client_id="") as link:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await link.publish(topic, payload)
            except TimeoutError as exc:
                raise MqttError(
                    f"The MQTT broker at {broker} did not confirm a message to {topic}."
                ) from exc

    asyncio.run(once())
