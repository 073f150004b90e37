"""paho's client on our event loop, reading in gulps: the only file that imports paho.

paho connects, logs in, subscribes, publishes, keeps alive and speaks TLS. The loop
watches its socket like any other, so that no message changes threads, and the reading
of packets is ours (`packets`), for it is what a collector does all day.

`_GulpingClient` leans on what is private in paho: the version is pinned to its minor,
and tests/collector/mqtt/test_client.py says which part is not there any more.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collector.mqtt.broker import CONNECT_TIMEOUT_S, BrokerAddress
from collector.mqtt.packets import (
    Message,
    Packet,
    PacketError,
    PacketStream,
    acknowledgements,
)

_GULP_BYTES = 256 * 1024
MOST_UNCONFIRMED = 1000
"""Published at QoS 1 and not yet confirmed."""


class Events(Protocol):
    """What the client tells; no call may raise or wait."""

    def room(self) -> int:
        """Say how many more messages may be handed over now."""
        ...

    def on_messages(self, messages: Sequence[Message]) -> None:
        """Take messages in their order."""
        ...

    def on_login(self, refusal: str | None, *, is_resumed: bool) -> None:
        """Learn that we were let in, or why not, and whether the session was kept."""
        ...

    def on_grants(self, topics: Sequence[str], granted: Sequence[bool]) -> None:
        """Learn which of the topics of one `subscribe` were granted."""
        ...

    def on_published(self, mid: int) -> None:
        """Learn that the broker has a message."""
        ...

    def on_lost(self) -> None:
        """Learn that the connection is gone, wanted or not."""
        ...


class MqttClient:
    """One client of one broker; knows nothing of when to connect again."""

    def __init__(
        self,
        broker: BrokerAddress,
        events: Events,
        *,
        client_id: str,
        is_persistent: bool,
        keep_alive_s: int,
    ) -> None:
        self._broker, self._events, self._keep_alive_s = broker, events, keep_alive_s
        self._socket: socket.socket | None = None
        self._is_paused = False
        self._asked: dict[int, tuple[str, ...]] = {}
        """Topics of each subscription that is not answered yet, by its number."""
        self._paho = _GulpingClient(events, client_id, is_persistent=is_persistent)
        self._set_up()

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._paho.is_connected()

    @property
    def last_error(self) -> OSError | None:
        """What the socket said when the connection was lost, if it said anything."""
        return self._paho.last_error

    def _set_up(self) -> None:
        client = self._paho
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls.context())
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(MOST_UNCONFIRMED)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_want_no_write

    # -- what is asked of it

    async def open(self) -> None:
        """Let paho connect, which blocks, in a thread; then watch its socket.

        The broker's answer comes by `on_login`.

        Raises
        ------
        OSError
            Nobody answers, the host is unknown, or TLS failed.

        """
        self._asked.clear()
        opening = asyncio.get_running_loop().run_in_executor(
            None,
            self._paho.connect,
            self._broker.host,
            self._broker.port,
            self._keep_alive_s,
        )
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_late)
            raise
        sock = self._paho.socket()
        if not isinstance(sock, socket.socket):  # only over WebSockets, not used
            raise TypeError("paho gave no plain socket")
        self._socket = sock
        self._is_paused = False
        self._watch()
        if self._paho.want_write():
            self._on_want_write(self._paho, None, sock)

    def subscribe(self, topics: Sequence[str], qos: int) -> None:
        """Subscribe; the answer comes by `on_grants`."""
        if topics:
            _, mid = self._paho.subscribe([(topic, qos) for topic in topics])
            if mid is not None:
                self._asked[mid] = tuple(topics)

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Have no more messages of these topics."""
        if topics:
            self._paho.unsubscribe(list(topics))

    def publish(self, topic: str, payload: bytes) -> int:
        """Publish at QoS 1, now or when connected again; return its number."""
        return self._paho.publish(topic, payload, qos=1).mid

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Acknowledge messages, in one packet of the network."""
        self._paho.send_acknowledgements(mids)

    def pause(self) -> None:
        """Leave further messages with the broker."""
        self._is_paused = True
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def resume(self) -> None:
        """Hand over what was read already, then read on."""
        self._is_paused = False
        self._paho.hand_over()
        if not self._is_paused:
            self._watch()

    def tick(self) -> None:
        """Keep the connection alive: to be called about once a second."""
        if self._is_paused:  # the broker's answers wait behind what is not read
            self._paho.believe_alive()
        self._paho.loop_misc()

    def hang_up(self) -> None:
        """Send what is due, acknowledgements above all, and close."""
        self._paho.disconnect()
        self._paho.loop_write()  # sends what waits, DISCONNECT last, and closes
        if self._socket is not None:  # the broker does not read: leave without a word
            sock = self._socket
            self._on_socket_close(self._paho, None, sock)
            sock.close()

    async def close(self) -> None:
        """Hang up such that the broker reads our last words."""
        line = None if self._socket is None else socket.socket(fileno=_twin_of(self))
        self.hang_up()
        if line is None:
            return
        # paho has closed its end; ours is open until the broker's is. To close it with
        # messages unread would reset it, and the broker might lose our last words.
        line.setblocking(False)
        with contextlib.suppress(OSError), contextlib.closing(line):
            async with asyncio.timeout(1):
                while await asyncio.get_running_loop().sock_recv(line, 1 << 16):
                    pass

    # -- the socket, watched by the event loop

    def fileno(self) -> int:
        """Return the number of the open socket."""
        return -1 if self._socket is None else self._socket.fileno()

    def _watch(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._socket, self._paho.loop_read)

    def _close_late(self, opening: asyncio.Future[MQTTErrorCode]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self.hang_up()

    def _on_want_write(
        self, _client: paho.Client, _data: object, _sock: object
    ) -> None:
        # Not yet ours while paho connects in its thread: `open` looks afterwards.
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._socket, self._paho.loop_write)

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
        refusal = str(reason).lower() if reason.is_failure else None
        self._events.on_login(refusal, is_resumed=flags.session_present)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        granted = [not reason.is_failure for reason in reasons]
        self._events.on_grants(self._asked.pop(mid, ()), granted)

    def _on_publish(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._events.on_published(mid)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._events.on_lost()


def _twin_of(client: MqttClient) -> int:
    """Return a second descriptor of a client's connection, below any TLS."""
    return socket.dup(client.fileno())


class _GulpingClient(paho.Client):
    """paho's client with a reader of its own."""

    def __init__(self, events: Events, client_id: str, *, is_persistent: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not is_persistent,
            manual_ack=True,
        )
        self._events, self._stream = events, PacketStream()
        self.last_error: OSError | None = None

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew: what came over the old connection is nothing any more."""
        self._stream, self.last_error = PacketStream(), None
        return super().reconnect()

    def send_acknowledgements(self, mids: Sequence[int]) -> None:
        """Queue the acknowledgements of messages as if they were one packet."""
        if mids:
            self._packet_queue(MessageType.PUBACK, acknowledgements(mids), 0, 1)

    def believe_alive(self) -> None:
        """Take the connection for alive though its answers are not read."""
        self._last_bytes_received, self._ping_t = time.monotonic(), 0.0

    def hand_over(self) -> None:
        """Hand over what was read, as far as there is room."""
        self._loop_rc_handle(self._hand_over())

    def _hand_over(self) -> MQTTErrorCode:
        try:
            while (room := self._events.room()) > 0:
                messages, packet = self._stream.take(room)
                if messages:
                    self._events.on_messages(messages)
                if packet is not None:
                    result = self._take_packet(packet)
                    if result > 0:
                        return result
                elif not messages:
                    break
        except (PacketError, MalformedPacket) as exc:
            self.last_error = ConnectionResetError(0, str(exc))
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _packet_read(self) -> MQTTErrorCode:
        """Read all that is there, up to a gulp, instead of one packet byte by byte."""
        if self._events.room() <= 0:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        try:
            data = self._sock_recv(_GULP_BYTES)
            while isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
                data += self._sock_recv(_GULP_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError as exc:
            self.last_error = exc
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        if not data:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        self._last_bytes_received = time.monotonic()
        self._stream.feed(data)
        return self._hand_over()

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """Do what paho does, but leave no socket open where TLS fails."""
        if self._ssl_context is None:
            raise ValueError("paho asks for TLS without a context")
        sock = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            sock.settimeout(CONNECT_TIMEOUT_S)
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        return sock

    def _take_packet(self, packet: Packet) -> MQTTErrorCode:
        """Let paho handle what is no message."""
        self._in_packet = {
            "command": packet.command,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(packet.body),
            "packet": bytearray(packet.body),
            "to_process": 0,
            "pos": 0,
        }
        return self._packet_handle()
