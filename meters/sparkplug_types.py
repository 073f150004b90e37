"""Data types of Sparkplug B metrics, as far as they can be numbers. Pure."""

from enum import IntEnum

Value = int | float | bool | str | bytes | None
"""As it stands in protobuf: whole numbers without a sign."""


class DataType(IntEnum):
    """How a metric's value is meant, as far as it can be a number."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14


_BITS: dict[int | None, int] = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
}
_SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
_FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE})
_TEXTS = frozenset({DataType.STRING, DataType.TEXT})


def number_of(value: Value, datatype: int | None) -> Value:
    """Return a value as its data type means it.

    Parameters
    ----------
    value : int, float, bool, str, bytes or None
        As it stands in protobuf.
    datatype : int or None
        From its birth.

    Returns
    -------
    float, int, str or None
        A number; a text of text types; None of types that can be neither, and where
        the value does not fit the type.

    Examples
    --------
    >>> number_of(0xFFFFFFFE, DataType.INT32)
    -2
    >>> number_of(0xFE, DataType.INT8)
    -2

    """
    if datatype in _TEXTS:
        return value if isinstance(value, str) else None
    if isinstance(value, (bool, str, bytes)) or value is None:
        return None
    if isinstance(value, float):
        return value if datatype in _FLOATS else None
    bits = _BITS.get(datatype)
    if bits is None:
        return None
    if datatype not in _SIGNED:
        return value if value < 1 << bits else None
    return _signed(value, bits)


def _signed(value: int, bits: int) -> int | None:
    """Read two's complement, sent in so many bits or with its sign spread to 32 or 64.

    Examples
    --------
    >>> _signed(0xFFFFFF80, 8), _signed(0x80, 8), _signed(0x180, 8)
    (-128, -128, None)

    """
    if value < 1 << bits:
        return value - (1 << bits) if value >> (bits - 1) else value
    for width in (32, 64):
        spread = value - (1 << width)
        if -(1 << (bits - 1)) <= spread < 0:
            return spread
    return None
