"""Our estimator: what a gap was, given like days, what lies around it, and its sum.

How a load departs from its like days is not noise: a day that began above them stays
above them for hours. The autocovariance of those departures, taken from the point's own
history, says by how much. The estimate is the expectation of the gap given the known
intervals on both sides and, where a register knows it, the gap's energy: the Gaussian
conditional mean (kriging with a block constraint). With the sum the result fits the
register by itself; like days are scaled to it before (`estimate.by_like_days`).

Chosen blind: on 2018 of two campus buildings, confirmed on 2019 and after
(docs/benchmarks.md). Pure.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analytics.settlement.reference import LoadHistory, expected_days

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

AROUND = 8
"""Intervals on either side that are taken into account."""
LONGEST = 192
"""Longer gaps gain nothing from what lies around them, and cost its cube."""
LEARN_DAYS = 60
_CLIP = 4.0
"""A departure counts at most so many standard deviations: it may be a fault."""
_JITTER = 1e-9
_SINGULAR = 1e-8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Conditioned:
    """What a gap was, and how far off that may be; both shape (m,)."""

    kwh: FloatArray
    sigma_kwh: FloatArray


@lru_cache(maxsize=8)
def departures_covariance(history: LoadHistory, near_row: int, lags: int) -> FloatArray:
    """Return how departures from like days covary over time; kept for the last asked.

    Parameters
    ----------
    history : LoadHistory
    near_row : int
        The `LEARN_DAYS` usable days nearest to this one are learnt from.
    lags : int

    Returns
    -------
    array, shape (lags,)
        By intervals apart; zeros if there is nothing to learn from. [kWh²]

    """
    usable = np.flatnonzero(history.usable)
    near = usable[np.argsort(np.abs(usable - near_row), kind="stable")][:LEARN_DAYS]
    if near.size < 2:  # noqa: PLR2004 - one day has no like day
        return np.zeros(lags)
    first, last = int(near.min()), int(near.max())
    departure = np.full((last - first + 1, history.slots), np.nan)
    expected = expected_days(history, near, history.kind[near])
    departure[near - first] = history.kwh[near] - expected
    return _autocovariance(departure.ravel(), lags)


def _autocovariance(series: FloatArray, lags: int) -> FloatArray:
    """Return the autocovariance of a series with gaps about zero, shape (lags,)."""
    known = ~np.isnan(series)
    value = np.where(known, series, 0.0)
    if not known.any():
        return np.zeros(lags)
    limit = _CLIP * float(np.sqrt((value**2).sum() / known.sum()))
    value = np.clip(value, -limit, limit)
    size = 1 << int(np.ceil(np.log2(value.size + lags)))

    def against_itself(x: FloatArray) -> FloatArray:
        spectrum = np.fft.rfft(x, size)
        return np.fft.irfft(spectrum * spectrum.conj(), size)[:lags]

    pairs = np.maximum(np.rint(against_itself(known.astype(np.float64))), 1.0)
    covariance: FloatArray = against_itself(value) / pairs
    return covariance


def conditional(
    expected_kwh: FloatArray,
    around_kwh: FloatArray,
    gap: BoolArray,
    covariance: FloatArray,
    total_kwh: float | None = None,
) -> Conditioned:
    """Return what a gap was, given what lies around it and its sum.

    Parameters
    ----------
    expected_kwh : array, shape (n,)
        What like days let expect, of the gap and around it.
    around_kwh : array, shape (n,)
        What is known; NaN = not known, in the gap and elsewhere.
    gap : array, shape (n,)
        What is asked for: m of them.
    covariance : array, shape (>= n,)
        Of departures from the expected, by intervals apart. [kWh²]
    total_kwh : float, optional
        Energy of the gap, if a register knows it.

    """
    place = np.arange(expected_kwh.size)
    of_all = covariance[np.abs(place[:, None] - place[None, :])]
    seen = np.flatnonzero(~gap & ~np.isnan(around_kwh))
    # Observations are sums of intervals: each known one, and the whole gap.
    pick = np.zeros((seen.size + (total_kwh is not None), place.size))
    pick[np.arange(seen.size), seen] = 1.0
    departed = around_kwh[seen] - expected_kwh[seen]
    if total_kwh is not None:
        pick[-1, gap] = 1.0
        departed = np.append(departed, total_kwh - expected_kwh[gap].sum())
    cross = pick @ of_all
    observed = cross @ pick.T + _JITTER * covariance[0] * np.eye(len(pick))
    # An estimated covariance need not be positive definite: least squares stays sane.
    gain = np.linalg.lstsq(observed, cross[:, gap], rcond=_SINGULAR)[0]
    variance = covariance[0] - (cross[:, gap] * gain).sum(axis=0)
    return Conditioned(
        kwh=expected_kwh[gap] + gain.T @ departed,
        sigma_kwh=np.sqrt(np.maximum(variance, 0.0)),
    )
