"""paho's client, reading in gulps: the only file that imports paho-mqtt.

paho connects, logs in, subscribes, publishes, keeps alive and speaks TLS. The reading
of packets is ours (`packets`), for it is what a collector does all day.

What this leans on is private in paho: the version is pinned to its minor, and
tests/collector/mqtt/test_client.py says which part is not there any more.
"""

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


class GulpingClient(paho.Client):
    """paho's client with a reader of its own."""

    def __init__(
        self,
        broker: BrokerAddress,
        events: Events,
        *,
        client_id: str,
        is_persistent: bool,
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not is_persistent,
            manual_ack=True,
        )
        self._events, self._stream = events, PacketStream()
        self.last_error: OSError | None = None
        self._asked: dict[int, tuple[str, ...]] = {}
        """Topics of each subscription that is not answered yet, by its number."""
        if broker.username is not None:
            self.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            self.tls_set_context(broker.tls.context())
        self.connect_timeout = CONNECT_TIMEOUT_S
        self.max_inflight_messages_set(MOST_UNCONFIRMED)
        self.on_connect = self._tell_login
        self.on_subscribe = self._tell_grants
        self.on_publish = self._tell_published
        self.on_disconnect = self._tell_lost

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew: what came over the old connection is nothing any more."""
        self._stream, self.last_error = PacketStream(), None
        self._asked.clear()
        return super().reconnect()

    def ask_for(self, topics: Sequence[str], qos: int) -> None:
        """Subscribe to topics; the answer comes by `on_grants`."""
        _, mid = self.subscribe([(topic, qos) for topic in topics])
        if mid is not None:
            self._asked[mid] = tuple(topics)

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

    # -- what paho tells

    def _tell_login(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        refusal = str(reason).lower() if reason.is_failure else None
        self._events.on_login(refusal, is_resumed=flags.session_present)

    def _tell_grants(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        granted = [not reason.is_failure for reason in reasons]
        self._events.on_grants(self._asked.pop(mid, ()), granted)

    def _tell_published(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._events.on_published(mid)

    def _tell_lost(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._events.on_lost()
