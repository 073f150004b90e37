"""Words by hand, and the inverse for every encoding and order."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.encoding import DecodeError, Encoding, decode_words, encode_words

ORDERS = st.sampled_from(["big", "little"])

# 123456789 = 0x075BCD15; -2 = 0xFFFFFFFE; 0x43668000: sign 0, exponent 0x86 = 134 - 127
# = 7, mantissa 1.8008 (0x668000 / 2**23 + 1), so 230.5. 0x40091EB851EB851F is 3.14.
BY_HAND = [
    ([0x4366, 0x8000], "float32", "big", "big", 230.5),
    ([0x8000, 0x4366], "float32", "little", "big", 230.5),
    ([0x6643, 0x0080], "float32", "big", "little", 230.5),
    ([0x0080, 0x6643], "float32", "little", "little", 230.5),
    ([0xCD15, 0x075B], "int32", "little", "big", 123456789),
    ([0xFFFF, 0xFFFE], "int32", "big", "big", -2),
    ([0xFFFF, 0xFFFE], "uint32", "big", "big", 4294967294),
    ([0xFFFE], "int16", "big", "big", -2),
    ([0xFEFF], "int16", "little", "little", -2),
    ([0xFFFE], "uint16", "big", "big", 65534),
    ([0x0000, 0x0000, 0x2805, 0x4B00], "int64", "big", "big", 671435520),
    ([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], "int64", "big", "big", -2),
    ([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], "uint64", "big", "big", 18446744073709551614),
    ([0x851F, 0x51EB, 0x1EB8, 0x4009], "float64", "little", "big", 3.14),
    # Decimal digits are read as they are printed; 2**32 + 2 = 0x1_0000_0002.
    ([0x0230], "bcd16", "big", "big", 230),
    ([0x3002], "bcd16", "big", "little", 230),
    ([0x0067, 0x1433], "bcd32", "big", "big", 671433),
    ([0x1433, 0x0067], "bcd32", "little", "big", 671433),
    ([0x0006, 0x7143, 0x3600], "bcd48", "big", "big", 671433600),
    ([0x9999, 0x9999, 0x9999, 0x9999], "bcd64", "big", "big", 9999999999999999),
    ([0x0001, 0x0000, 0x0002], "uint48", "big", "big", 4294967298),
    ([0xFFFE, 0xFFFF, 0xFFFF], "int48", "little", "big", -2),
    # The sign bit before the magnitude.
    ([0x8002], "sm16", "big", "big", -2),
    ([0x0002, 0x8000], "sm32", "little", "big", -2),
]


@pytest.mark.parametrize(
    ("words", "encoding", "word_order", "byte_order", "n"), BY_HAND
)
def test_words_by_hand(words, encoding, word_order, byte_order, n) -> None:
    encoding = Encoding(encoding)
    assert decode_words(words, encoding, word_order, byte_order) == n
    assert list(encode_words(n, encoding, word_order, byte_order)) == words


@pytest.mark.parametrize("encoding", list(Encoding))
@given(data=st.data(), word_order=ORDERS, byte_order=ORDERS)
def test_decode_undoes_encode(encoding, data, word_order, byte_order) -> None:
    numbers = (
        st.floats(width=16 * encoding.words, allow_nan=False)
        if encoding.is_float
        else st.integers(*encoding.limits)
    )
    value = data.draw(numbers)
    words = encode_words(value, encoding, word_order, byte_order)
    assert len(words) == encoding.words
    assert decode_words(words, encoding, word_order, byte_order) == value


@pytest.mark.parametrize("encoding", list(Encoding))
@given(data=st.data(), word_order=ORDERS, byte_order=ORDERS)
def test_encode_undoes_decode(encoding, data, word_order, byte_order) -> None:
    word = st.integers(0, 0xFFFF)
    words = data.draw(st.tuples(*[word] * encoding.words))
    try:
        value = decode_words(words, encoding, word_order, byte_order)
    except DecodeError as exc:
        assert "BCD" in str(exc)  # noqa: PT017 - most words are no decimal digits
        return
    if value == 0 and encoding.startswith("sm"):
        return  # -0 need not survive
    if math.isnan(value):  # a NaN's payload need not survive
        value = decode_words(
            encode_words(value, encoding, word_order, byte_order),
            encoding,
            word_order,
            byte_order,
        )
        assert math.isnan(value)
    else:
        assert encode_words(value, encoding, word_order, byte_order) == words


def test_nan_stays_nan() -> None:
    assert math.isnan(decode_words([0x7FC0, 0x0000], Encoding.FLOAT32))
    assert math.isnan(decode_words([0xFFC0, 0x0000], Encoding.FLOAT32))
    (word,) = struct.unpack(">I", struct.pack(">2H", *encode_words(math.nan, F32)))
    assert word & 0x7F800000 == 0x7F800000


F32 = Encoding.FLOAT32


@pytest.mark.parametrize(
    ("words", "encoding"),
    [([1], "int32"), ([1, 2, 3], "float32"), ([0x10000], "uint16"), ([-1], "int16")],
)
def test_words_that_do_not_fit_are_refused(words, encoding) -> None:
    with pytest.raises(DecodeError, match=f"words of {encoding}"):
        decode_words(words, Encoding(encoding))


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (32768, "int16"),
        (-1, "uint64"),
        (2**63, "int64"),
        (1e39, "float32"),
        (math.nan, "int32"),
        (math.inf, "uint16"),
        (10_000, "bcd16"),
        (-1, "bcd64"),
        (math.nan, "bcd32"),
        (-32768, "sm16"),
        (2**47, "int48"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value, encoding) -> None:
    with pytest.raises(DecodeError, match=f"does not fit {encoding}"):
        encode_words(value, Encoding(encoding))
