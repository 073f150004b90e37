"""A meter's own intervals as a load profile of its point: whole counts. Pure."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from analytics.settlement.fitting import Fitting
from analytics.settlement.profile import LoadProfile
from analytics.settlement.quanta import common_quantum
from keywatt.settling.days import LENGTH_US
from meters.quantity import Quantity
from meters.reading import IntArray
from storage.meter_intervals import BoolArray, FloatArray, MeterIntervals

_MINUTE_US = 60_000_000
_FINE = Fraction(1, 100_000)
"""A meter's own intervals are often finer than its register; what was imported is
energy of the point, and a multiplier must not coarsen it. [kWh at the point]"""
_COLUMN: Mapping[Quantity, str] = {
    quantity: quantity.value.removeprefix("energy_")
    for quantity in (
        Quantity.ENERGY_IMPORT_KWH,
        Quantity.ENERGY_EXPORT_KWH,
        Quantity.ENERGY_LAGGING_KVARH,
        Quantity.ENERGY_LEADING_KVARH,
    )
}


def profile_of(
    counted: Sequence[tuple[Fitting, MeterIntervals]], quantity: Quantity
) -> LoadProfile | None:
    """Return what the meters of a point counted of one quantity; None = nothing.

    Intervals that are no whole quarter-hours count where all of those are there that
    together are: three of 5 minutes are one, three of 10 are two. Those in which a
    multiplier changed do not count.

    Parameters
    ----------
    counted
        Each meter's time at the point, with what it counted.
    quantity
        A register.

    """
    if not counted:
        return None
    energy_of_count = common_quantum(
        _fine(fitting) * multiplier.value
        for fitting, _ in counted
        for multiplier in fitting.multipliers
    )
    parts = [_counts(*one, quantity, energy_of_count) for one in counted]
    start_us, length_us, counts, failed = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    if not start_us.size:
        return None
    return LoadProfile(
        start_us=start_us,
        length_us=length_us,
        counts=counts,
        energy_of_count=energy_of_count,
        power_failure=failed,
    )


def _fine(fitting: Fitting) -> Fraction:
    """Return what own intervals are whole multiples of, before multipliers."""
    multipliers = (multiplier.value for multiplier in fitting.multipliers)
    return common_quantum([fitting.resolution, *(_FINE / each for each in multipliers)])


_Columns = tuple[IntArray, IntArray, IntArray, BoolArray]
"""Starts, lengths, counts and power failures."""


def _counts(
    fitting: Fitting,
    own: MeterIntervals,
    quantity: Quantity,
    energy_of_count: Fraction,
) -> _Columns:
    """Return what a meter counted in its time at the point, in whole quarter-hours."""
    kwh: FloatArray = getattr(own, _COLUMN[quantity])
    length_us = own.length_min * _MINUTE_US
    mine = ~np.isnan(kwh) & (own.start_us >= fitting.from_us)
    mine &= own.start_us <= fitting.to_us - length_us
    since = np.array([m.since_us for m in fitting.multipliers[1:]], dtype=np.int64)
    which = np.searchsorted(since, own.start_us, side="right")
    # Of an interval in which the multiplier changed, nobody knows how much came before.
    mine &= which == np.searchsorted(since, own.start_us + length_us, side="left")
    fine = _fine(fitting)
    units = np.rint(kwh[mine] * fine.denominator / fine.numerator).astype(np.int64)
    factors = np.array(
        [int(fine * m.value / energy_of_count) for m in fitting.multipliers],
        dtype=np.int64,
    )
    counts = units * factors[which[mine]]
    columns = own.start_us[mine], length_us[mine], counts, own.power_failure[mine]
    return _in_quarters(columns)


def _in_quarters(columns: _Columns) -> _Columns:
    """Sum up what is no whole quarter-hours, where nothing of them is missing."""
    length_us = columns[1]
    if not (length_us % LENGTH_US).any():
        return columns
    parts = [
        tuple(column[length_us == each] for column in columns)
        for each in np.unique(length_us).tolist()
    ]
    summed = [_summed(*part) for part in parts]
    start_us, length_us, counts, failed = (
        np.concatenate(column) for column in zip(*summed, strict=True)
    )
    return start_us, length_us, counts, failed


def _summed(
    start_us: IntArray, length_us: IntArray, counts: IntArray, failed: BoolArray
) -> _Columns:
    """Sum up intervals of one length to the least whole quarter-hours."""
    each_us = int(length_us[0])
    whole_us = lcm(each_us, LENGTH_US)
    if whole_us == each_us:
        return start_us, length_us, counts, failed
    on_quarter = start_us[start_us % LENGTH_US == 0]
    phase_us = int(on_quarter[0]) % whole_us if on_quarter.size else 0
    whole = (start_us - phase_us) // whole_us * whole_us + phase_us
    starts, place = np.unique(whole, return_inverse=True)
    there = np.bincount(place) == whole_us // each_us
    total = np.zeros(starts.size, dtype=np.int64)
    np.add.at(total, place, counts)
    any_failed = np.zeros(starts.size, dtype=np.bool_)
    any_failed[place[failed]] = True
    lengths = np.full(starts.size, whole_us, dtype=np.int64)
    return starts[there], lengths[there], total[there], any_failed[there]
