import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collector.journal import record
from collector.journal.record import (
    NewerRecordError,
    RecordError,
    decode,
    decode_all,
    encode,
)
from collector.parcel import Parcel
from meters.meter import Transport
from meters.quantity import QUANTITIES
from meters.reading import ReadingBatch, Source, from_utc_us, joined
from meters.refusal import Reason, Refusal
from tests.collector.made import energies, parcel, refused

INT64 = st.integers(-(2**63), 2**63 - 1)
MOMENTS = st.integers(-(10**14), 10**17).map(from_utc_us)  # the years 1966 to 5138
TEXTS = st.text(st.characters() | st.just("\ud800") | st.just("\0"))


@st.composite
def batches(draw) -> ReadingBatch:
    count = draw(st.integers(0, 5))
    times = arrays(np.int64, count)
    return ReadingBatch(
        meter_id=draw(arrays(np.int32, count)),
        measured_us=draw(times),
        received_us=draw(times),
        values=draw(arrays(np.float64, (count, len(QUANTITIES)))),
    )


REFUSALS = st.builds(
    Refusal,
    reason=st.sampled_from(Reason),
    text=TEXTS,
    source=TEXTS,
    transport=st.sampled_from(Transport).map(str),
    received_at=MOMENTS,
    raw=st.binary(),
    meter_id=st.none() | INT64,
    readings=INT64,
)


@given(
    st.sampled_from(Transport),
    st.sampled_from(Source),
    batches(),
    st.lists(REFUSALS, max_size=3),
)
def test_decode_undoes_encode(transport, source, batch, refusals) -> None:
    sent = Parcel(transport=transport, source=source, batch=batch, refusals=refusals)
    read = decode(encode(sent))
    assert (read.transport, read.source) == (transport, source)
    assert list(read.refusals) == refusals
    for name in ("meter_id", "measured_us", "received_us", "values"):
        before, after = getattr(batch, name), getattr(read.batch, name)
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        np.testing.assert_array_equal(after, before)


@given(st.data())
def test_what_is_cut_short_or_has_a_byte_changed_never_fails_otherwise(data) -> None:
    record = encode(parcel(7)) + encode(refused("half a \ud800"))
    at = data.draw(st.integers(0, len(record) - 1))
    byte = data.draw(st.integers(0, 255))
    for harmed in (record[:at], record[:at] + bytes([byte]) + record[at + 1 :]):
        with contextlib.suppress(RecordError):
            decode(harmed)


VERSION_1 = bytes.fromhex(
    "01 01 02 00"  # version, modbus, polled
    "00000000"  # no refusal
    "01000000"  # one reading
    "0100000000000000"  # of the quantities only the first was given
    "05000000"  # meter 5
    "40420f0000000000"  # measured a second after 1970
    "80841e0000000000"  # received a second later
    "000000000000e03f"  # 0.5
)


def test_a_journal_of_the_first_release_can_be_read() -> None:
    read = decode(VERSION_1)
    assert (read.transport, read.source) == (Transport.MODBUS, Source.POLLED)
    assert read.batch.meter_id.tolist() == [5]
    assert read.batch.measured_us.tolist() == [1_000_000]
    assert read.batch.received_us.tolist() == [2_000_000]
    assert energies([read]) == [0.5]
    assert np.isnan(read.batch.values[0, 1:]).all()
    assert encode(read) == VERSION_1


def test_a_new_quantity_is_a_new_version() -> None:
    # If this fails: leave version 1 as it is, and add the next one.
    newest = record.COLUMNS[record.VERSION]
    assert newest == tuple(map(str, QUANTITIES))


def test_a_record_of_a_later_release_is_said_to_be_one() -> None:
    with pytest.raises(NewerRecordError, match="version 2, this release reads up to 1"):
        decode(b"\2" + VERSION_1[1:])
    with pytest.raises(RecordError, match="cannot have version 0"):
        decode(b"")


WHENCE = st.tuples(st.sampled_from(Transport), st.sampled_from(Source))


@given(st.lists(st.tuples(WHENCE, batches()), max_size=6))
def test_records_decoded_together_are_those_decoded_alone(many) -> None:
    parcels = [
        Parcel(transport=transport, source=source, batch=batch)
        for (transport, source), batch in many
    ]
    together = decode_all([encode(each) for each in parcels])
    assert len(together) == len({whence for whence, _ in many})
    for found in together:
        whence = (found.transport, found.source)
        same = [each for each in parcels if (each.transport, each.source) == whence]
        expected = joined(each.batch for each in same)
        for name in ("meter_id", "measured_us", "received_us", "values"):
            np.testing.assert_array_equal(
                getattr(found.batch, name), getattr(expected, name)
            )


@given(batches())
def test_one_reading_is_laid_out_as_many_are(batch) -> None:
    for row in range(len(batch)):
        one = batch[row : row + 1]
        assert record._row(one) == record._rows(one)  # noqa: SLF001
