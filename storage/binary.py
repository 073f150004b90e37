"""Columns of numbers to PostgreSQL's binary formats and back, without a loop over rows.

Formats: PostgreSQL documentation, COPY (Binary Format); array_recv in its source for
arrays. All is big-endian; a timestamptz is microseconds since 2000 UTC.
"""

from dataclasses import dataclass
from functools import lru_cache
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
_NULL = -1


def copy_bytes(
    number: Int32Array, times_us: tuple[IntArray, ...], values: FloatArray
) -> bytes:
    """Encode rows of one int, some times and some floats for COPY (FORMAT BINARY).

    Rows that lack the same values are put together: such a group has rows of one
    length, which numpy fills column by column. Meters of one profile make one group.

    Parameters
    ----------
    number : array, shape (n,)
        First column, an int.
    times_us : arrays, shape (n,)
        Next columns, timestamptz. [microseconds since 1970 UTC]
    values : array, shape (n, k)
        Last columns, double precision; NaN becomes NULL.

    """
    times = np.stack(times_us, axis=1) - _EPOCH_2000_US
    lacking = np.isnan(values)
    if number.size == 0 or (lacking == lacking[0]).all():
        blocks = [_rows_alike(number, times, values)]
    else:
        bits = np.packbits(lacking, axis=1)
        _, group = np.unique(bits, axis=0, return_inverse=True)
        alike = [np.flatnonzero(group == i) for i in range(int(group.max()) + 1)]
        blocks = [_rows_alike(number[i], times[i], values[i]) for i in alike]
    return b"".join([_COPY_HEADER, *blocks, _COPY_TRAILER])


def _rows_alike(number: Int32Array, times: IntArray, values: FloatArray) -> bytes:
    """Encode rows that all lack the same values."""
    if number.size == 0:
        return b""
    given = np.flatnonzero(~np.isnan(values[0]))
    template = _row(times.shape[1], values.shape[1], tuple(given.tolist()))
    rows = np.repeat(template, number.size)
    rows["number"] = number
    for i in range(times.shape[1]):
        rows[f"time{i}"] = times[:, i]
    for column in given.tolist():
        rows[f"value{column}"] = values[:, column]
    return rows.tobytes()


@lru_cache(maxsize=256)
def _row(times: int, values: int, given: tuple[int, ...]) -> npt.NDArray[np.void]:
    """Make an array of one row: its field count and lengths, its data zero."""
    fields = [("count", ">i2"), ("length_of_number", ">i4"), ("number", ">i4")]
    for i in range(times):
        fields += [(f"length_of_time{i}", ">i4"), (f"time{i}", ">i8")]
    for i in range(values):
        fields.append((f"length_of_value{i}", ">i4"))
        if i in given:
            fields.append((f"value{i}", ">f8"))
    row = np.zeros(1, dtype=fields)
    row["count"] = 1 + times + values
    row["length_of_number"] = 4
    for i in range(times):
        row[f"length_of_time{i}"] = 8
    for i in range(values):
        row[f"length_of_value{i}"] = 8 if i in given else _NULL
    return row


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
    return IntColumn(_array(IntColumn.oid, numbers.astype(">i4")))


def time_column(times_us: IntArray) -> TimeColumn:
    """Encode a timestamptz[] parameter from microseconds since 1970 UTC."""
    times = (times_us - _EPOCH_2000_US).astype(">i8")
    return TimeColumn(_array(TimeColumn.oid, times))


def float_column(values: FloatArray) -> FloatColumn:
    """Encode a double precision[] parameter; NaN becomes NULL."""
    return FloatColumn(_array(FloatColumn.oid, values.astype(">f8"), np.isnan(values)))


def _array(
    oid: int,
    numbers: npt.NDArray[np.generic],
    lacking: npt.NDArray[np.bool] | None = None,
) -> bytes:
    if numbers.size == 0:
        return np.array([0, 0, oid], dtype=">i4").tobytes()
    width = numbers.dtype.itemsize
    elements = np.empty(
        numbers.size, dtype=[("length", ">i4"), ("number", numbers.dtype)]
    )
    elements["length"], elements["number"] = width, numbers
    has_null = lacking is not None and bool(lacking.any())
    header = np.array([1, has_null, oid, numbers.size, 1], dtype=">i4").tobytes()
    if lacking is None or not has_null:
        return header + elements.tobytes()
    elements["length"][lacking] = _NULL
    wide = elements.view(np.uint8).reshape(numbers.size, 4 + width)
    kept = np.ones(wide.shape, dtype=bool)
    kept[lacking, 4:] = False  # a NULL is its length alone
    return header + wide[kept].tobytes()


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
