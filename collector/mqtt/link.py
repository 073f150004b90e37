"""One MQTT connection: the only file that imports paho-mqtt.

paho's client is driven by the event loop itself (its socket is watched like any other),
not by a thread of its own: a message costs no hand-over between threads, and its
callbacks run where everything else runs.

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
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collector.mqtt.broker import CONNECT_TIMEOUT_S, BrokerAddress, MqttError
from collector.mqtt.window import Taken, Window

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
_READS_AT_ONCE = 64
_FASTEST_RETRY_S, _SLOWEST_RETRY_S = 0.5, 30.0
_PUBLISH_WINDOW = 1000

Handler = Callable[[str, bytes, Callable[[], None]], None]
"""Called with topic, payload and `done`; must neither raise nor wait."""


class MqttLink:
    """One client of one broker: connects again by itself, with back-off."""

    def __init__(
        self,
        broker: BrokerAddress,
        *,
        client_id: str,
        on_message: Handler | None = None,
        window: int = 5000,
    ) -> None:
        self.broker = broker
        self._topics: tuple[str, ...] = ()
        self._handler, self._window = on_message, Window(window)
        self._received = 0
        self._is_resumed = False
        self._socket: socket.socket | None = None
        self._lost, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._answer: asyncio.Future[Sequence[ReasonCode]] | None = None
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._client = self._make_client(client_id)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._client.is_connected()

    async def connect(self) -> None:
        """Connect once and subscribe; raise `MqttError` where that fails."""
        try:
            await self._open()
        except socket.gaierror as exc:
            raise MqttError(
                f"The MQTT broker's host {self.broker.host} is not known: "
                "correct its address."
            ) from exc
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
            await self._room.wait()  # what comes again needs room in memory

    def listen(self, topics: tuple[str, ...]) -> None:
        """Subscribe to these topics at QoS 1, now if connected and after every loss."""
        new = [topic for topic in topics if topic not in self._topics]
        self._topics = topics
        if new and self.is_connected:
            self._client.subscribe([(topic, 1) for topic in new])

    def stop_reading(self) -> None:
        """Take no more messages; those taken can still be acknowledged."""
        self._window.close()
        self._pause()

    async def close(self) -> None:
        """Send what is due, above all acknowledgements, and disconnect."""
        line = None if self._socket is None else self._socket.dup()
        self._hang_up()
        if line is None:
            return
        # paho has closed its end; ours is open until the broker's is. To close it with
        # messages unread would reset it, and the broker might lose our last words.
        with contextlib.suppress(OSError), contextlib.closing(line):
            async with asyncio.timeout(1):
                while await asyncio.get_running_loop().sock_recv(line, 1 << 16):
                    pass

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for the broker's confirmation.

        While the connection is lost it waits; the message goes out after it.
        """
        await self._post(topic, payload)

    async def publish_all(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish many at QoS 1, a window at a time, until all are confirmed."""
        waiting: deque[asyncio.Future[None]] = deque()
        for topic, payload in messages:
            if len(waiting) >= _PUBLISH_WINDOW:
                await waiting.popleft()
            waiting.append(self._post(topic, payload))
        for confirmed in waiting:
            await confirmed

    def _make_client(self, client_id: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=self._handler is None,
            manual_ack=True,
        )
        if self.broker.username is not None:
            client.username_pw_set(self.broker.username, self.broker.password)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(_PUBLISH_WINDOW)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_want_no_write
        return client

    # -- connecting

    async def _open(self) -> None:
        self._lost.clear()
        try:
            await self._open_socket()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._check_login((await self._next_answer())[0])
                if self._topics:
                    self._client.subscribe([(topic, 1) for topic in self._topics])
                    if not self._is_resumed:  # else it may come after all the messages
                        self._check_grants(await self._next_answer())
        except BaseException:
            self._hang_up()
            raise

    async def _open_socket(self) -> None:
        """Let paho connect, which blocks, in a thread; then watch its socket."""
        opening = asyncio.get_running_loop().run_in_executor(
            None, self._client.connect, self.broker.host, self.broker.port, KEEP_ALIVE_S
        )
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_late)
            raise
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):  # only over WebSockets, not used
            raise TypeError("paho gave no plain socket")
        self._socket = sock
        self._watch_reading()
        if self._client.want_write():
            self._on_want_write(self._client, None, sock)

    def _close_late(self, opening: asyncio.Future[MQTTErrorCode]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._hang_up()

    async def _next_answer(self) -> Sequence[ReasonCode]:
        """Wait for the broker's answer to CONNECT or SUBSCRIBE."""
        self._answer = asyncio.get_running_loop().create_future()
        return await self._answer

    def _check_login(self, answer: ReasonCode) -> None:
        if answer.is_failure:
            user = self.broker.username
            who = f"user {user}" if user else "a client without user and password"
            raise MqttError(
                f"The MQTT broker at {self.broker} refused {who} "
                f"({str(answer).lower()}): correct user and password."
            )

    def _check_grants(self, answers: Sequence[ReasonCode]) -> None:
        for topic, answer in zip(self._topics, answers, strict=True):
            if answer.is_failure:
                raise MqttError(
                    f"The MQTT broker at {self.broker} refused the subscription to "
                    f"{topic}: allow it in the broker's access list."
                )

    async def _until_lost(self) -> None:
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._lost.wait()
            self._client.loop_misc()

    def _hang_up(self) -> None:
        self._client.disconnect()
        self._client.loop_write()  # sends what waits, DISCONNECT last, and closes
        if self._socket is not None:  # the broker does not read: leave without a word
            sock = self._socket
            self._on_socket_close(self._client, None, sock)
            sock.close()

    # -- the socket, watched by the event loop

    def _watch_reading(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._socket, self._on_readable)

    def _on_readable(self) -> None:
        """Read message after message, up to a fair share."""
        for _ in range(_READS_AT_ONCE):
            before = self._received
            self._client.loop_read()
            if self._received == before or not self._room.is_set():
                return

    def _on_want_write(
        self, _client: paho.Client, _data: object, _sock: object
    ) -> None:
        # Not yet ours while paho connects in its thread: `connect` looks afterwards.
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._socket, self._client.loop_write)

    def _on_want_no_write(
        self, _client: paho.Client, _data: object, _sock: object
    ) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_writer(self._socket)

    def _on_socket_close(
        self, _client: paho.Client, _data: object, _sock: object
    ) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket = None

    # -- what paho tells

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._is_resumed = flags.session_present
        self._settle([reason])

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._settle(reasons)

    def _settle(self, reasons: Sequence[ReasonCode]) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reasons)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._window.forget_order()
        self._lost.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(0, "it hung up"))

    def _on_message(
        self, _client: paho.Client, _data: object, message: paho.MQTTMessage
    ) -> None:
        self._received += 1
        payload = bytes(message.payload)
        taken = self._window.take(message.mid, message.qos, len(payload))
        if self._handler is not None:
            self._handler(message.topic, payload, partial(self._done, taken))
        if self._window.is_full and self._room.is_set():
            self._pause()

    def _pause(self) -> None:
        """Leave further messages with the broker."""
        self._room.clear()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def _done(self, taken: Taken) -> None:
        for each in self._window.done(taken):
            self._client.ack(each.mid, each.qos)
        if not self._room.is_set() and self._window.is_half_empty:
            self._room.set()
            self._watch_reading()

    # -- publishing

    def _post(self, topic: str, payload: bytes) -> asyncio.Future[None]:
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unconfirmed[self._client.publish(topic, payload, qos=1).mid] = confirmed
        return confirmed

    def _on_publish(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        confirmed = self._unconfirmed.pop(mid, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)
