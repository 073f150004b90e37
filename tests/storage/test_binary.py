import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from storage.binary import copy_chunks, energies_of, energy_column, float_column

MOMENT = np.array([946_684_800_000_001])  # one microsecond into 2000


def test_a_row_is_as_the_documentation_of_copy_has_it() -> None:
    values = np.array([[1.0, math.nan]])
    data = b"".join(copy_chunks(np.array([7], dtype=np.int32), (MOMENT,), values, 2))
    assert data == (
        b"PGCOPY\n\xff\r\n\0"
        + bytes(8)  # flags and the length of an extension
        + b"\x00\x05"  # fields in this row
        + b"\x00\x00\x00\x04\x00\x00\x00\x07"
        + b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01"
        + b"\x00\x00\x00\x08\x3f\xf0\x00\x00\x00\x00\x00\x00"  # 1.0
        + b"\xff\xff\xff\xff"  # NULL
        + b"\x00\x00\x00\x02\x00\x02"
        + b"\xff\xff"
    )


def test_nothing_is_a_header_and_a_trailer() -> None:
    nothing = np.array([], dtype=np.int64)
    empty = copy_chunks(nothing.astype(np.int32), (nothing,), np.empty((0, 2)), 1)
    assert b"".join(empty) == b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff"


@given(arrays(np.float64, (9, 3), elements=st.sampled_from([math.nan, 1.5])))
def test_every_row_is_there_once_whatever_it_lacks(values) -> None:
    number = np.arange(9, dtype=np.int32)
    chunks = copy_chunks(number, (np.repeat(MOMENT, 9),), values, 1)
    apart = {
        b"".join(
            [
                b"\x00\x06\x00\x00\x00\x04",
                int(n).to_bytes(4, "big"),
                b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01",
                *(
                    b"\xff\xff\xff\xff"
                    if math.isnan(value)
                    else b"\x00\x00\x00\x08\x3f\xf8\x00\x00\x00\x00\x00\x00"
                    for value in row
                ),
                b"\x00\x00\x00\x02\x00\x01",
            ]
        )
        for n, row in zip(number, values, strict=True)
    }
    data = b"".join(chunks)
    assert len(data) == 19 + sum(map(len, apart)) + 2
    assert all(data.count(row) == 1 for row in apart)


def test_an_array_with_a_gap_is_as_array_recv_reads_it() -> None:
    assert float_column(np.array([1.0, math.nan])).data == (
        b"\x00\x00\x00\x01"  # dimensions
        b"\x00\x00\x00\x01"  # holds a NULL
        b"\x00\x00\x02\xbd"  # double precision, 701
        b"\x00\x00\x00\x02\x00\x00\x00\x01"  # elements, first index
        b"\x00\x00\x00\x08\x3f\xf0\x00\x00\x00\x00\x00\x00"
        b"\xff\xff\xff\xff"
    )


@given(
    st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=20),
    st.sampled_from([1, 10, 1000, 1_000_000]),
)
def test_energy_comes_back_to_the_last_bit(millionths, unit) -> None:
    """Whatever is a whole number of mWh, up to ten million kWh."""
    known = np.array([n // unit * unit / 1e6 for n in millionths])
    sent = energy_column(known).data[20:]  # behind a header; 4 bytes of length each
    stored = b"".join(sent[at + 4 : at + 12] for at in range(0, len(sent), 12))
    back = energies_of(stored)
    assert back.tolist() == known.tolist()


def test_energy_is_stored_in_few_bits() -> None:
    # 85.8 fills the mantissa; 85.8 x 2^20 = 89,967,820.8: 27 bits, so many zeros.
    assert float_column(np.array([85.8])).data[-8:].hex() == "4055733333333333"
    assert energy_column(np.array([85.8])).data[-8:].hex() == "4055733334000000"
