import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.meter_fleet.mqtt_frames import (
    Incoming,
    Login,
    MqttFrameError,
    Will,
    connect_packet,
    publish_packet,
)


def test_a_connect_is_as_the_standard_lays_it_out() -> None:
    login = Login(
        client_id="ab",
        username="u",
        password="pw",
        will=Will(topic="t", payload=b"off"),
        keep_alive_s=30,
    )
    # 3.1.2: level 4; user 80, password 40, will retained 20, at QoS 1 08, will 04, and
    # clean 02, together EE; then client id, will topic and payload, user, password.
    assert connect_packet(login).hex(" ") == (
        "10 1d 00 04 4d 51 54 54 04 ee 00 1e"
        " 00 02 61 62 00 01 74 00 03 6f 66 66 00 01 75 00 02 70 77"
    )


def test_a_publish_carries_its_flags_and_a_long_length() -> None:
    # 3 + 2 + 300 bytes are 305 = 0x31 + 2 * 128: B1 02.
    packet = publish_packet("t", b"x" * 300, 258, again=True, retain=True)
    assert packet[:8].hex(" ") == "3b b1 02 00 01 74 01 02"
    assert len(packet) == 3 + 305


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 9))
def test_packets_are_found_however_they_are_cut(bodies, step) -> None:
    # A publish at QoS 0 to us is as good as any packet.
    stream = b"".join(publish_packet("", body, 1) for body in bodies)
    incoming = Incoming()
    got = [
        packet
        for at in range(0, len(stream), step)
        for packet in incoming.feed(stream[at : at + step])
    ]
    assert [packet.body[4:] for packet in got] == bodies


def test_a_length_without_end_is_refused() -> None:
    with pytest.raises(MqttFrameError):
        list(Incoming().feed(b"\x30\xff\xff\xff\xff\x01"))
