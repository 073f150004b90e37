"""Figures of a load curve: peak, load factor, duration, typical day, tariff periods.

Pure: arrays in, numbers out. Formulas: docs/methods.md, Load figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from accounts.calendar import SLOTS, DayArray, DayType
from accounts.tariff import PERIODS, Period
from analytics.percentiles import percentiles

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LEAST_DAYS = 5
"""docs/methods.md: fewer days of a type give no typical day of their own."""
_COARSER: dict[DayType, tuple[tuple[DayType, ...], ...]] = {
    DayType.WORKDAY: ((DayType.WORKDAY,), tuple(DayType)),
    DayType.SATURDAY: (
        (DayType.SATURDAY,),
        (DayType.SATURDAY, DayType.HOLIDAY),
        tuple(DayType),
    ),
    DayType.HOLIDAY: (
        (DayType.HOLIDAY,),
        (DayType.SATURDAY, DayType.HOLIDAY),
        tuple(DayType),
    ),
}


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest load and when it was."""

    kw: float
    index: int
    """Of the interval; the first of equals."""


def peak(power_kw: FloatArray) -> Peak | None:
    """Return the highest load.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean load per interval; NaN = missing. [kW]

    Returns
    -------
    Peak or None
        None if nothing was measured.

    Examples
    --------
    >>> peak(np.array([60.0, np.nan, 120.0]))
    Peak(kw=120.0, index=2)

    """
    if np.isnan(power_kw).all():
        return None
    index = int(np.nanargmax(power_kw))
    return Peak(float(power_kw[index]), index)


def load_factor(power_kw: FloatArray) -> float:
    """Return mean load over peak load.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean load per interval, import positive; NaN = missing. [kW]

    Returns
    -------
    float
        At most 1; NaN if nothing was measured or the peak is not positive. [unitless]

    Examples
    --------
    >>> load_factor(np.array([60.0, np.nan, 120.0, 90.0]))
    0.75

    """
    highest = peak(power_kw)
    if highest is None or highest.kw <= 0:
        return math.nan
    return float(np.nanmean(power_kw) / highest.kw)


@dataclass(frozen=True, slots=True, eq=False)
class LoadDuration:
    """Load in descending order; both arrays have shape (n,)."""

    exceedance: FloatArray
    """Share of the time in which load is at least this high, 0 to 1."""
    kw: FloatArray


def load_duration(power_kw: FloatArray) -> LoadDuration:
    """Return the load duration curve.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean load per interval; NaN = missing, left out. [kW]

    Returns
    -------
    LoadDuration
        The i-th highest of m loads has the exceedance ``(i - 0.5) / m``.

    Examples
    --------
    >>> curve = load_duration(np.array([10.0, 40.0]))
    >>> curve.kw.tolist(), curve.exceedance.tolist()
    ([40.0, 10.0], [0.25, 0.75])

    """
    kw = np.sort(power_kw[~np.isnan(power_kw)])[::-1]
    return LoadDuration((np.arange(kw.size) + 0.5) / max(kw.size, 1), kw)


def exceedance_kw(power_kw: FloatArray, percents: Sequence[float]) -> FloatArray:
    """Return the loads that are exceeded for given shares of the time.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean load per interval; NaN = missing, left out. [kW]
    percents
        Shares of the time. [%]

    Returns
    -------
    array, shape (len(percents),)
        Linear between loads; NaN if nothing was measured. [kW]

    Examples
    --------
    >>> exceedance_kw(np.array([10.0, 20.0, 30.0]), [0, 50]).tolist()
    [30.0, 20.0]

    """
    return percentiles(power_kw, [100 - percent for percent in percents])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DayGrid:
    """Load laid out by local day and wall-clock slot."""

    days: DayArray
    """shape (days,), each local day from the first to the last"""
    power_kw: FloatArray
    """shape (days, 96); NaN = missing, and the hour that spring leaves out"""

    def row(self, day: date) -> int:
        """Return the row of a day, which must be one of `days`."""
        return int((np.datetime64(day, "D") - self.days[0]).astype(np.int64))


def day_grid(power_kw: FloatArray, local_day: DayArray, slot: IntArray) -> DayGrid:
    """Lay load out by local day and slot.

    Parameters
    ----------
    power_kw : array, shape (n,)
        Mean load per quarter-hour; NaN = missing. [kW]
    local_day : array of datetime64[D], shape (n,)
    slot : array, shape (n,)
        Both as of `SiteCalendar.days_and_slots`.

    Returns
    -------
    DayGrid
        Where autumn's clock shows a slot twice, the mean of both.

    """
    if local_day.size == 0:
        return DayGrid(days=local_day, power_kw=np.empty((0, SLOTS)))
    first = local_day.min()
    days = np.arange(first, local_day.max() + 1)
    known = ~np.isnan(power_kw)
    cell = ((local_day - first).astype(np.int64) * SLOTS + slot)[known]
    count = np.bincount(cell, minlength=days.size * SLOTS)
    total_kw = np.bincount(cell, weights=power_kw[known], minlength=count.size)
    mean_kw = np.full(count.size, math.nan)
    np.divide(total_kw, count, out=mean_kw, where=count > 0)
    return DayGrid(days=days, power_kw=mean_kw.reshape(days.size, SLOTS))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TypicalDay:
    """The middle of several days; arrays have shape (96,), NaN where nothing is known.

    p10 and p90 hold four days in five between them.
    """

    median_kw: FloatArray
    p10_kw: FloatArray
    p90_kw: FloatArray
    days: int
    """How many days it was made of."""
    day_types: tuple[DayType, ...]
    """More than the wanted one if there were too few of it."""


def typical_day(
    grid_kw: FloatArray,
    day_type: npt.NDArray[np.str_],
    wanted: DayType,
    *,
    least_days: int = LEAST_DAYS,
) -> TypicalDay | None:
    """Return the typical day of a type, or of a coarser one if there are too few.

    Parameters
    ----------
    grid_kw : array, shape (days, 96)
        Mean load by local day and slot; NaN = missing. [kW]
    day_type : array, shape (days,)
        Values of `DayType`.
    wanted : DayType
    least_days : int
        With fewer, Saturdays and holidays count together, then all days.

    Returns
    -------
    TypicalDay or None
        None without any day of the wanted type that has a value.

    """
    seen = ~np.isnan(grid_kw).all(axis=1)
    if not (seen & (day_type == wanted)).any():
        return None
    for types in _COARSER[wanted]:
        chosen = seen & np.isin(day_type, [t.value for t in types])
        if chosen.sum() >= least_days or types == tuple(DayType):
            break
    p10_kw, median_kw, p90_kw = percentiles(grid_kw[chosen], [10, 50, 90])
    return TypicalDay(
        median_kw=median_kw,
        p10_kw=p10_kw,
        p90_kw=p90_kw,
        days=int(chosen.sum()),
        day_types=types,
    )


def tou_split(
    kwh: FloatArray, slot: IntArray, period_of_slot: IntArray
) -> dict[Period, float]:
    """Return the energy in each period of a tariff.

    Parameters
    ----------
    kwh : array, shape (n,)
        Energy per interval; NaN = missing, left out. [kWh]
    slot : array, shape (n,)
        Wall-clock quarter-hour in which each interval starts, 0 to 95.
    period_of_slot : array, shape (96,)
        Index into `accounts.tariff.PERIODS`, as of `Tariff.period_of_slot`.

    Returns
    -------
    dict
        Every period, in kWh.

    """
    known = ~np.isnan(kwh)
    total = np.bincount(
        period_of_slot[slot[known]], weights=kwh[known], minlength=len(PERIODS)
    )
    return dict(zip(PERIODS, total.tolist(), strict=True))
