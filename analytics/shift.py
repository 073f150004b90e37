"""What one piece of equipment would save by running at another time. Pure.

The single best start of one uninterrupted run on a working day (docs/methods.md).
"""

from dataclasses import dataclass
from datetime import time

import numpy as np
import numpy.typing as npt

from accounts.calendar import SLOT_MIN, SLOTS
from accounts.equipment import ShiftableProcess

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEAST_SAVING = 0.01
"""A saving below this a day is none. [currency]"""
_HOURS = SLOT_MIN / 60
_NOTHING_KW = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftHint:
    """The best start of a process, and what it is worth on a typical working day."""

    process: str
    from_start: time
    """Local, as the process runs today."""
    to_start: time
    moved_kwh: float
    """Energy that leaves its quarter-hours; where both runs overlap nothing moves."""
    usual_cost: float
    """Energy of the process, and demand of the site, as today. [currency per day]"""
    new_cost: float
    peak_kw: float
    """Of the site, as today."""
    new_peak_kw: float
    """Never above `peak_kw`."""

    @property
    def saved(self) -> float:
        """Money saved on a working day, in the tariff's currency."""
        return self.usual_cost - self.new_cost


def best_shift(
    process: ShiftableProcess,
    price_of_slot: FloatArray,
    load_kw: FloatArray,
    demand_price_per_kw_day: float = 0.0,
) -> ShiftHint | None:
    """Return the start at which a process costs least.

    Parameters
    ----------
    process : ShiftableProcess
    price_of_slot : array, shape (96,)
        Energy price of each local quarter-hour. [currency per kWh]
    load_kw : array, shape (96,)
        The site's typical working day, the process included where it usually runs;
        NaN = not known. [kW]
    demand_price_per_kw_day : float
        Price of the site's peak, as far as one day answers for it. [currency per kW]

    Returns
    -------
    ShiftHint or None
        Of starts that cost the same, the one nearest to the usual. None if no start
        saves a cent a day without raising the site's peak. A run through quarter-hours
        whose load is not known is not advised.

    Examples
    --------
    A heater of 100 kW runs for 2 h from 09:00; the night, to 08:00, is half as dear.

    >>> heater = ShiftableProcess(
    ...     name="Heater", power_kw=100.0, duration_min=120, usual_start=time(9, 0),
    ...     earliest_start=time(0, 0), latest_end=time(12, 0),
    ... )
    >>> price = np.where(np.arange(96) < 32, 0.3, 0.6)
    >>> load_kw = np.full(96, 500.0)
    >>> load_kw[36:44] += 100.0
    >>> hint = best_shift(heater, price, load_kw)
    >>> str(hint.to_start), hint.moved_kwh, round(hint.saved, 2)
    ('06:00:00', 200.0, 60.0)

    """
    if np.isnan(load_kw).all():
        return None
    starts = np.array(process.start_slots, dtype=np.int64)
    usual = _runs(np.array([process.usual_slot]), process.slots)[0]
    runs = _runs(starts, process.slots)
    base_kw = np.maximum(load_kw - usual * process.power_kw, 0.0)
    peak_kw = float(np.nanmax(load_kw))
    new_peak_kw = np.nanmax(base_kw + runs * process.power_kw, axis=1)
    cost = runs @ price_of_slot * process.power_kw * _HOURS
    cost = cost + demand_price_per_kw_day * new_peak_kw
    known = ~(runs & np.isnan(load_kw)).any(axis=1)
    legal = known & (new_peak_kw <= peak_kw + _NOTHING_KW)
    usual_cost = float(usual @ price_of_slot) * process.power_kw * _HOURS
    usual_cost += demand_price_per_kw_day * peak_kw
    if not legal.any() or usual_cost - cost[legal].min() < LEAST_SAVING:
        return None
    best = _nearest_of_the_cheapest(starts, cost, legal, process.usual_slot)
    return ShiftHint(
        process=process.name,
        from_start=process.usual_start,
        to_start=_time_of(int(starts[best])),
        moved_kwh=float((runs[best] & ~usual).sum()) * process.power_kw * _HOURS,
        usual_cost=usual_cost,
        new_cost=float(cost[best]),
        peak_kw=peak_kw,
        new_peak_kw=float(min(new_peak_kw[best], peak_kw)),
    )


def _runs(starts: IntArray, length: int) -> BoolArray:
    """Return in which slots a run from each start is on, shape (starts, 96)."""
    slot = np.arange(SLOTS)
    first = starts[:, None]
    return (slot >= first) & (slot < first + length)


def _nearest_of_the_cheapest(
    starts: IntArray, cost: FloatArray, legal: BoolArray, usual_slot: int
) -> int:
    """Return the row; a millionth of the money is not worth a longer shift."""
    cheapest = cost[legal].min()
    as_cheap = np.flatnonzero(legal & (cost <= cheapest + 1e-6 * abs(cheapest)))
    distance = np.abs(starts[as_cheap] - usual_slot)
    return int(as_cheap[distance.argmin()])


def _time_of(slot: int) -> time:
    hour, quarter = divmod(slot, 60 // SLOT_MIN)
    return time(hour, quarter * SLOT_MIN)
