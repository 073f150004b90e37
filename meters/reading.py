"""What one meter said at one instant, alone and by the column."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby

import numpy as np
import numpy.typing as npt

from meters.quantity import QUANTITIES, Quantity

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_GIVEN = [math.nan] * len(QUANTITIES)
_MICROSECOND = timedelta(microseconds=1)


def utc_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exactly.

    Examples
    --------
    >>> utc_us(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000

    """
    return (moment - _EPOCH) // _MICROSECOND


def from_utc_us(microseconds: int) -> datetime:
    """Inverse of `utc_us`."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


class Source(StrEnum):
    """How a reading came to us."""

    PUSHED = "pushed"
    """The meter sent it by itself."""
    POLLED = "polled"
    """It was asked, and said what it showed."""
    LOAD_PROFILE = "load-profile"
    """It was asked afterwards for what it had recorded."""
    IMPORTED = "imported"
    """It came in a file that somebody imported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Cumulative registers and momentary values of one meter at one instant."""

    meter_id: int
    measured_at: datetime
    """When it was true, by the meter's clock if it has one."""
    received_at: datetime
    """When we learnt it; late data keeps both."""
    values: Mapping[Quantity, float]
    """What the meter gave, in the quantity's unit; what it did not give is absent."""

    def __post_init__(self) -> None:
        """Refuse a time without a zone."""
        if self.measured_at.tzinfo is None or self.received_at.tzinfo is None:
            raise ValueError("a reading's times need a time zone")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingBatch:
    """Readings by the column: the form in which they are written and computed with.

    All arrays have the length n of the batch.
    """

    meter_id: npt.NDArray[np.int32]
    """shape (n,)"""
    measured_us: IntArray
    """shape (n,), microseconds since 1970 UTC"""
    received_us: IntArray
    """shape (n,), microseconds since 1970 UTC"""
    values: FloatArray
    """shape (n, len(QUANTITIES)), columns in order of `Quantity`; NaN = not given"""

    def __len__(self) -> int:
        """Count the readings."""
        return int(self.meter_id.size)

    def __getitem__(self, rows: slice | npt.NDArray[np.generic]) -> "ReadingBatch":
        """Take some of the readings: a slice, a mask or their numbers."""
        return ReadingBatch(
            meter_id=self.meter_id[rows],
            measured_us=self.measured_us[rows],
            received_us=self.received_us[rows],
            values=self.values[rows],
        )

    def readings(self) -> list[Reading]:
        """Take it apart, where single readings are shown or judged."""
        return [
            Reading(
                meter_id=int(self.meter_id[row]),
                measured_at=from_utc_us(self.measured_us[row]),
                received_at=from_utc_us(self.received_us[row]),
                values={
                    quantity: float(value)
                    for quantity, value in zip(
                        QUANTITIES, self.values[row], strict=True
                    )
                    if not math.isnan(value)
                },
            )
            for row in range(len(self))
        ]


class OneReading(ReadingBatch):
    """A batch of one, as every poll makes it: its columns are made when looked at.

    numpy takes longer over so small a batch than all else that is done with a poll, and
    many of them, joined, take it once.
    """

    __slots__ = ("reading",)
    reading: Reading

    def __init__(self, reading: Reading) -> None:
        object.__setattr__(self, "reading", reading)  # it is frozen

    def __len__(self) -> int:
        """Count the readings."""
        return 1

    def __getattr__(self, name: str) -> object:
        """Make the columns, the first time that one is missing."""
        if name not in _COLUMNS:
            raise AttributeError(name)
        for column, made in zip(_COLUMNS, _columns([self.reading]), strict=True):
            object.__setattr__(self, column, made)
        return object.__getattribute__(self, name)


_COLUMNS = ("meter_id", "measured_us", "received_us", "values")
_Columns = tuple[npt.NDArray[np.int32], IntArray, IntArray, FloatArray]


def _columns(readings: Sequence[Reading]) -> _Columns:
    """Lay readings out by the column, in the order of `ReadingBatch`."""
    values = np.array(
        [[*map(reading.values.get, QUANTITIES, _NOT_GIVEN)] for reading in readings],
        dtype=np.float64,
    )
    return (
        np.array([r.meter_id for r in readings], dtype=np.int32),
        np.array([utc_us(r.measured_at) for r in readings], dtype=np.int64),
        np.array([utc_us(r.received_at) for r in readings], dtype=np.int64),
        values.reshape(-1, len(QUANTITIES)),
    )


def batch_of(readings: Sequence[Reading]) -> ReadingBatch:
    """Turn readings into columns, in their order."""
    if len(readings) == 1:
        return OneReading(readings[0])
    meter_id, measured_us, received_us, values = _columns(readings)
    return ReadingBatch(
        meter_id=meter_id,
        measured_us=measured_us,
        received_us=received_us,
        values=values,
    )


def joined(batches: Iterable[ReadingBatch]) -> ReadingBatch:
    """Lay batches end to end."""
    parts: list[ReadingBatch] = []
    for is_one, run in groupby(batches, lambda batch: isinstance(batch, OneReading)):
        if is_one:
            ones = [batch.reading for batch in run if isinstance(batch, OneReading)]
            parts.append(batch_of(ones))
        else:
            parts += run
    if not parts:
        return batch_of([])
    return ReadingBatch(
        meter_id=np.concatenate([b.meter_id for b in parts]),
        measured_us=np.concatenate([b.measured_us for b in parts]),
        received_us=np.concatenate([b.received_us for b in parts]),
        values=np.concatenate([b.values for b in parts]),
    )
