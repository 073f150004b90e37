"""One meter's readings at a point, in order, each moment once, in counts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.fitting import FOREVER_US, Fitting
from meters.reading import ReadingBatch

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """Which rows of a batch are a fitting's, by time, each moment once."""

    row: IntArray
    """shape (m,)"""
    at_us: IntArray
    """shape (m,), ascending [microseconds since 1970 UTC]"""
    repeats: int
    """Rows that say again what another of the same moment says."""
    contradicted_us: IntArray
    """Moments of which two rows say different things; the newest is taken."""
    late: int
    """Rows that came after one with a later moment."""


def rows_of(readings: ReadingBatch, fitting: Fitting) -> Rows:
    """Choose a meter's rows during its time at the point, its end included.

    Of several rows of one moment the one received last counts (of equal quality,
    the newest).

    Parameters
    ----------
    readings : ReadingBatch
        In any order.
    fitting : Fitting

    """
    mine = np.flatnonzero(
        (readings.meter_id == fitting.meter_id)
        & (readings.measured_us >= fitting.from_us)
        & (readings.measured_us <= fitting.to_us)
    )
    at_us = readings.measured_us[mine]
    if (at_us[1:] > at_us[:-1]).all():
        return Rows(
            row=mine,
            at_us=at_us,
            repeats=0,
            contradicted_us=np.zeros(0, dtype=np.int64),
            late=0,
        )
    late = int((at_us < np.maximum.accumulate(at_us)).sum())
    order = np.lexsort((readings.received_us[mine], at_us))
    mine, at_us = mine[order], at_us[order]
    last = np.append(at_us[1:] != at_us[:-1], True)
    again = np.flatnonzero(~last)
    same = _says_the_same(
        readings.values[mine[again]], readings.values[mine[again + 1]]
    )
    return Rows(
        row=mine[last],
        at_us=at_us[last],
        repeats=int(same.sum()),
        contradicted_us=np.unique(at_us[again[~same]]),
        late=late,
    )


def _says_the_same(one: FloatArray, other: FloatArray) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (
        (one == other) | (np.isnan(one) & np.isnan(other))
    ).all(axis=1)
    return same


def counts_of(register: FloatArray, resolution: Fraction) -> IntArray:
    """Return the whole counts nearest to a register in kWh or kvarh.

    Examples
    --------
    >>> counts_of(np.array([671433.6, 0.29]), Fraction(1, 100)).tolist()
    [67143360, 29]

    """
    scaled = register * resolution.denominator / resolution.numerator
    return np.rint(scaled).astype(np.int64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shown:
    """What one register showed, by time; arrays have shape (m,)."""

    at_us: IntArray
    """Ascending, each once. [microseconds since 1970 UTC]"""
    counts: IntArray
    disagrees: tuple[tuple[str, int, int, int], ...] = ()
    """`opening` or `closing`, the moment, what was written down, what was read."""


def shown_by(at_us: IntArray, register: FloatArray, fitting: Fitting) -> Shown:
    """Return a register's readings, with what was written down at a swap.

    Parameters
    ----------
    at_us : array, shape (m,)
        Ascending, each once. [microseconds since 1970 UTC]
    register : array, shape (m,)
        NaN = not given. [kWh or kvarh]
    fitting : Fitting

    Returns
    -------
    Shown
        The written opening and closing count as readings of their moments, unless the
        meter itself was read then: it knows better.

    """
    given = ~np.isnan(register)
    if not given.all():
        at_us, register = at_us[given], register[given]
    counts = counts_of(register, fitting.resolution)
    disagrees = []
    for name, moment_us, written in _written(fitting):
        place = int(np.searchsorted(at_us, moment_us))
        if place < at_us.size and at_us[place] == moment_us:
            read = int(counts[place])
            if abs(read - written) > 1:
                disagrees.append((name, moment_us, written, read))
        else:
            at_us = np.insert(at_us, place, moment_us)
            counts = np.insert(counts, place, written)
    return Shown(at_us=at_us, counts=counts, disagrees=tuple(disagrees))


def _written(fitting: Fitting) -> Iterable[tuple[str, int, int]]:
    if fitting.opening is not None:
        yield "opening", fitting.from_us, fitting.opening
    if fitting.closing is not None and fitting.to_us != FOREVER_US:
        yield "closing", fitting.to_us, fitting.closing
