"""Words to numbers and back: how a meter lays a value into 16-bit registers. Pure."""

import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

Order = Literal["big", "little"]
"""`big`: the most significant part comes first."""


class DecodeError(ValueError):
    """Words and encoding do not fit each other."""


class Encoding(StrEnum):
    """How consecutive registers carry one number."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT48 = "int48"
    UINT48 = "uint48"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    """Four decimal digits, four bits each; never negative."""
    BCD32 = "bcd32"
    BCD48 = "bcd48"
    BCD64 = "bcd64"
    SIGNED_MAGNITUDE16 = "sm16"
    """The first bit is the sign, the others are the magnitude."""
    SIGNED_MAGNITUDE32 = "sm32"

    @property
    def words(self) -> int:
        """How many 16-bit registers one number takes."""
        return int(self[-2:]) // 16

    @property
    def is_float(self) -> bool:
        """Whether it carries IEEE 754 numbers, not whole ones."""
        return self in {Encoding.FLOAT32, Encoding.FLOAT64}

    @property
    def is_plain(self) -> bool:
        """Whether the struct module has a letter for it."""
        return self in FORMAT

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest whole number that fits; not of floats.

        Examples
        --------
        >>> Encoding.INT16.limits
        (-32768, 32767)
        >>> Encoding.BCD16.limits
        (0, 9999)

        """
        bits = 16 * self.words
        if self.startswith("bcd"):
            return 0, int(10 ** (bits // 4)) - 1
        if self.startswith("u"):
            return 0, 2**bits - 1
        greatest = 2 ** (bits - 1) - 1
        return (-greatest if self.startswith("sm") else -greatest - 1), greatest


FORMAT = {
    Encoding.INT16: "h",
    Encoding.UINT16: "H",
    Encoding.INT32: "i",
    Encoding.UINT32: "I",
    Encoding.INT64: "q",
    Encoding.UINT64: "Q",
    Encoding.FLOAT32: "f",
    Encoding.FLOAT64: "d",
}
"""Letters of the struct module."""
_WORDS = {
    (count, order): struct.Struct(f"{'>' if order == 'big' else '<'}{count}H")
    for count in (1, 2, 3, 4)
    for order in ("big", "little")
}
_NUMBER = {encoding: struct.Struct(f">{letter}") for encoding, letter in FORMAT.items()}


def decode_words(
    words: Sequence[int],
    encoding: Encoding,
    word_order: Order = "big",
    byte_order: Order = "big",
) -> int | float:
    """Return the unscaled number in 16-bit registers; NaN stays NaN.

    Parameters
    ----------
    words : sequence of int
        As many 16-bit words as the encoding takes, in the order of their addresses.
    encoding : Encoding
        How they carry the number.
    word_order : {"big", "little"}
        `little`: the word at the lowest address is the least significant.
    byte_order : {"big", "little"}
        `little`: the bytes within each word are swapped too.

    Raises
    ------
    DecodeError
        If the number of words is not the encoding's, one has more than 16 bits, or a
        decimal digit is none.

    Examples
    --------
    >>> decode_words([0x4366, 0x8000], Encoding.FLOAT32)
    230.5
    >>> decode_words([0x0001, 0xFFFF], Encoding.INT32, word_order="little")
    -65535
    >>> decode_words([0x0067, 0x1433], Encoding.BCD32)
    671433

    """
    raw = bits_of(words, encoding, word_order, byte_order)
    return number_in(raw, encoding)


def bits_of(
    words: Sequence[int],
    encoding: Encoding,
    word_order: Order = "big",
    byte_order: Order = "big",
) -> bytes:
    """Return the bytes of one number, most significant first, as manuals print them.

    Raises
    ------
    DecodeError
        If the number of words is not the encoding's, or one has more than 16 bits.

    """
    if word_order == "little":
        words = words[::-1]
    try:
        return _WORDS[encoding.words, byte_order].pack(*words)
    except struct.error as exc:
        raise DecodeError(
            f"{list(words)} are not the {encoding.words} words of {encoding}"
        ) from exc


def number_in(raw: bytes, encoding: Encoding) -> int | float:
    """Return the number that bytes carry, most significant first.

    Raises
    ------
    DecodeError
        If a decimal digit is none.

    """
    if encoding in _NUMBER:
        value: int | float = _NUMBER[encoding].unpack(raw)[0]
        return value
    if encoding.startswith("bcd"):
        digits = raw.hex()
        if not digits.isdecimal():
            raise DecodeError(f"{digits.upper()} is not of the decimal digits of BCD")
        return int(digits)
    number = int.from_bytes(raw, signed=encoding is Encoding.INT48)
    if encoding.startswith("sm"):
        magnitude = number & encoding.limits[1]
        return magnitude if magnitude == number else -magnitude
    return number


def encode_words(
    value: float,
    encoding: Encoding,
    word_order: Order = "big",
    byte_order: Order = "big",
) -> tuple[int, ...]:
    """Inverse of `decode_words`; integer encodings round to the nearest whole number.

    Raises
    ------
    DecodeError
        If the value does not fit the encoding.

    Examples
    --------
    >>> encode_words(-2, Encoding.INT32, word_order="little")
    (65534, 65535)

    """
    try:
        raw = _bytes_with(value, encoding)
    except (struct.error, OverflowError, ValueError) as exc:
        raise DecodeError(f"{value} does not fit {encoding}") from exc
    return words_of(raw, word_order, byte_order)


def words_of(
    raw: bytes, word_order: Order = "big", byte_order: Order = "big"
) -> tuple[int, ...]:
    """Inverse of `bits_of`."""
    words = _WORDS[len(raw) // 2, byte_order].unpack(raw)
    return words if word_order == "big" else words[::-1]


def _bytes_with(value: float, encoding: Encoding) -> bytes:
    """Lay a number into bytes; ValueError and the like where it does not fit."""
    if encoding.is_float:
        return _NUMBER[encoding].pack(value)
    number = round(value)
    least, greatest = encoding.limits
    if not least <= number <= greatest:
        raise OverflowError(number)
    size = 2 * encoding.words
    if encoding.startswith("bcd"):
        return bytes.fromhex(f"{number:0{2 * size}}")
    if encoding.startswith("sm") and number < 0:
        number = greatest + 1 - number
        return number.to_bytes(size)
    return number.to_bytes(size, signed=number < 0)
