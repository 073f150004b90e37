"""One cumulative register over time, in whole counts without its turns. Pure."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from meters.registers import exact

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MARGIN = 1.2
"""METHODS §1: a register may run this much faster than the most that is expected."""
_ROLLOVER_SHARE = 0.01
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Boundaries:
    """A register at chosen moments; all arrays shape (n,)."""

    counts: IntArray
    """Since the first reading; meaningless where not `known`."""
    known: BoolArray
    stretch: IntArray
    """Counts of different stretches cannot be compared."""
    gap_us: IntArray
    """Between the readings it was interpolated from; 0 where read at that moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """What a register counted up to each of m readings.

    Between two readings that do not fit together a new stretch begins: what was
    counted there is not known.
    """

    measured_us: IntArray
    """shape (m,), ascending"""
    counts: IntArray
    """shape (m,), never turning over; 0 at the first reading"""
    stretch: IntArray
    """shape (m,), from 0"""

    @classmethod
    def of(
        cls,
        measured_us: IntArray,
        register: FloatArray,
        *,
        digits: int,
        resolution: float,
        most_counts_an_hour: float = math.inf,
        leap_us: int = 0,
    ) -> Self:
        """Follow a register from reading to reading.

        Parameters
        ----------
        measured_us : array, shape (m,), ascending
            When it was read. [microseconds since 1970 UTC]
        register : array, shape (m,)
            What it showed; NaN = not given. [kWh or kvarh]
        digits : int
            Counts run modulo ``10**digits``.
        resolution : float
            One count. [kWh or kvarh]
        most_counts_an_hour : float
            Faster than this times `MARGIN` is not believed. Without it, a register
            that went back turned over only if it has run a hundredth of its range.
        leap_us : int
            A register may move in leaps: between readings closer than this it may run
            what it can run in this time. [microseconds]

        """
        given = ~np.isnan(register)
        at = measured_us[given]
        shown = counts_of(register[given], resolution)
        step = np.diff(shown)
        turn = 10**digits
        advance = np.where(step < 0, step + turn, step)
        if math.isinf(most_counts_an_hour):
            believed = (step >= 0) | (advance <= turn * _ROLLOVER_SHARE)
        else:
            time_us = np.maximum(np.diff(at), leap_us)
            # One count more: the register was cut to whole counts at both ends.
            believed = advance <= most_counts_an_hour * MARGIN * time_us / _HOUR_US + 1
        # A register never moves by more than its whole range.
        believed &= np.abs(step) < turn
        return cls(
            measured_us=at,
            counts=_summed(np.where(believed, advance, 0), at.size),
            stretch=_summed(~believed, at.size),
        )

    def at(self, moments_us: IntArray, max_gap_us: int) -> Boundaries:
        """Return the register at moments, read or interpolated in whole counts.

        Between two readings at most `max_gap_us` apart it is taken to have run
        evenly, and the counts since the earlier one are rounded half to even; otherwise
        it is not known. So the answer depends on these two readings alone.

        Parameters
        ----------
        moments_us : array, shape (n,)
            [microseconds since 1970 UTC]
        max_gap_us : int
            [microseconds]

        """
        if self.measured_us.size == 0:
            nothing = np.zeros(moments_us.shape, dtype=np.int64)
            return Boundaries(
                counts=nothing, known=nothing > 0, stretch=nothing, gap_us=nothing
            )
        last = self.measured_us.size - 1
        after = np.searchsorted(self.measured_us, moments_us).clip(max=last)
        exactly = self.measured_us[after] == moments_us
        before = np.where(exactly, after, (after - 1).clip(min=0))
        start_us, stop_us = self.measured_us[before], self.measured_us[after]
        gap_us = stop_us - start_us
        between = (start_us < moments_us) & (moments_us < stop_us)
        whole = self.stretch[before] == self.stretch[after]
        # Exact while counts times microseconds stay below 2**53, as they do for less
        # than 6.6 million counts in a quarter of an hour and a half.
        ran = (self.counts[after] - self.counts[before]).astype(np.float64)
        passed = ran * (moments_us - start_us) / np.where(gap_us > 0, gap_us, 1)
        return Boundaries(
            counts=self.counts[before] + np.rint(passed).astype(np.int64),
            known=exactly | (between & whole & (gap_us <= max_gap_us)),
            stretch=self.stretch[before],
            gap_us=gap_us,
        )


def counts_of(register: FloatArray, resolution: float) -> IntArray:
    """Return the whole counts nearest to readings: `meters.registers.counts` of many.

    Examples
    --------
    >>> counts_of(np.array([671433.6, 0.29]), 0.01).tolist()
    [67143360, 29]

    """
    numerator, denominator = exact(resolution)
    return np.rint(register * denominator / numerator).astype(np.int64)


def _summed(steps: npt.NDArray[np.int64] | BoolArray, size: int) -> IntArray:
    """Sum up from 0 at the first of `size` readings."""
    total = np.zeros(size, dtype=np.int64)
    np.cumsum(steps, out=total[1:])
    return total
