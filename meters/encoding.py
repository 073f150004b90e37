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
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @property
    def words(self) -> int:
        """How many 16-bit registers one number takes."""
        return struct.calcsize(f">{FORMAT[self]}") // 2

    @property
    def is_float(self) -> bool:
        """Whether it carries IEEE 754 numbers, not whole ones."""
        return self in {Encoding.FLOAT32, Encoding.FLOAT64}

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest whole number that fits; of integer encodings only.

        Examples
        --------
        >>> Encoding.INT16.limits
        (-32768, 32767)

        """
        bits = 16 * self.words
        if self.startswith("u"):
            return 0, 2**bits - 1
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


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
    for count in (1, 2, 4)
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
        If the number of words is not the encoding's, or one has more than 16 bits.

    Examples
    --------
    >>> decode_words([0x4366, 0x8000], Encoding.FLOAT32)
    230.5
    >>> decode_words([0x0001, 0xFFFF], Encoding.INT32, word_order="little")
    -65535

    """
    if word_order == "little":
        words = words[::-1]
    number = _NUMBER[encoding]
    try:
        raw = _WORDS[number.size // 2, byte_order].pack(*words)
    except struct.error as exc:
        raise DecodeError(
            f"{list(words)} are not the {encoding.words} words of {encoding}"
        ) from exc
    value: int | float = number.unpack(raw)[0]
    return value


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
    number = _NUMBER[encoding]
    try:
        raw = number.pack(value if encoding.is_float else round(value))
    except (struct.error, OverflowError, ValueError) as exc:
        raise DecodeError(f"{value} does not fit {encoding}") from exc
    words = _WORDS[number.size // 2, byte_order].unpack(raw)
    return words if word_order == "big" else words[::-1]
