"""Our own framing against pymodbus' client and against noise."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
)

from simulators.meter_fleet.modbus_frames import (
    FrameError,
    FramingKind,
    RtuFraming,
    TcpFraming,
    exception_answer,
    framing,
    read_answer,
)

KINDS = list(FramingKind)
PEER = {
    FramingKind.TCP: FramerSocket(DecodePDU(is_server=False)),
    FramingKind.RTU: FramerRTU(DecodePDU(is_server=False)),
}


def asked(kind: FramingKind, unit: int, address: int, count: int) -> bytes:
    request = ReadInputRegistersRequest(address=address, count=count, dev_id=unit)
    request.transaction_id = 0 if kind is FramingKind.RTU else 0x1234
    return PEER[kind].buildFrame(request)


@pytest.mark.parametrize("kind", KINDS)
@given(
    unit=st.integers(1, 247),
    address=st.integers(0, 0xFF00),
    count=st.integers(1, 125),
    cuts=st.lists(st.integers(0, 24), max_size=4),
)
def test_requests_of_pymodbus_are_understood_however_they_are_cut(
    kind, unit, address, count, cuts
) -> None:
    stream = asked(kind, unit, address, count) * 2
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    ours = framing(kind)
    got = [
        request
        for start, end in pairwise(edges)
        for request in ours.feed(stream[start:end])
    ]
    assert [(r.unit, r.function, r.span) for r in got] == 2 * [
        (unit, 4, (address, count))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_pymodbus_understands_our_answers(kind) -> None:
    ours = framing(kind)
    [request] = ours.feed(asked(kind, 7, 10, 2))
    stream = ours.frame(request, read_answer(3, b"\x01\x02\xff\xfe"))
    used, unit, transaction, pdu = PEER[kind].decode(stream)
    assert (used, unit, transaction) == (len(stream), 7, request.transaction)
    answer = ReadHoldingRegistersResponse()
    answer.decode(pdu[1:])
    assert answer.registers == [0x0102, 0xFFFE]


@pytest.mark.parametrize("kind", KINDS)
def test_pymodbus_understands_our_exceptions(kind) -> None:
    ours = framing(kind)
    [request] = ours.feed(asked(kind, 7, 10, 2))
    stream = ours.frame(request, exception_answer(request.function, 2), unit=9)
    _, unit, _, pdu = PEER[kind].decode(stream)
    assert (unit, pdu) == (9, b"\x84\x02")


@given(st.binary(max_size=300))
def test_a_serial_line_s_noise_ends_with_the_next_request(noise) -> None:
    ours = RtuFraming()
    list(ours.feed(noise))
    request = asked(FramingKind.RTU, 7, 10, 2)
    # The longest thing that noise can promise is 264 bytes: by then it is found out.
    got = [each for _ in range(40) for each in ours.feed(request)]
    assert (got[-1].unit, got[-1].span) == (7, (10, 2))


@given(st.binary(min_size=8, max_size=300))
def test_a_stream_that_is_no_modbus_tcp_is_refused_or_waited_for(noise) -> None:
    with contextlib.suppress(FrameError):
        for request in TcpFraming().feed(noise):
            assert noise[2:4] == b"\0\0"
            assert 0 <= request.unit <= 255
