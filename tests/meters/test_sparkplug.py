"""Sparkplug B messages, byte by byte."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload_error import PayloadError
from meters.refusal import Reason
from meters.sparkplug import (
    MOST_METRICS,
    Kind,
    Metric,
    SparkplugPayload,
    SparkplugTopic,
    decode_sparkplug,
    encode_sparkplug,
    rebirth_request,
)
from meters.sparkplug_types import DataType, number_of

# Written by another implementation, with the message definition of the Eclipse
# Foundation: values of many types, a dataset, a template, properties, metadata, a body.
FOREIGN = bytes.fromhex(
    "0892dfd0c7913312230a0d456e657267792f496d706f7274100318c0ddd0c79133200a69"
    "ee7c3f35937d2441120a1004200350feffffff0f121110052008280158ffffffffffffff"
    "ffff0112120a0a566f6c746167652f4c31100620093801121a0a144e6f646520436f6e74"
    "726f6c2f52656269727468200b700012100a0653657269616c200c7a04c3bc2d3112200a"
    "034c6f67100920108a01140801120161180a220b0a0921000000000000f83f12160a0154"
    "201392010e0a013112090a05696e6e6572500312230a0150100a200942034201644a100a"
    "07656e67556e69741205080c420156650080664318072201752a020001"
)


def test_what_another_implementation_wrote_is_read() -> None:
    found = decode_sparkplug(FOREIGN)
    assert (found.timestamp_ms, found.seq) == (1757060280210, 7)
    energy, whole, history, null, control, serial, log, template, power = found.metrics
    assert energy == Metric(
        name="Energy/Import",
        alias=3,
        timestamp_ms=1757060280000,
        datatype=DataType.DOUBLE,
        value=671433.604,
    )
    assert (whole.name, whole.alias, whole.value) == (None, 4, 0xFFFFFFFE)
    assert number_of(whole.value, whole.datatype) == -2
    assert history.is_historical
    assert number_of(history.value, history.datatype) == 2**64 - 1
    assert null == Metric(name="Voltage/L1", alias=6, datatype=9, is_null=True)
    assert control.value is False
    assert number_of(serial.value, serial.datatype) == "ü-1"
    assert [number_of(one.value, one.datatype) for one in (log, template)] == [None] * 2
    assert (power.name, power.value) == ("P", 230.5)


def test_the_request_to_be_born_again_is_as_the_specification_has_it() -> None:
    who = SparkplugTopic("spBv1.0", "G", Kind.DDATA, "N", "D")
    topic, payload = rebirth_request(who, 1757060280210)
    assert topic == "spBv1.0/G/NCMD/N"
    assert decode_sparkplug(payload).metrics == (
        Metric(
            name="Node Control/Rebirth",
            timestamp_ms=1757060280210,
            datatype=DataType.BOOLEAN,
            value=True,
        ),
    )


@pytest.mark.parametrize(
    ("value", "datatype", "meant"),
    [
        (0xFE, DataType.INT8, -2),
        (0xFFFFFFFE, DataType.INT8, -2),
        (0xFFFFFFFFFFFFFFFE, DataType.INT16, -2),
        (0x1FE, DataType.INT8, None),
        (0x7F, DataType.INT8, 127),
        (0x80000000, DataType.INT32, -(2**31)),
        (2**64 - 1, DataType.INT64, -1),
        (255, DataType.UINT8, 255),
        (256, DataType.UINT8, None),
        (2**32 - 1, DataType.UINT32, 2**32 - 1),
        (7, DataType.FLOAT, None),
        (7.5, DataType.INT32, None),
        (True, DataType.BOOLEAN, None),
        (True, DataType.INT32, None),
        (b"\x07", 17, None),
        (7, None, None),
        (7, 99, None),
        ("7", DataType.STRING, "7"),
        ("7", DataType.INT32, None),
        (7, DataType.DATETIME, None),
        (None, DataType.DOUBLE, None),
    ],
)
def test_a_value_is_what_its_type_means(value, datatype, meant) -> None:
    assert number_of(value, datatype) == meant
    assert type(number_of(value, datatype)) is type(meant)


@pytest.mark.parametrize(
    ("topic", "written"),
    [
        ("spBv1.0/G/NDATA/N", True),
        ("spBv1.0/G/DDATA/N/D", True),
        ("spBv1.0/G/NDATA/N/D", False),
        ("spBv1.0/G/DDATA/N", False),
        ("spBv1.0/G/HELLO/N", False),
        ("spBv1.0/STATE/host", False),
        ("spBv1.0/G/DDATA//D", False),
        ("spBv1.0/G/DDATA/N/D/E", False),
    ],
)
def test_a_topic_is_read(topic, written) -> None:
    found = SparkplugTopic.of(topic)
    assert (found is not None) == written
    if found is not None:
        assert str(found) == topic


FLOAT32 = st.floats(width=32, allow_nan=False)
VALUED = st.one_of(
    st.tuples(st.just(DataType.INT32), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(DataType.UINT64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(DataType.FLOAT), FLOAT32),
    st.tuples(st.just(DataType.DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(DataType.BOOLEAN), st.booleans()),
    st.tuples(st.just(DataType.STRING), st.text()),
    st.tuples(st.just(17), st.binary()),
    st.tuples(st.none(), st.none()),
)
UINT64 = st.none() | st.integers(0, 2**64 - 1)
METRICS = st.builds(
    lambda name, alias, at, historical, null, valued: Metric(
        name=name,
        alias=alias,
        timestamp_ms=at,
        datatype=valued[0],
        is_historical=historical,
        is_null=null,
        value=valued[1],
    ),
    st.none() | st.text(),
    UINT64,
    UINT64,
    st.booleans(),
    st.booleans(),
    VALUED,
)


@given(UINT64, UINT64, st.lists(METRICS, max_size=5).map(tuple))
def test_decode_undoes_encode(at, seq, metrics) -> None:
    sent = SparkplugPayload(timestamp_ms=at, seq=seq, metrics=metrics)
    assert decode_sparkplug(encode_sparkplug(sent)) == sent


def test_a_value_that_does_not_fit_is_not_sent() -> None:
    metric = Metric(name="a", datatype=DataType.INT32, value=-1)
    with pytest.raises(ValueError, match="-1"):
        encode_sparkplug(SparkplugPayload(metrics=(metric,)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload) -> None:
    with contextlib.suppress(PayloadError):
        decode_sparkplug(payload)


def test_a_name_that_is_no_text_is_refused() -> None:
    # Field 2, a metric of 4 bytes: its field 1, a name of the two bytes FF FE.
    with pytest.raises(PayloadError, match="not a Sparkplug B message"):
        decode_sparkplug(b"\x12\x04\x0a\x02\xff\xfe")


def test_more_metrics_than_anybody_has_are_refused() -> None:
    # Two bytes each: a message of 64 KB could bear 32,768 of them.
    with pytest.raises(PayloadError, match="bears 20001 metrics") as caught:
        decode_sparkplug(b"\x12\x00" * (MOST_METRICS + 1))
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_template_however_deep_is_not_looked_into() -> None:
    # Each template (18) holds a metric (2) which is a template again.
    inner = b""
    for _ in range(500):
        metric = b"\x92\x01" + _varint(len(inner)) + inner
        inner = b"\x12" + _varint(len(metric)) + metric
    (metric,) = decode_sparkplug(inner).metrics
    assert number_of(metric.value, 19) is None


def _varint(number: int) -> bytes:
    made = b""
    while number > 0x7F:
        made += struct.pack("B", number & 0x7F | 0x80)
        number >>= 7
    return made + struct.pack("B", number)
