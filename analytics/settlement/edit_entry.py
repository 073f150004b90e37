"""What a person types of an edit becomes values: one interval, or a run of them. Pure.

Errors: `EditError`, one sentence with what was typed and the remedy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction

import numpy as np

from analytics.settlement.edited_values import (
    LENGTH_MIN,
    MOST,
    EditedValues,
    EditError,
    at_text,
)
from analytics.settlement.edits import DECIMALS, FINEST
from analytics.settlement.intervals import FloatArray, IntArray
from analytics.settlement.quanta import as_energy, shared_out
from meters.quantity import REGISTERS, Quantity
from meters.reading import utc_us

LENGTH = timedelta(minutes=LENGTH_MIN)
MOST_DAYS = 366
"""Of one run: more is a mistyped year."""
_IMPORT = Quantity.ENERGY_IMPORT_KWH
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_LONGEST = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Quarter-hours one after the other: [start, stop)."""

    start: datetime
    stop: datetime

    @property
    def start_us(self) -> IntArray:
        """Starts of its intervals. [microseconds since 1970 UTC]."""
        step = LENGTH // timedelta(microseconds=1)
        return np.arange(utc_us(self.start), utc_us(self.stop), step, dtype=np.int64)


def run_of(start: datetime, stop: datetime | None, zone: tzinfo) -> Run:
    """Return the run of quarter-hours between two times; without a stop, one.

    Parameters
    ----------
    start, stop : datetime
        Aware.
    zone : tzinfo
        In which a refusal tells times.

    Raises
    ------
    EditError
        A time begins no quarter-hour, the run ends before it begins, or is longer than
        a year.

    """
    for moment in (start, stop):
        if moment is not None and utc_us(moment) % (LENGTH_MIN * 60_000_000):
            told = moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")
            raise EditError(
                f"{told} begins no quarter-hour; give the start of one, such as"
                f" {at_text(_floor_us(moment), zone)}."
            )
    stop = stop or start + LENGTH
    if stop <= start:
        raise EditError(
            f"The edit ends at {at_text(utc_us(stop), zone)}, not after"
            f" {at_text(utc_us(start), zone)}; give a later end."
        )
    if stop - start > timedelta(days=MOST_DAYS):
        raise EditError(
            f"{(stop - start).days} days are more than an edit can have; edit each"
            " year by itself."
        )
    return Run(start=start, stop=stop)


def _floor_us(moment: datetime) -> int:
    length_us = LENGTH_MIN * 60_000_000
    return utc_us(moment) // length_us * length_us


def amount_typed(text: str, what: str) -> Decimal:
    """Read an energy as it was typed, to its last decimal.

    Raises
    ------
    EditError
        It is no number, less than 0, too large, or finer than `DECIMALS` decimals.

    Examples
    --------
    >>> amount_typed("12.50", "import_kwh")
    Decimal('12.50')

    """
    typed = text.strip()
    if not _NUMBER.fullmatch(typed) or len(typed) > _LONGEST:
        shown = typed if len(typed) <= _LONGEST else f"{typed[:_LONGEST]}…"
        raise EditError(f"{what} is {shown!r}; write a number like 12.5.")
    amount = Decimal(typed)
    if amount < 0:
        raise EditError(f"{what} is {typed}; give 0 or more.")
    if amount >= MOST:
        raise EditError(f"{what} is {typed}; give less than {MOST:,.0f}.")
    if Fraction(amount) % FINEST:
        raise EditError(f"{what} is {typed}; give at most {DECIMALS} decimals.")
    return amount.copy_abs()


def even_shares(total: Decimal, count: int) -> FloatArray:
    """Share an energy out evenly, in steps of `FINEST`: the shares sum to it exactly.

    Parameters
    ----------
    total : Decimal
        As `amount_typed` returns it. [kWh or kvarh]
    count : int

    Returns
    -------
    array, shape (count,)
        [kWh or kvarh]

    Examples
    --------
    >>> even_shares(Decimal("10"), 3).tolist()
    [3.3333, 3.3334, 3.3333]

    """
    steps = int(Fraction(total) / FINEST)
    even = np.ones(count, dtype=np.int64)
    return as_energy(shared_out(steps, even.astype(np.float64), even), FINEST)


def values_of(
    run: Run,
    *,
    each_kwh: Decimal | None,
    total_kwh: Decimal | None,
    others: Mapping[Quantity, Decimal | None],
) -> EditedValues:
    """Return what to set in a run.

    Parameters
    ----------
    run : Run
    each_kwh, total_kwh : Decimal
        Import of each interval, or of all of them, shared out evenly. [kWh]
    others
        What the other registers counted in each interval; None = as settled.

    Raises
    ------
    EditError
        Not exactly one of the two is given.

    """
    if (each_kwh is None) == (total_kwh is None):
        raise EditError(
            "Give either --kwh, for each quarter-hour, or --total-kwh, for all of them"
            " together."
        )
    start_us = run.start_us
    count = start_us.size
    columns: dict[Quantity, FloatArray] = {
        quantity: np.full(count, np.nan if amount is None else float(amount))
        for quantity in REGISTERS
        for amount in (others.get(quantity),)
    }
    if total_kwh is not None:
        columns[_IMPORT] = even_shares(total_kwh, count)
    elif each_kwh is not None:
        columns[_IMPORT] = np.full(count, float(each_kwh))
    return EditedValues.of_columns(start_us, columns)
