"""Columns of numbers to PostgreSQL's binary formats and back, without a loop over rows.

Formats: PostgreSQL documentation, COPY (Binary Format); array_recv in its source for
arrays. All is big-endian; a timestamptz is microseconds since 2000 UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]

_EPOCH_2000_US = 946_684_800_000_000
_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_CHUNK_ROWS = 1024
_NULL_BYTE = 0xFF
_NULL = bytes([_NULL_BYTE] * 4)
"""Length -1 and no data."""
_PLACE_OF_INT = b"\0\0\0\4" + bytes(4)
_LENGTH_OF_TWO = b"\0\0\0\2"
_PLACE_OF_EIGHT = b"\0\0\0\x08" + bytes(8)
"""Length of a number and room for it."""


def copy_chunks(
    number: Int32Array,
    times_us: tuple[IntArray, ...],
    values: FloatArray,
    kind: int,
) -> Iterator[bytes]:
    """Encode rows of an int, times, floats and a smallint for COPY (FORMAT BINARY).

    Rows that lack the same values are put together: such a group has rows of one
    length, which numpy fills column by column. Meters of one profile make one group.
    In it rows come by number and time, as in the index: the server finds neighbours
    faster, what belongs together lies together, and two writers of the same rows wait
    for each other in one direction only.

    Parameters
    ----------
    number : array, shape (n,)
        First column, an int.
    times_us : arrays, shape (n,)
        Next columns, timestamptz. [microseconds since 1970 UTC]
    values : array, shape (n, k)
        Next columns, double precision; NaN becomes NULL.
    kind : int
        Last column, a smallint, the same in all rows.

    Yields
    ------
    bytes
        Chunks small enough for the processor's cache; the server reads one while the
        next is made.

    """
    times = np.stack(times_us, axis=1) - _EPOCH_2000_US
    pattern = np.isnan(values).astype(np.float64) @ 2.0 ** np.arange(values.shape[1])
    yield _COPY_HEADER
    order = np.lexsort((times[:, 0], number, pattern))
    turns = np.flatnonzero(np.diff(pattern[order])) + 1
    for alike in np.split(order, turns):
        for first in range(0, alike.size, _CHUNK_ROWS):
            rows = alike[first : first + _CHUNK_ROWS]
            yield _rows_alike(
                number[rows], times.take(rows, 0), values.take(rows, 0), kind
            )
    yield _COPY_TRAILER


def _rows_alike(
    number: Int32Array, times: IntArray, values: FloatArray, kind: int
) -> bytes:
    """Encode rows that all lack the same values: one row's bytes, filled in for all."""
    lacking = np.isnan(values[0])
    fields = 1 + times.shape[1] + values.shape[1] + 1
    row = bytearray(fields.to_bytes(2, "big"))
    row += _PLACE_OF_INT + _PLACE_OF_EIGHT * times.shape[1]
    filled: list[tuple[int, slice]] = []
    turns = (np.flatnonzero(np.diff(lacking)) + 1).tolist()
    for first, stop in pairwise([0, *turns, lacking.size]):
        if lacking[first]:
            row += _NULL * (stop - first)
        else:
            filled.append((len(row), slice(first, stop)))
            row += _PLACE_OF_EIGHT * (stop - first)
    row += _LENGTH_OF_TWO + kind.to_bytes(2, "big")
    rows = np.empty((number.size, len(row)), dtype=np.uint8)
    rows[:] = np.frombuffer(row, dtype=np.uint8)
    _fill(rows, 2, ">i4", number[:, np.newaxis])
    _fill(rows, 2 + len(_PLACE_OF_INT), ">i8", times)
    for start, run in filled:
        _fill(rows, start, ">f8", values[:, run])
    return rows.tobytes()


def _fill(
    rows: npt.NDArray[np.uint8],
    start: int,
    kind: str,
    numbers: npt.NDArray[np.generic],
) -> None:
    """Put columns of numbers into rows of bytes, the first behind its length there."""
    width = 4 + np.dtype(kind).itemsize
    places: npt.NDArray[np.generic] = np.ndarray(
        numbers.shape, kind, rows.data, start + 4, (rows.shape[1], width)
    )
    places[:] = numbers


def _elements(numbers: npt.NDArray[np.generic], kind: str) -> npt.NDArray[np.uint8]:
    """Encode numbers, each behind its length: shape (n, k) to (n, k * width) bytes."""
    width = 4 + np.dtype(kind).itemsize
    elements = np.empty(numbers.shape, dtype=[("length", ">i4"), ("number", kind)])
    elements["length"], elements["number"] = width - 4, numbers
    return elements.view(np.uint8).reshape(len(numbers), -1)


@dataclass(frozen=True, slots=True)
class _Column:
    """One array parameter, encoded already."""

    data: bytes


class IntColumn(_Column):
    """An int[]."""

    oid: ClassVar[int] = 23


class TimeColumn(_Column):
    """A timestamptz[]."""

    oid: ClassVar[int] = 1184


class FloatColumn(_Column):
    """A double precision[]."""

    oid: ClassVar[int] = 701


def int_column(numbers: Int32Array) -> IntColumn:
    """Encode an int[] parameter."""
    return IntColumn(_array(IntColumn.oid, _elements(numbers, ">i4")))


def time_column(times_us: IntArray) -> TimeColumn:
    """Encode a timestamptz[] parameter from microseconds since 1970 UTC."""
    times = _elements(times_us - _EPOCH_2000_US, ">i8")
    return TimeColumn(_array(TimeColumn.oid, times))


def float_column(values: FloatArray) -> FloatColumn:
    """Encode a double precision[] parameter; NaN becomes NULL."""
    elements, lacking = _elements(values, ">f8"), np.isnan(values)
    return FloatColumn(_array(FloatColumn.oid, elements, lacking))


def _array(
    oid: int,
    elements: npt.NDArray[np.uint8],
    lacking: npt.NDArray[np.bool] | None = None,
) -> bytes:
    n = len(elements)
    if n == 0:
        return np.array([0, 0, oid], dtype=">i4").tobytes()
    has_null = lacking is not None and bool(lacking.any())
    header = np.array([1, has_null, oid, n, 1], dtype=">i4").tobytes()
    if lacking is None or not has_null:
        return header + elements.tobytes()
    elements[lacking, :4] = _NULL_BYTE
    kept = np.ones(elements.shape, dtype=bool)
    kept[lacking, 4:] = False  # a NULL is its length alone
    return header + elements[kept].tobytes()


class _ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Column) -> bytes:
        return obj.data


def _register(column: type[_Column], array_oid: int) -> None:
    dumper = type(f"{column.__name__}Dumper", (_ColumnDumper,), {"oid": array_oid})
    psycopg.adapters.register_dumper(column, dumper)


_register(IntColumn, 1007)
_register(TimeColumn, 1185)
_register(FloatColumn, 1022)


def times_of(data: bytes | None) -> IntArray:
    """Decode `string_agg(timestamptz_send(…), '')`: microseconds since 1970 UTC."""
    return np.frombuffer(data or b"", dtype=">i8").astype(np.int64) + _EPOCH_2000_US


def floats_of(data: bytes | None) -> FloatArray:
    """Decode `string_agg(float8send(coalesce(…, 'NaN')), '')`."""
    return np.frombuffer(data or b"", dtype=">f8").astype(np.float64)


_STEPS = 2.0**20
"""Of a kWh or kvarh, in which settled energy is stored."""


def energy_column(energy: FloatArray) -> FloatColumn:
    """Encode energy as settlement stores it: in steps of 2**-20 kWh or kvarh.

    A decimal such as 85.8 fills all bits of a double, and columnstore cannot shorten
    them; of a whole number of binary steps it leaves out the zeros at the end. Nothing
    is lost: a step is less than a millionth, so each whole number of millionths (mWh)
    has a step of its own, and `energies_of` finds back to it.
    """
    return float_column(np.rint(energy * _STEPS) / _STEPS)


def energies_of(data: bytes | None) -> FloatArray:
    """Decode energy as `floats_of`, to the millionth. Inverse of `energy_column`."""
    return np.rint(floats_of(data) * 1e6) / 1e6
