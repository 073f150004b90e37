import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.mqtt.packets import (
    KEPT_BYTES,
    MOST_BYTES,
    Message,
    Packet,
    PacketError,
    PacketStream,
    acknowledgements,
)


def framed(command: int, body: bytes) -> bytes:
    """Put a length of one to four bytes before a body."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([command]) + digits + body


def publish(message: Message) -> bytes:
    """Inverse of what is tested."""
    qos = 1 if message.mid else 0
    topic = message.topic.encode()
    body = struct.pack("!H", len(topic)) + topic
    body += struct.pack("!H", message.mid) * qos
    return framed(0x30 | qos << 1 | message.is_retained, body + message.payload)


def taken(stream: PacketStream, most: int = 10**6) -> list[Message | Packet]:
    """Take all there is."""
    found: list[Message | Packet] = []
    while True:
        messages, packet = stream.take(most)
        found += messages
        if packet is not None:
            found.append(packet)
        elif not messages:
            return found


MESSAGES = st.builds(
    lambda topic, payload, mid, retained: Message(
        topic, payload, mid, retained, len(payload)
    ),
    st.text(max_size=20),
    st.binary(max_size=300),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
PACKETS = st.builds(
    Packet, st.sampled_from([0x20, 0x40, 0x90, 0xD0]), st.binary(max_size=200)
)


@given(
    st.lists(MESSAGES | PACKETS, max_size=20),
    st.lists(st.integers(1, 400), min_size=1),
    st.integers(1, 5),
)
def test_however_the_stream_is_cut_the_same_comes_out(sent, cuts, most) -> None:
    whole = b"".join(
        publish(one) if isinstance(one, Message) else framed(one.command, one.body)
        for one in sent
    )
    stream, found, at = PacketStream(), [], 0
    while at < len(whole):
        for cut in cuts:
            stream.feed(whole[at : at + cut])
            found += taken(stream, most)
            at += cut
    assert found == sent


def test_no_more_are_taken_than_there_is_room_for() -> None:
    sent = [
        Message("t", bytes([n]), n + 1, is_retained=False, size=1) for n in range(5)
    ]
    stream = PacketStream()
    stream.feed(b"".join(map(publish, sent)))
    assert stream.take(2) == (sent[:2], None)
    assert stream.take(2) == (sent[2:4], None)
    assert stream.take(2) == (sent[4:], None)


@pytest.mark.parametrize("gulp", [1000, 100_000, 20_000_000])
def test_a_message_of_10_mb_is_cut_and_the_next_one_follows(gulp) -> None:
    large = Message("m/1", b"x" * 10_000_000, 7, is_retained=False, size=10_000_000)
    small = Message("m/2", b"y", 8, is_retained=False, size=1)
    whole = publish(large) + publish(small)
    stream, found, most_held = PacketStream(), [], 0
    for at in range(0, len(whole), gulp):
        stream.feed(whole[at : at + gulp])
        most_held = max(most_held, len(stream._bytes))  # noqa: SLF001 - memory is the point
        found += taken(stream)
    first, second = found
    assert (first.topic, first.mid, first.size) == ("m/1", 7, 10_000_000)
    # What is kept of the packet begins with topic (2 + 3 bytes) and mid (2 bytes).
    assert first.payload == b"x" * (KEPT_BYTES - 7)
    assert second == small
    assert gulp > MOST_BYTES or most_held <= KEPT_BYTES + gulp


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"\x30\xff\xff\xff\xff\x01", id="a length of five bytes"),
        pytest.param(framed(0x34, b"\0\1t\0\1"), id="QoS 2"),
        pytest.param(framed(0x32, b"\0\5t\0\1"), id="ends within its topic"),
        pytest.param(framed(0x32, b"\0\1t"), id="ends before its number"),
        pytest.param(framed(0x30, b"\0"), id="ends within the topic's length"),
    ],
)
def test_what_is_not_mqtt_is_said(wrong) -> None:
    stream = PacketStream()
    stream.feed(wrong)
    with pytest.raises(PacketError):
        stream.take(10)


@given(st.binary(max_size=2000))
def test_no_bytes_do_anything_else(noise) -> None:
    stream = PacketStream()
    stream.feed(noise)
    try:
        found = taken(stream)
    except PacketError:
        return
    assert sum(len(one[1]) for one in found) <= len(noise)


def test_acknowledgements_lie_end_to_end() -> None:
    # PUBACK is 0x40, two bytes follow: the message's number.
    assert acknowledgements([1, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
    assert acknowledgements([]) == b""
