"""Energy in whole quanta, and how a whole number is shared out exactly. Pure.

A quantum is the largest energy of which every count of every register of a point is a
whole multiple. In quanta, sums are exact whatever the multipliers were.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_MOST = 2**62
"""Products up to this are formed in int64; greater ones by Python, one by one."""
_WEIGHT_BITS = 40
"""Weights are whole numbers that sum to about 2**40."""


def common_quantum(energies_of_count: Iterable[Fraction]) -> Fraction:
    """Return the largest energy that all of them are whole multiples of.

    Parameters
    ----------
    energies_of_count
        Energy of one count of each register at the point. [kWh or kvarh]

    Returns
    -------
    Fraction
        1 if there are none. [kWh or kvarh]

    Examples
    --------
    A count of 0.01 kWh behind CT 60 and PT 100, and one of 0.025 kWh without:

    >>> common_quantum([Fraction(60), Fraction(1, 40)])
    Fraction(1, 40)

    """
    each = list(energies_of_count)
    if not each:
        return Fraction(1)
    return Fraction(
        gcd(*(one.numerator for one in each)), lcm(*(one.denominator for one in each))
    )


def portions(total: IntArray, part: IntArray, whole: IntArray) -> IntArray:
    """Return ``total * part / whole``, rounded half to even, without floating point.

    Rounded cumulatively: the portions of growing parts never shrink, and that of the
    whole is the total, so their differences share it out without remainder.

    Parameters
    ----------
    total, part, whole : arrays, shape (n,)
        Whole numbers, ``0 <= part <= whole``, ``whole > 0``, ``total >= 0``.

    Examples
    --------
    Ten counts over three equal intervals:

    >>> ten, three = np.array([10, 10, 10, 10]), np.array([3, 3, 3, 3])
    >>> np.diff(portions(ten, np.arange(4), three)).tolist()
    [3, 4, 3]

    """
    large = total > _MOST // np.maximum(part, 1)
    small_total = np.where(large, 0, total)
    rounded = _half_to_even(*np.divmod(small_total * part, whole), whole)
    for i in np.flatnonzero(large).tolist():
        exact = Fraction(int(total[i]) * int(part[i]), int(whole[i]))
        rounded[i] = round(exact)
    return rounded


def _half_to_even(quotient: IntArray, rest: IntArray, whole: IntArray) -> IntArray:
    beyond = rest - (whole - rest)  # without doubling: the rest may be large
    up = (beyond > 0) | ((beyond == 0) & (quotient % 2 == 1))
    rounded: IntArray = quotient + up
    return rounded


def shared_out(total: int, weights: FloatArray, lengths: IntArray) -> IntArray:
    """Share a whole number out by weight; the shares sum to it exactly.

    Parameters
    ----------
    total : int
    weights : array, shape (m,)
        Not negative; all 0, or any NaN: by `lengths`.
    lengths : array, shape (m,)
        Positive whole numbers.

    Examples
    --------
    >>> shared_out(10, np.array([1.0, 2.0, 1.0]), np.array([1, 1, 1])).tolist()
    [2, 6, 2]
    >>> shared_out(10, np.zeros(3), np.array([2, 2, 1])).tolist()
    [4, 4, 2]

    """
    whole = np.cumsum(_whole_weights(weights, lengths))
    totals = np.full(whole.shape, total, dtype=np.int64)
    passed = portions(totals, whole, np.full_like(whole, whole[-1]))
    return np.diff(passed, prepend=0)


def _whole_weights(weights: FloatArray, lengths: IntArray) -> IntArray:
    total = float(weights.sum())
    if not total > 0 or not np.isfinite(total) or (weights < 0).any():
        return lengths
    whole = np.rint(weights / total * 2.0**_WEIGHT_BITS).astype(np.int64)
    return whole if whole.any() else lengths


def as_energy(quanta: IntArray, quantum: Fraction) -> FloatArray:
    """Return quanta as energy: exact to the last bit while their numbers are.

    Parameters
    ----------
    quanta : array, shape (n,)
    quantum : Fraction
        [kWh or kvarh]

    Examples
    --------
    >>> as_energy(np.array([2489]), Fraction(1, 100)).tolist()
    [24.89]

    """
    numerator, denominator = quantum.as_integer_ratio()
    return np.asarray(quanta * float(numerator) / float(denominator), dtype=np.float64)


def as_quanta(energy: FloatArray, quantum: Fraction) -> IntArray:
    """Return the whole quanta nearest to an estimated energy. Inverse of `as_energy`.

    Examples
    --------
    >>> as_quanta(np.array([24.891]), Fraction(1, 100)).tolist()
    [2489]

    """
    scaled = energy * float(quantum.denominator) / float(quantum.numerator)
    return np.rint(scaled).astype(np.int64)
