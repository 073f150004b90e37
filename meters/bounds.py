"""What no honest reading can say: checked on each before it is stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meters.meter import Meter
from meters.quantity import COLUMN, REGISTERS, Quantity
from meters.reading import IntArray, ReadingBatch, utc_us
from meters.refusal import Reason

GREATEST = 1e15
"""Beyond what any meter shows, of any quantity: fifteen digits are the most."""
FURTHEST_AHEAD = timedelta(hours=2)
"""A meter's clock may run ahead of ours by this much: more than by an hour of summer
time, on either side, so that no honest reading is refused for it."""
CLOCKS_BEGIN = datetime(1999, 12, 31, tzinfo=UTC)
"""Clocks that were never set count from 1970 or from 2000, in whatever zone."""
_BEGIN_US = utc_us(CLOCKS_BEGIN)
_AHEAD_US = FURTHEST_AHEAD // timedelta(microseconds=1)
_REGISTERS = [COLUMN[quantity] for quantity in REGISTERS]
_EVER = np.iinfo(np.int64)


class Objection(NamedTuple):
    """Why a reading is not believed: the fields of a `Refusal` that follow from it."""

    reason: Reason
    text: str
    """One sentence for people, naming the field and the value."""


def check(
    meter: Meter,
    measured_at: datetime,
    values: Mapping[Quantity, float],
    now: datetime,
) -> Objection | None:
    """Return what speaks against a reading; None if it is to be believed.

    Parameters
    ----------
    meter : Meter
        Who says it.
    measured_at, now : datetime
        With a time zone.
    values : mapping of Quantity to float
        In the quantity's unit.

    Notes
    -----
    A counter that jumps or runs backwards is not judged here: that needs the reading
    before, which late data would make wrong.

    """
    for value in values.values():
        if not -GREATEST <= value <= GREATEST:  # NaN neither
            return _out_of_range(values)
    for quantity in REGISTERS:
        if quantity in values and values[quantity] < 0.0:
            return Objection(
                Reason.NEGATIVE_ENERGY,
                f"{quantity} is {values[quantity]}, but a register counts up from 0.",
            )
    if measured_at - now > FURTHEST_AHEAD:
        return Objection(
            Reason.FAR_FUTURE,
            f"The measured time {measured_at.isoformat()} is more than 2 hours ahead "
            f"of {now.isoformat()}.",
        )
    if measured_at < CLOCKS_BEGIN:
        return Objection(
            Reason.CLOCK_NOT_SET,
            f"The measured time {measured_at.isoformat()} is that of a clock that was "
            "never set.",
        )
    if meter.installed_at is not None and measured_at < meter.installed_at:
        return Objection(
            Reason.BEFORE_INSTALLATION,
            f"The measured time {measured_at.isoformat()} is before meter "
            f"{meter.serial} was installed, {meter.installed_at.isoformat()}.",
        )
    return after_removal(meter, measured_at, "measured")


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a meter was there, in microseconds since 1970 UTC."""

    from_us: int
    until_us: int

    @classmethod
    def of(cls, meter: Meter) -> "Stay":
        """Take a meter's present installation; what is not known bounds nothing."""
        since, until = meter.installed_at, meter.removed_at
        return cls(
            int(_EVER.min) if since is None else utc_us(since),
            int(_EVER.max) if until is None else utc_us(until),
        )


def believable(
    batch: ReadingBatch, from_us: IntArray, until_us: IntArray, now_us: int
) -> npt.NDArray[np.bool_]:
    """Say of each reading of a batch whether `check` finds nothing against it.

    Parameters
    ----------
    batch : ReadingBatch
        n readings.
    from_us, until_us : array, shape (n,)
        The stay of each reading's meter. [microseconds since 1970 UTC]
    now_us : int
        [microseconds since 1970 UTC]

    """
    values, measured_us = batch.values, batch.measured_us
    # NaN, which is nothing given, is neither greater nor less.
    right = ~(np.abs(values) > GREATEST).any(axis=1)
    right &= ~(values[:, _REGISTERS] < 0.0).any(axis=1)
    right &= measured_us <= now_us + _AHEAD_US
    right &= measured_us >= _BEGIN_US
    right &= (from_us <= measured_us) & (measured_us <= until_us)
    return right


def after_removal(meter: Meter, at: datetime, what: str) -> Objection | None:
    """Object to a time at which the meter was there no more.

    The last reading may be of the very instant of removal: it is a register's end.
    """
    if meter.removed_at is None or at <= meter.removed_at:
        return None
    return Objection(
        Reason.AFTER_REMOVAL,
        f"The {what} time {at.isoformat()} is after meter {meter.serial} was removed, "
        f"{meter.removed_at.isoformat()}.",
    )


def _out_of_range(values: Mapping[Quantity, float]) -> Objection:
    """Name the value that is no number, or too great a one."""
    quantity, value = next(
        (q, v) for q, v in values.items() if not -GREATEST <= v <= GREATEST
    )
    if not isfinite(value):
        return Objection(
            Reason.NOT_A_NUMBER, f"{quantity} is {value}, not a finite number."
        )
    return Objection(
        Reason.OUT_OF_RANGE,
        f"{quantity} is {value}, beyond what any meter shows ({GREATEST:g}).",
    )
