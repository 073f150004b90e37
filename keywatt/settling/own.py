"""A meter's own intervals as a load profile of its point: whole counts. Pure."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from analytics.settlement.fitting import Fitting
from analytics.settlement.profile import LoadProfile
from analytics.settlement.quanta import common_quantum
from keywatt.settling.days import LENGTH_MIN, LENGTH_US
from meters.quantity import Quantity
from meters.reading import IntArray
from storage.meter_intervals import BoolArray, FloatArray, MeterIntervals

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

    Intervals shorter than a quarter-hour count where all of one are there; longer ones
    do not say when in them it flowed, and do not count; nor do those in which a
    multiplier changed.

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
    start_us, counts, failed = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    if not start_us.size:
        return None
    return LoadProfile(
        start_us=start_us,
        counts=counts,
        energy_of_count=energy_of_count,
        power_failure=failed,
    )


def _fine(fitting: Fitting) -> Fraction:
    """Return what own intervals are whole multiples of, before multipliers."""
    multipliers = (multiplier.value for multiplier in fitting.multipliers)
    return common_quantum([fitting.resolution, *(_FINE / each for each in multipliers)])


def _counts(
    fitting: Fitting,
    own: MeterIntervals,
    quantity: Quantity,
    energy_of_count: Fraction,
) -> tuple[IntArray, IntArray, BoolArray]:
    """Return starts, counts and power failures of a meter's time at the point."""
    kwh: FloatArray = getattr(own, _COLUMN[quantity])
    length_us = own.length_min * 60_000_000
    mine = ~np.isnan(kwh) & (own.start_us >= fitting.from_us)
    mine &= own.start_us <= fitting.to_us - length_us
    mine &= LENGTH_MIN % own.length_min == 0
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
    start_us = own.start_us[mine]
    counts = units * factors[which[mine]]
    return _by_quarter(start_us, own.length_min[mine], counts, own.power_failure[mine])


def _by_quarter(
    start_us: IntArray, length_min: IntArray, counts: IntArray, failed: BoolArray
) -> tuple[IntArray, IntArray, BoolArray]:
    """Sum what is shorter than a quarter-hour, where nothing of one is missing."""
    if (length_min == LENGTH_MIN).all():
        return start_us, counts, failed
    quarter = np.where(
        length_min < LENGTH_MIN, start_us // LENGTH_US * LENGTH_US, start_us
    )
    starts, place = np.unique(quarter, return_inverse=True)
    minutes = np.bincount(place, weights=length_min)
    total = np.zeros(starts.size, dtype=np.int64)
    np.add.at(total, place, counts)
    any_failed = np.zeros(starts.size, dtype=np.bool_)
    any_failed[place[failed]] = True
    whole = minutes == LENGTH_MIN
    return starts[whole], total[whole], any_failed[whole]
