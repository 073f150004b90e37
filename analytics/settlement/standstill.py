"""Registers that stand still while energy flows: stale, or stalled. Pure.

A stale register is an old reading given again: later it catches up, so its energy is
known and only when it flowed is not. A stalled one goes on from where it stood: the
energy is lost to it, and the meter's own momentary power says that there was some.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analytics.settlement.register import Doubt, Doubtful, Register
from analytics.settlement.ruleset import Stalled
from analytics.settlement.verdict import runs

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_LEAST_STALE_US = 45 * 60_000_000
_USUAL_COUNTS = 5
"""A register that moves by less from reading to reading may well stand still."""
_LEAPS = 1.8
"""A step after a standstill that is so much faster than usual catches up."""
_UNUSUAL = 5.0
"""Spread over the standstill, it must be within this factor of what is usual."""
_SELDOM = 0.05
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Standstill:
    """Time in which a register stood while power flowed."""

    start_us: int
    stop_us: int
    mean_kw: float
    counts: float
    """That it should have gone on, by that power; NaN = no power was given."""
    counts_beside: float
    """That another register of the meter went on."""
    frozen: bool
    """The power never changed either, or was not given: it says nothing of the load."""


def stands_long(register: Register) -> bool:
    """Whether a register ever stood long enough to ask why."""
    stands = register.counts[1:] == register.counts[:-1]
    if not stands.any():
        return False
    return any(
        register.at_us[stop] - register.at_us[first] >= _LEAST_STALE_US
        for first, stop in runs(stands)
    )


def without_stale(
    register: Register, repeated: BoolArray, power_kw: FloatArray
) -> Register:
    """Put aside old readings given again, before a register that catches up.

    Parameters
    ----------
    register : Register
        m readings.
    repeated : array, shape (m,)
        Whether a reading says nothing at all that the one before did not say.
    power_kw : array, shape (m,)
        Of the same moments; NaN = not given. A standstill without power is real.

    """
    step = np.diff(register.counts)
    stands = (step == 0) & (np.diff(register.stretch) == 0)
    if not stands.any():
        return register
    time_us = np.diff(register.at_us)
    moving = ~stands & (np.diff(register.stretch) == 0) & (step > 0)
    long = [
        run for run in runs(stands) if time_us[run[0] : run[1]].sum() >= _LEAST_STALE_US
    ]
    standing_alone = int(stands.sum()) - sum(stop - first for first, stop in long)
    if not long or not moving.any() or standing_alone > _SELDOM * step.size:
        return register
    usual = float(np.median(step[moving] / time_us[moving]))
    if np.median(step[moving]) < _USUAL_COUNTS:
        return register
    stale = np.zeros(register.at_us.size, dtype=np.bool_)
    for first, stop in long:
        if stop >= step.size or not moving[stop]:
            continue
        rest = power_kw[first + 1 : stop + 1]
        if (rest == 0).any() or not repeated[first + 1 : stop + 1].all():
            continue
        leap = step[stop] / time_us[stop]
        spread = step[stop] / time_us[first : stop + 1].sum()
        if leap > _LEAPS * usual and usual / _UNUSUAL <= spread <= usual * _UNUSUAL:
            stale[first + 1 : stop + 1] = True
    return _left_out(register, stale) if stale.any() else register


def _left_out(register: Register, stale: BoolArray) -> Register:
    first = [start - 1 for start, stop in runs(stale) for _ in range(start, stop)]
    doubtful = [
        Doubtful(
            doubt=Doubt.STALE,
            at_us=int(register.at_us[row]),
            shown=int(register.shown[row]),
            before_us=int(register.at_us[before]),
            before=int(register.shown[before]),
        )
        for row, before in zip(np.flatnonzero(stale).tolist(), first, strict=True)
    ]
    return replace(
        register,
        at_us=register.at_us[~stale],
        counts=register.counts[~stale],
        shown=register.shown[~stale],
        stretch=register.stretch[~stale],
        doubtful=tuple(
            sorted((*register.doubtful, *doubtful), key=lambda one: one.at_us)
        ),
    )


def standstills(
    register: Register,
    power_kw: FloatArray,
    beside: Register | None,
    kwh_of_count: float,
    rule: Stalled,
) -> list[Standstill]:
    """Find where a register stood while power flowed.

    Parameters
    ----------
    register : Register
        m readings, stale ones put aside.
    power_kw : array, shape (m,)
        Of the same moments; NaN = not given.
    beside : Register or None
        Another register of the same meter, such as that of kvarh: where it goes on
        while this one stands, the meter is alive and current flows.
    kwh_of_count : float
        At the point.
    rule : Stalled

    """
    stands = (np.diff(register.counts) == 0) & (np.diff(register.stretch) == 0)
    found = []
    for first, stop in runs(stands):
        moments = register.at_us[first : stop + 1]
        length_us = int(moments[-1] - moments[0])
        if length_us < rule.minutes * 60_000_000:
            continue
        within = power_kw[first : stop + 1]
        # NaN where any is not given.
        counts = float((within[:-1] * np.diff(moments)).sum()) / _HOUR_US / kwh_of_count
        went_on = _ran(beside, moments)
        if counts >= rule.least_counts or went_on >= rule.least_counts:
            found.append(
                Standstill(
                    start_us=int(moments[0]),
                    stop_us=int(moments[-1]),
                    mean_kw=counts * kwh_of_count * _HOUR_US / length_us,
                    counts=counts,
                    counts_beside=went_on,
                    frozen=not bool((within != within[0]).any()) or np.isnan(counts),
                )
            )
    return found


def _ran(register: Register | None, moments: IntArray) -> float:
    """Return how far a register ran from the first of some moments to the last."""
    if register is None or register.at_us.size == 0:
        return 0.0
    first, last = np.interp(moments[[0, -1]], register.at_us, register.counts)
    return float(last - first)


def mean_power(
    at_us: IntArray, power_kw: FloatArray, start_us: IntArray, length_us: int
) -> FloatArray:
    """Return the mean momentary power in each interval, NaN where there is none.

    Parameters
    ----------
    at_us, power_kw : arrays, shape (m,)
        Ascending; NaN = not given.
    start_us : array, shape (n,)
        Each `length_us` after the one before.
    length_us : int

    """
    place = np.searchsorted(start_us, at_us, side="right") - 1
    inside = (place >= 0) & ~np.isnan(power_kw)
    inside[inside] = at_us[inside] < start_us[place[inside]] + length_us
    count = np.bincount(place[inside], minlength=start_us.size)
    total = np.bincount(
        place[inside], weights=power_kw[inside], minlength=start_us.size
    )
    mean = np.full(start_us.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
