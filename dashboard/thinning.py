"""Fewer points, the same picture: what a chart may cost, with every peak kept."""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

POINTS_PER_CHART = 2000
"""Of all lines together: more would be sent and drawn without being seen."""
LOAD_POINTS = 1200
GAPS = 60
"""Of these many the longest are shaded."""


def step_of(count: int, budget: int) -> int:
    """Return how many values share one bucket so that `budget` holds.

    Examples
    --------
    >>> step_of(672, 1200), step_of(70_080, 1200)
    (1, 117)

    """
    if count <= budget:
        return 1
    return -(-count // (budget // 2))


def band_places(count: int) -> int:
    """Return at how many places a band below `count` values may be drawn.

    A long curve's band has an upper and a lower corner at each place, a short one's
    the expected line besides; each hole takes one more point.

    Examples
    --------
    >>> band_places(672), band_places(2880)
    (422, 370)

    """
    left = POINTS_PER_CHART - min(count, LOAD_POINTS) - GAPS
    return left // (3 if count <= LOAD_POINTS else 2)


def kept(values: FloatArray, budget: int) -> IntArray:
    """Choose which values to draw: the lowest and the highest of each bucket.

    Parameters
    ----------
    values : array, shape (n,)
        In their order; NaN = missing.
    budget : int
        At most so many are kept.

    Returns
    -------
    array, shape (m,), m <= budget
        Ascending indices. A bucket with a gap keeps one missing value in place of its
        lowest, so that a long gap stays a gap.

    Examples
    --------
    >>> kept(np.array([1.0, 9.0, 2.0, 3.0, 0.0, 4.0]), 4).tolist()
    [0, 1, 4, 5]

    """
    step = step_of(values.size, budget)
    if step == 1:
        return np.arange(values.size)
    rows = -(-values.size // step)
    padded = np.full(rows * step, np.nan)
    padded[: values.size] = values
    table = padded.reshape(rows, step)
    gone = np.isnan(table)
    low = np.where(
        gone.all(axis=1), 0, np.argmin(np.where(gone, np.inf, table), axis=1)
    )
    high = np.argmax(np.where(gone, -np.inf, table), axis=1)
    half_gone = 2 * gone.sum(axis=1) >= step
    low = np.where(half_gone, np.argmax(gone, axis=1), low)
    first = np.arange(rows) * step
    chosen = np.unique(np.concatenate([first + low, first + high]))
    return chosen[chosen < values.size]


def band(low: FloatArray, high: FloatArray, budget: int) -> IntArray:
    """Choose where to draw a band: evenly, ends included; see `widest`.

    Returns
    -------
    array, shape (m,), m <= budget
        Ascending indices of bucket starts.

    """
    if low.shape != high.shape:
        raise ValueError("a band needs as many lows as highs")
    step = max(1, -(-low.size // budget))
    return np.arange(0, low.size, step)


def over_buckets(values: FloatArray, starts: IntArray, how: np.ufunc) -> FloatArray:
    """Reduce each bucket to one value; one without any value stays NaN.

    Parameters
    ----------
    values : array, shape (n,)
    starts : array, shape (m,)
        Where the buckets begin, from `band`.
    how : ufunc
        `np.fmin` for a lower, `np.fmax` for an upper edge: a thinned band never
        looks narrower than it is.

    """
    if starts.size == 0:
        return np.zeros(0)
    reduced: FloatArray = how.reduceat(values, starts)
    return reduced
