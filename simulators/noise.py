"""Chance without state: the same seed and index always give the same figure."""

import numpy as np
import numpy.typing as npt

from meters.reading import FloatArray, IntArray

_UNIT = 1.0 / (1 << 53)


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter the bits of each number (the finaliser of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(seed: int, index: IntArray) -> FloatArray:
    """Even chance in [0, 1) for each index.

    Parameters
    ----------
    seed : int
        Which sequence.
    index : array, shape (n,)
        Place in the sequence; any order, any sign.

    Returns
    -------
    array, shape (n,)
        [unitless]

    """
    start = np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % (1 << 64))
    bits = _mixed(_mixed(index.astype(np.uint64)) + start)
    return (bits >> np.uint64(11)).astype(np.float64) * _UNIT


def smooth(seed: int, minute: IntArray, period_min: int) -> FloatArray:
    """Wander between -1 and 1, with a new aim every `period_min` minutes.

    Parameters
    ----------
    seed : int
        Which path.
    minute : array, shape (n,)
        Minutes since 1970 UTC.
    period_min : int
        Distance of the random aims, between which a smooth curve is drawn. [min]

    Returns
    -------
    array, shape (n,)
        [unitless]

    """
    step = minute // period_min
    part = (minute - step * period_min) / period_min
    eased = part * part * (3.0 - 2.0 * part)
    here, there = _neighbours(seed, step)
    return 2.0 * (here + (there - here) * eased) - 1.0


def _neighbours(seed: int, step: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the chances of each step and of the next, each drawn once if near."""
    if step.size == 0:
        return uniform(seed, step), uniform(seed, step)
    first, last = int(step.min()), int(step.max())
    if last - first > step.size:
        return uniform(seed, step), uniform(seed, step + 1)
    drawn = uniform(seed, np.arange(first, last + 2))
    return drawn[step - first], drawn[step - first + 1]


def seed_of(*names: str | int) -> int:
    """Turn names into a seed, the same on every machine and in every run."""
    seed = 0
    for byte in "/".join(str(name) for name in names).encode():
        seed = (seed * 257 + byte + 1) % (1 << 61)
    return seed


def uniform_one(seed: int) -> float:
    """Even chance in [0, 1), one a seed."""
    return float(uniform(seed, np.zeros(1, dtype=np.int64))[0])
