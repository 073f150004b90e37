"""What a period costs: energy by time of use, and the highest quarter-hour. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from accounts.calendar import DayArray
from accounts.tariff import PERIODS, Period, Tariff
from analytics.load import tou_split

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyLine:
    """Energy of one time-of-use period."""

    period: Period
    kwh: float
    price: Decimal
    """[currency per kWh]"""
    charge: Decimal
    """Rounded half-up to 0.01."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthPeak:
    """The highest quarter-hour of a month; the first of equals."""

    month: date
    """Its first day."""
    row: int
    """Which of the quarter-hours that were given."""
    kw: float


def energy_lines(
    kwh: FloatArray, slot: IntArray, tariff: Tariff
) -> tuple[EnergyLine, ...]:
    """Price energy by the period in which it flowed.

    Parameters
    ----------
    kwh : array, shape (n,)
        Energy of each quarter-hour; NaN = not known, left out. [kWh]
    slot : array, shape (n,)
        Wall-clock quarter-hour in which each starts, 0 to 95.
    tariff : Tariff

    Returns
    -------
    tuple of EnergyLine
        One of each period, in the order of `PERIODS`.

    """
    split = tou_split(kwh, slot, tariff.period_of_slot())
    charges = tariff.energy_lines(split)
    return tuple(
        EnergyLine(
            period=period,
            kwh=round(split[period], 6),
            price=tariff.price(period),
            charge=charges[period],
        )
        for period in PERIODS
    )


def month_peaks(power_kw: FloatArray, local_day: DayArray) -> tuple[MonthPeak, ...]:
    """Return the highest quarter-hour of each month; a month without any is absent.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean power; NaN = not known. [kW]
    local_day : array of datetime64[D], shape (n,)
        Ascending.

    Examples
    --------
    >>> days = np.array(["2026-01-31", "2026-01-31", "2026-02-01"], "datetime64[D]")
    >>> [(p.month.month, p.kw) for p in month_peaks(np.array([3.0, 5.0, 4.0]), days)]
    [(1, 5.0), (2, 4.0)]

    """
    of_month = local_day.astype("datetime64[M]")
    peaks = []
    for month in np.unique(of_month):
        rows = np.flatnonzero((of_month == month) & ~np.isnan(power_kw))
        if rows.size:
            row = int(rows[int(np.argmax(power_kw[rows]))])
            first = month.astype("datetime64[D]").astype(object)
            peaks.append(MonthPeak(month=first, row=row, kw=float(power_kw[row])))
    return tuple(peaks)


def summed(points: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return the energy of several points together, in each quarter-hour.

    Parameters
    ----------
    points : sequence of array, shape (n,)
        NaN = not known; inf = the point has no such interval. [kWh]

    Returns
    -------
    known_kwh : array, shape (n,)
        Sum of what is known; NaN where nothing is.
    whole_kwh : array, shape (n,)
        NaN also where a point that should be known is not.

    Examples
    --------
    >>> known, whole = summed([np.array([1.0, 2.0]), np.array([4.0, np.nan])])
    >>> known.tolist(), whole.tolist()
    ([5.0, 2.0], [5.0, nan])

    """
    each = np.array(points, dtype=np.float64)
    absent = np.isinf(each)
    known = ~np.isnan(each) & ~absent
    total = np.where(known, each, 0.0).sum(axis=0)
    known_kwh = np.where(known.any(axis=0), total, np.nan)
    return known_kwh, np.where((known | absent).all(axis=0), known_kwh, np.nan)
