"""MQTT 3.1.1 packets out of a stream of bytes. Pure.

The client library reads a packet byte by byte and makes an object of each message,
which costs more than all that is done with the message afterwards. Here a gulp of the
stream becomes many messages at once; every other packet is the library's.

Errors
------
PacketError
    What came is not MQTT: the connection is of no use any more.

Source: MQTT Version 3.1.1, OASIS Standard, sections 2.2 and 3.3.
"""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

MOST_BYTES = 1024 * 1024
"""Of a packet that is kept whole: four times what a profile takes at most."""
KEPT_BYTES = 64 * 1024
"""Of a larger one: enough to know whose it is and what it looked like."""
_PUBLISH, _PUBACK = 0x30, 0x40
_LENGTH = Struct("!H")
_ACKNOWLEDGEMENT = Struct("!BBH")
_MOST_LENGTH_BYTES = 4


class PacketError(ValueError):
    """The stream holds what MQTT 3.1.1 does not allow."""


class Message(NamedTuple):
    """One message as the broker sent it."""

    topic: str
    payload: bytes
    """Cut at about `KEPT_BYTES` where the packet was larger than `MOST_BYTES`."""
    mid: int
    """By which it is acknowledged; 0 at QoS 0, which is not acknowledged."""
    is_retained: bool
    """Kept by the broker from earlier: not news."""
    size: int
    """Bytes of payload that were sent."""


class Packet(NamedTuple):
    """Any other packet."""

    command: int
    body: bytes


class PacketStream:
    """What came over one connection and is not handed out yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0
        self._to_skip = 0

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        if self._at:
            del self._bytes[: self._at]
            self._at = 0
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._bytes += data

    def take(self, most_messages: int) -> tuple[list[Message], Packet | None]:
        """Take messages in their order, up to a number or to another packet.

        Returns
        -------
        messages, packet
            The packet came after the messages. Nothing of either: more must be read.

        """
        messages: list[Message] = []
        whole, at, stop = self._bytes, self._at, len(self._bytes)
        while len(messages) < most_messages and at + 2 <= stop:
            command, length, body = whole[at], whole[at + 1], at + 2
            if length & 0x80:
                found = _long_length(whole, at + 1)
                if found is None:
                    break
                length, body = found
            held = min(length, KEPT_BYTES) if length > MOST_BYTES else length
            if body + held > stop:
                break
            at = body + held
            if command & 0xF0 != _PUBLISH:
                self._skip(at, length - held)
                return messages, Packet(command, bytes(whole[body:at]))
            messages.append(_message(command, whole, body, at, length - held))
            if length > held:
                self._skip(at, length - held)
                return messages, None
        self._at = at
        return messages, None

    def _skip(self, at: int, rest: int) -> None:
        """Go on at a place, without the rest of a packet that is too large."""
        here = min(rest, len(self._bytes) - at)
        self._at = at + here
        self._to_skip = rest - here


def acknowledgements(mids: Sequence[int]) -> bytes:
    """Return the PUBACK packets of these messages, end to end."""
    pack = _ACKNOWLEDGEMENT.pack
    return b"".join([pack(_PUBACK, 2, mid) for mid in mids])


def _long_length(whole: bytearray, at: int) -> tuple[int, int] | None:
    """Return a length of several bytes and where it ends; None until all are there."""
    length = 0
    for place, byte in enumerate(whole[at : at + _MOST_LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return length, at + place + 1
    if len(whole) - at >= _MOST_LENGTH_BYTES:
        raise PacketError("the length of a packet takes more than four bytes")
    return None


def _message(
    command: int, whole: bytearray, start: int, stop: int, cut: int
) -> Message:
    """Read a PUBLISH packet whose body is at [start, stop)."""
    qos = command >> 1 & 0x03
    if qos > 1:  # we subscribe at QoS 1, and a broker sends no more than that
        raise PacketError(f"a message came at QoS {qos}")
    topic_at = start + 2
    payload_at = topic_at
    if payload_at <= stop:
        payload_at += _LENGTH.unpack_from(whole, start)[0]
    topic, mid = whole[topic_at:payload_at], 0
    if qos:
        if payload_at + 2 <= stop:
            mid = _LENGTH.unpack_from(whole, payload_at)[0]
        payload_at += 2
    if payload_at > stop:
        raise PacketError("a message ends within its topic")
    return Message(
        topic.decode("utf-8", "replace"),
        bytes(whole[payload_at:stop]),
        mid,
        bool(command & 0x01),
        stop - payload_at + cut,
    )
