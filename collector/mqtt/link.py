"""One link to a broker: it connects again by itself and bounds what waits in memory.

Messages come at QoS 1 in a persistent session and are acknowledged by calling their
`done`, not before. What was not acknowledged comes again after a reconnect. Only a
window of messages waits for their `done` at any time; beyond that the socket is not
read, and the broker keeps the rest.

MQTT 3.1.1 is spoken: both brokers in use here keep its sessions.
"""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial

from collector.mqtt.broker import CONNECT_TIMEOUT_S, BrokerAddress, MqttError
from collector.mqtt.client import MqttClient
from collector.mqtt.gulping import MOST_UNCONFIRMED
from collector.mqtt.packets import Message
from collector.mqtt.window import Taken, Window

__all__ = ["Handler", "Message", "MqttLink"]

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
_FASTEST_RETRY_S, _SLOWEST_RETRY_S = 0.5, 30.0

Handler = Callable[[Sequence[Message], Callable[[], None]], None]
"""Called with messages that came together and their `done`; must not raise or wait."""


class MqttLink:
    """One client of one broker: connects again by itself, with back-off."""

    def __init__(
        self,
        broker: BrokerAddress,
        *,
        client_id: str,
        on_message: Handler | None = None,
        is_persistent: bool = True,
        window: int = 10_000,
        keep_alive_s: int = KEEP_ALIVE_S,
    ) -> None:
        self.broker = broker
        self._topics = tuple[str, ...]()
        self._qos = 1 if is_persistent else 0
        self._handler, self._window = on_message, Window(window)
        self._is_resumed = False
        self._lost, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_room.set()
        self._login: asyncio.Future[str | None] | None = None
        self._answered: asyncio.Future[None] | None = None
        self._refused: set[str] = set()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._client = MqttClient(
            broker,
            self,
            client_id=client_id,
            is_persistent=is_persistent and on_message is not None,
            keep_alive_s=keep_alive_s,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._client.is_connected

    async def connect(self) -> None:
        """Connect once and subscribe; raise `MqttError` where that fails."""
        try:
            await self._open()
        except socket.gaierror as exc:
            raise MqttError(
                f"The MQTT broker's host {self.broker.host} is not known: "
                "correct its address."
            ) from exc
        except ssl.SSLError as exc:
            raise MqttError(_of_certificates(self.broker, exc)) from exc
        except OSError as exc:  # a time-out too
            raise MqttError(
                f"No MQTT broker answers at {self.broker} "
                f"({exc.strerror or 'no answer in time'}): start it or correct its "
                "address."
            ) from exc

    async def keep(self) -> None:
        """Stay connected until cancelled; say on change only what is wrong."""
        pause_s, said = _FASTEST_RETRY_S, ""
        while True:
            try:
                if not self.is_connected:
                    await self.connect()
            except MqttError as exc:
                if str(exc) != said:
                    log.warning("%s Trying again.", exc)
                said = str(exc)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause_s = min(2 * pause_s, _SLOWEST_RETRY_S)
                continue
            log.info("Connected to the MQTT broker at %s.", self.broker)
            pause_s, said = _FASTEST_RETRY_S, ""
            await self._until_lost()
            log.warning("Lost the connection to the MQTT broker at %s.", self.broker)
            await self._has_room.wait()  # what comes again needs room in memory

    def listen(self, topics: tuple[str, ...], again: Container[str] = ()) -> None:
        """Subscribe to these topics alone, now if connected and after every loss.

        At QoS 1; at QoS 0 in a session that is not persistent, since nothing shall wait
        there. Those in `again` anew, so that the broker tells what it has retained: to
        subscribe once more would do (3.1.1, section 3.8.4), but the embedded broker
        only tells who did not listen before.
        """
        new = [t for t in topics if t in again or t not in self._topics]
        old = [t for t in self._topics if t in again or t not in topics]
        self._topics = topics
        if self.is_connected:
            self._client.unsubscribe(old)
            self._client.subscribe(new, self._qos)

    def stop_reading(self) -> None:
        """Take no more messages; those taken can still be acknowledged."""
        self._window.close()
        self._pause()

    async def close(self) -> None:
        """Send what is due, above all acknowledgements, and disconnect."""
        await self._client.close()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for the broker's confirmation.

        While the connection is lost it waits; the message goes out after it.
        """
        await self._post(topic, payload)

    async def publish_all(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish many at QoS 1, a window at a time, until all are confirmed."""
        waiting: deque[asyncio.Future[None]] = deque()
        for topic, payload in messages:
            if len(waiting) >= MOST_UNCONFIRMED:
                await waiting.popleft()
            waiting.append(self._post(topic, payload))
        for confirmed in waiting:
            await confirmed

    # -- connecting

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._lost.clear()
        self._login, self._answered = loop.create_future(), loop.create_future()
        try:
            await self._client.open()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._check_login(await self._login)
                if self._topics:
                    self._client.subscribe(self._topics, self._qos)
                    if not self._is_resumed:  # else it may come after all the messages
                        await self._answered
        except BaseException:
            self._client.hang_up()
            raise

    def _check_login(self, refusal: str | None) -> None:
        if refusal is not None:
            user = self.broker.username
            who = f"user {user}" if user else "a client without user and password"
            raise MqttError(
                f"The MQTT broker at {self.broker} refused {who} "
                f"({refusal}): correct user and password."
            )

    async def _until_lost(self) -> None:
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._lost.wait()
            self._client.tick()

    # -- what the client tells

    def room(self) -> int:
        """Say how many more messages may be handed over now."""
        return self._window.room

    def on_messages(self, messages: Sequence[Message]) -> None:
        """Hand messages on, each call with one `done` for all of them."""
        mids = [message.mid for message in messages if message.mid]
        size = sum([len(message.payload) for message in messages])
        taken = self._window.take(mids, len(messages), size)
        if self._handler is not None:
            self._handler(messages, partial(self._done, taken))
        if not self._window.room and self._has_room.is_set():
            self._pause()

    def on_login(self, refusal: str | None, *, is_resumed: bool) -> None:
        """Let `connect` go on."""
        self._is_resumed = is_resumed
        if self._login is not None and not self._login.done():
            self._login.set_result(refusal)

    def on_grants(self, topics: Sequence[str], granted: Sequence[bool]) -> None:
        """Say once of each topic that it was refused; the others are listened to."""
        for topic, is_granted in zip(topics, granted, strict=False):
            if is_granted:
                self._refused.discard(topic)
            elif topic not in self._refused:
                self._refused.add(topic)
                log.error(
                    "The MQTT broker at %s refused the subscription to %s: allow it in "
                    "the broker's access list. The other topics are listened to.",
                    self.broker,
                    topic,
                )
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def on_published(self, mid: int) -> None:
        """Let who published go on."""
        confirmed = self._unconfirmed.pop(mid, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    def on_lost(self) -> None:
        """Let `keep` connect again."""
        self._window.forget_order()
        self._lost.set()
        why = self._client.last_error or ConnectionResetError(0, "it hung up")
        for answer in (self._login, self._answered):
            if answer is not None and not answer.done():
                answer.set_exception(why)
                answer.exception()  # whoever waits is told; nobody need be waiting

    def _pause(self) -> None:
        """Leave further messages with the broker."""
        self._has_room.clear()
        self._client.pause()

    def _done(self, taken: Taken) -> None:
        self._client.acknowledge(self._window.done(taken))
        if not self._has_room.is_set() and self._window.is_half_empty:
            self._has_room.set()
            self._client.resume()

    def _post(self, topic: str, payload: bytes) -> asyncio.Future[None]:
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unconfirmed[self._client.publish(topic, payload)] = confirmed
        return confirmed


def _of_certificates(broker: BrokerAddress, exc: ssl.SSLError) -> str:
    """Say whose certificate is not accepted, and why."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return (
            f"The certificate of the MQTT broker at {broker} is not accepted "
            f"({exc.verify_message}): renew it, or name its authority in "
            "KEYWATT_BROKER_CA_FILE."
        )
    why = (exc.reason or str(exc)).lower().replace("_", " ")
    if "certificate" in why:
        return (
            f"The MQTT broker at {broker} does not accept our certificate ({why}): "
            "renew it, or name another in KEYWATT_BROKER_CERT_FILE."
        )
    return (
        f"No encrypted connection to the MQTT broker at {broker} ({why}): correct its "
        "port, or the settings of TLS."
    )
