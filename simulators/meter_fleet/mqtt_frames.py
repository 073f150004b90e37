"""MQTT 3.1.1 as bytes, as much of it as publishing at QoS 1 needs. Pure.

Errors
------
MqttFrameError
    What a broker sent is not MQTT.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

CONNACK, PUBACK, PINGRESP = 2, 4, 13
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_CONNECT, _PUBLISH_QOS1 = 0x10, 0x32
_DUP, _RETAIN = 0x08, 0x01
_CLEAN, _WILL, _WILL_QOS1, _WILL_RETAIN = 0x02, 0x04, 0x08, 0x20
_PASSWORD, _USER = 0x40, 0x80
_MOST_LENGTH_BYTES = 4


class MqttFrameError(ValueError):
    """The stream is not MQTT."""


class Packet(NamedTuple):
    """One packet from the broker."""

    kind: int
    body: bytes

    @property
    def message_id(self) -> int:
        """Of a PUBACK: which message it confirms."""
        return int.from_bytes(self.body[:2], "big")


@dataclass(frozen=True, kw_only=True, slots=True)
class Will:
    """What the broker publishes when a client vanishes; retained, at QoS 1."""

    topic: str
    payload: bytes
    undone: bytes = b"online"
    """What the client itself says there while it is connected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """As whom a client comes."""

    client_id: str
    username: str | None = None
    password: str | None = None
    will: Will | None = None
    keep_alive_s: int = 60


def connect_packet(login: Login) -> bytes:
    """Ask for a session of our own, forgotten at the end (3.1)."""
    flags, payload = _CLEAN, _text(login.client_id)
    if login.will is not None:
        flags |= _WILL | _WILL_QOS1 | _WILL_RETAIN
        payload += _text(login.will.topic) + _bytes(login.will.payload)
    if login.username is not None:
        flags |= _USER
        payload += _text(login.username)
        if login.password is not None:
            flags |= _PASSWORD
            payload += _text(login.password)
    head = _text("MQTT") + bytes([4, flags]) + login.keep_alive_s.to_bytes(2, "big")
    return _packet(_CONNECT, head + payload)


def publish_packet(
    topic: str,
    payload: bytes,
    message_id: int,
    *,
    again: bool = False,
    retain: bool = False,
) -> bytes:
    """Publish at QoS 1 (3.3); `again` if the same was sent before."""
    first = _PUBLISH_QOS1 | (_DUP if again else 0) | (_RETAIN if retain else 0)
    return _packet(first, _text(topic) + message_id.to_bytes(2, "big") + payload)


class Incoming:
    """What a broker says, packet by packet."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[Packet]:
        """Yield the packets that are complete now; raise MqttFrameError."""
        held, at = self._held + chunk, 0
        while True:
            found = _length(held, at + 1)
            if found is None or found[1] + found[0] > len(held):
                break
            length, body = found
            yield Packet(held[at] >> 4, held[body : body + length])
            at = body + length
        self._held = held[at:]


def _length(held: bytes, at: int) -> tuple[int, int] | None:
    """Read a remaining length; where it ends. None: not all of it is there."""
    length = 0
    for number in range(_MOST_LENGTH_BYTES):
        if at + number >= len(held):
            return None
        byte = held[at + number]
        length |= (byte & 0x7F) << 7 * number
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return length, at + number + 1
    raise MqttFrameError("a length of more than four bytes")


def _packet(first: int, body: bytes) -> bytes:
    """Put the fixed header before a packet (2.2)."""
    length, head = len(body), bytearray([first])
    while True:
        length, byte = length >> 7, length & 0x7F
        head.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def _text(text: str) -> bytes:
    return _bytes(text.encode())


def _bytes(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
