"""One connection to a broker over which many light meters publish at QoS 1.

paho's client takes 75 microseconds for a message, more than a core has where ten
thousand meters publish every second; and a meter must be able to do what a well-kept
client never does: vanish without a word, or send the same message twice.

What is not confirmed when the connection breaks is sent again over the next one, marked
as a repeat, as a meter with a memory of its own does.

Errors: `SimulatorError`, one sentence, if the broker refuses the meters at the start.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulators.meter_fleet.ledger import Given
from simulators.meter_fleet.mqtt_frames import (
    CONNACK,
    DISCONNECT,
    PINGREQ,
    PUBACK,
    Incoming,
    Login,
    MqttFrameError,
    Packet,
    Will,
    connect_packet,
    publish_packet,
)
from simulators.simulator_error import SimulatorError

log = logging.getLogger(__name__)

_WINDOW = 2000
"""Messages on their way at once; below the 65,535 that MQTT can tell apart."""
_MOST_WAITING = 500_000
"""Messages that a line's meters remember while there is no connection."""
_CONNECT_TIMEOUT_S = 10.0
_RETRY_S = 0.25
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerPlace:
    """Where the broker is, and as whom the meters come."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Message(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    given: Sequence[Given] = ()
    """The readings in it, without the time of their confirmation."""
    retain: bool = False


class MqttLine:
    """Publishes in order, each message until the broker has confirmed it."""

    def __init__(
        self, place: BrokerPlace, login: Login, on_confirmed: Callable[[Message], None]
    ) -> None:
        self._place, self._login = place, login
        self._on_confirmed = on_confirmed
        self._waiting: deque[Message] = deque()
        self._sent: dict[int, Message] = {}
        self._next_id = 0
        self._writer: asyncio.StreamWriter | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.forgotten = 0
        """Messages that found no room in memory: the meters' own is full too."""
        self._may_connect = asyncio.Event()
        self._may_connect.set()

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._writer is not None

    def post(self, message: Message) -> None:
        """Publish a message, now or as soon as there is a connection and room."""
        if len(self._waiting) >= _MOST_WAITING:
            self.forgotten += 1
            return
        self._idle.clear()
        self._waiting.append(message)

    def flush(self) -> None:
        """Send what waits, as far as the window allows: once for many posts."""
        writer = self._writer
        if writer is None or not self._waiting:
            return
        packets = []
        while self._waiting and len(self._sent) < _WINDOW:
            message = self._waiting.popleft()
            message_id = self._free_id()
            self._sent[message_id] = message
            packets.append(_packet(message, message_id))
        writer.write(b"".join(packets))

    async def vanish(self) -> None:
        """Break off without a word, for the broker to publish the will; stay away."""
        self._may_connect.clear()
        if self._writer is not None:
            self._writer.transport.abort()

    async def come_back(self) -> None:
        """Connect again after `vanish`."""
        self._may_connect.set()

    @property
    def will(self) -> Will | None:
        """What the broker publishes if we vanish."""
        return self._login.will

    @property
    def unconfirmed(self) -> int:
        """Messages on their way, or waiting for room or a connection."""
        return len(self._sent) + len(self._waiting)

    async def all_confirmed(self) -> None:
        """Wait until the broker has confirmed all."""
        await self._idle.wait()

    def give_up(self) -> tuple[list[Message], list[Message]]:
        """Forget all; return what was sent without confirmation, and what never was."""
        sent, waiting = list(self._sent.values()), list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        self._idle.set()
        return sent, waiting

    async def keep(self, on_connected: Callable[[], None]) -> None:
        """Stay connected until cancelled; tell each time that it is."""
        refused_at_first = True
        while True:
            try:
                await self._may_connect.wait()
                reader, writer, incoming = await self._open()
            except (OSError, TimeoutError, MqttFrameError) as exc:
                if refused_at_first:
                    log.warning("No broker for %s yet: %s", self._login.client_id, exc)
                refused_at_first = False
                await asyncio.sleep(_RETRY_S)
                continue
            refused_at_first = True
            try:
                self._resend(writer)
                on_connected()
                await self._listen(reader, incoming)
            finally:
                self._writer = None
                writer.close()

    async def _open(
        self,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Incoming]:
        place, incoming = self._place, Incoming()
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                place.host, place.port, ssl=place.tls
            )
            try:
                writer.write(connect_packet(self._login))
                answer = await _first_packet(reader, incoming)
            except BaseException:
                writer.close()
                raise
        if answer.kind != CONNACK or answer.body[1:2] != b"\0":
            writer.close()
            raise SimulatorError(
                f"The MQTT broker at {place.host}:{place.port} refused the simulated "
                f"meters (code {answer.body[1:2].hex() or 'none'}): correct user and "
                "password."
            )
        return reader, writer, incoming

    def _resend(self, writer: asyncio.StreamWriter) -> None:
        """Send again, in their order, what was not confirmed; then what waits."""
        self._writer = writer
        writer.write(b"".join(_packet(m, i, again=True) for i, m in self._sent.items()))
        self.flush()

    async def _listen(self, reader: asyncio.StreamReader, incoming: Incoming) -> None:
        """Take confirmations until the connection is lost."""
        with contextlib.suppress(OSError, MqttFrameError):
            while True:
                try:
                    async with asyncio.timeout(self._login.keep_alive_s / 2):
                        chunk = await reader.read(_CHUNK)
                except TimeoutError:
                    if self._writer is not None:
                        self._writer.write(PINGREQ)
                    continue
                if not chunk:
                    return
                for packet in incoming.feed(chunk):
                    self._take(packet)
                self.flush()

    def _take(self, packet: Packet) -> None:
        if packet.kind != PUBACK:
            return
        message = self._sent.pop(packet.message_id, None)
        if message is not None:
            self._on_confirmed(message)
        if not self._sent and not self._waiting:
            self._idle.set()

    def close(self) -> None:
        """Take leave as a client should, so that no will is published; stay away."""
        self._may_connect.clear()
        if self._writer is not None:
            self._writer.write(DISCONNECT)
            self._writer.close()

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % 0xFFFF + 1
            if self._next_id not in self._sent:
                return self._next_id


async def _first_packet(reader: asyncio.StreamReader, incoming: Incoming) -> Packet:
    while True:
        chunk = await reader.read(_CHUNK)
        if not chunk:
            raise ConnectionResetError(0, "it hung up")
        for packet in incoming.feed(chunk):
            return packet


def _packet(message: Message, message_id: int, *, again: bool = False) -> bytes:
    return publish_packet(
        message.topic, message.payload, message_id, again=again, retain=message.retain
    )
