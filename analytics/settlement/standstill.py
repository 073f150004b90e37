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
    """That it should have gone on, by that power."""
    frozen: bool
    """The power never changed either: the meter itself may say nothing new."""


def without_stale(register: Register, power_kw: FloatArray) -> Register:
    """Put aside old readings given again, before a register that catches up.

    Parameters
    ----------
    register : Register
        m readings.
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
        if (rest == 0).any():
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
    register: Register, power_kw: FloatArray, kwh_of_count: float, rule: Stalled
) -> list[Standstill]:
    """Find where a register stood while power flowed.

    Parameters
    ----------
    register : Register
        m readings, stale ones put aside.
    power_kw : array, shape (m,)
        Of the same moments; NaN = not given.
    kwh_of_count : float
        At the point.
    rule : Stalled

    """
    stands = (np.diff(register.counts) == 0) & (np.diff(register.stretch) == 0)
    if not stands.any() or np.isnan(power_kw).all():
        return []
    found = []
    for first, stop in runs(stands):
        time_us = np.diff(register.at_us[first : stop + 1])
        within = power_kw[first : stop + 1]
        given = ~np.isnan(within[:-1])
        if time_us.sum() < rule.minutes * 60_000_000 or not given.all():
            continue
        energy = float((within[:-1] * time_us).sum()) / _HOUR_US
        counts = energy / kwh_of_count
        if counts >= rule.least_counts:
            found.append(
                Standstill(
                    start_us=int(register.at_us[first]),
                    stop_us=int(register.at_us[stop]),
                    mean_kw=energy * _HOUR_US / float(time_us.sum()),
                    counts=counts,
                    frozen=bool((within == within[0]).all()),
                )
            )
    return found


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
