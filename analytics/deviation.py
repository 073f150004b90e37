"""When a load is no longer what like days let us expect. Pure.

Median and MAD of the last like days, and a hysteresis over the score (docs/methods.md).
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from analytics.finding import Finding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HISTORY_DAYS = 10
"""So many like days make the band."""
LEAST_DAYS = 5
"""Fewer like days make none (as many as a typical day needs)."""
FLOOR = 0.04
"""f: least scale, as a share of the median daily peak."""
WIDTH = 6.0
"""k: half width of the band in scales."""
RUN = 3
"""n: intervals in a row that open an alert."""
CALM_RUN = 2
"""Intervals in a row that close it."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Band:
    """In which range load is normal; arrays have shape (96,), NaN = not known.

    Slots are quarter-hours of the local wall clock.
    """

    median_kw: FloatArray
    low_kw: FloatArray
    high_kw: FloatArray
    scale_kw: FloatArray


def like_days(
    day_type: npt.NDArray[np.str_],
    wanted: str,
    usable: BoolArray,
    *,
    least: int = LEAST_DAYS,
) -> IntArray | Finding:
    """Choose the days that say what to expect.

    Parameters
    ----------
    day_type : array, shape (days,)
        Of the days before, oldest first.
    wanted : str
        The type of the day to judge.
    usable : array, shape (days,)
        False on days that must not be learnt: with an alert, with a planned change,
        with too little data.
    least : int
        The newest `HISTORY_DAYS` are taken; fewer than `least` are none.

    Returns
    -------
    array, shape (n,)
        Their indices, newest last; or
    Finding
        `too-few-like-days`, if there are fewer than `least`.

    Examples
    --------
    >>> types = np.array(["workday", "holiday", "workday", "workday"])
    >>> like_days(types, "workday", np.array([True, True, False, True]), least=2)
    array([0, 3])

    """
    chosen = np.flatnonzero((day_type == wanted) & usable)[-HISTORY_DAYS:]
    if chosen.size < least:
        figures = {"days": chosen.size, "least_days": least}
        return Finding(code="too-few-like-days", figures=figures)
    return chosen


def expected_band(history_kw: FloatArray, f: float = FLOOR, k: float = WIDTH) -> Band:
    """Return the range in which a like day's load is normal.

    Parameters
    ----------
    history_kw : array, shape (days, 96)
        Mean load of like days, newest last; the last ten count, NaN = missing. [kW]
    f : float
        Least scale, as a share of the median daily peak.
    k : float
        Half width of the band in scales.

    Returns
    -------
    Band
        Of each slot: the median over the days and the slots beside it, and k times
        ``max(1.4826 MAD, f median daily peak)`` to either side, from 0 up. NaN where
        no day has a value.

    Notes
    -----
    The first and the last slot of a day have one neighbour only: the day before or
    after may be of another type.

    """
    near_kw = _with_neighbours(history_kw[-HISTORY_DAYS:])
    median_kw = _median(near_kw)
    mad_kw = _median(np.abs(near_kw - median_kw))
    daily_peak_kw = _peaks(history_kw[-HISTORY_DAYS:])
    scale_kw = np.maximum(_MAD_TO_SIGMA * mad_kw, f * daily_peak_kw)
    return Band(
        median_kw=median_kw,
        low_kw=np.maximum(median_kw - k * scale_kw, 0.0),
        high_kw=median_kw + k * scale_kw,
        scale_kw=scale_kw,
    )


def z_scores(load_kw: FloatArray, slot: IntArray, band: Band) -> FloatArray:
    """Return how many scales load lies above (+) or below (-) the median.

    Parameters
    ----------
    load_kw : array, shape (n,)
        Mean load; NaN = missing. [kW]
    slot : array, shape (n,)
        Quarter-hour of the local wall clock, 0 to 95.
    band : Band

    Returns
    -------
    array, shape (n,)
        NaN where load or band is missing; infinite where a load that was always 0
        is not.

    """
    above_kw, scale_kw = load_kw - band.median_kw[slot], band.scale_kw[slot]
    endless = np.copysign(np.where(above_kw == 0, 0.0, np.inf), above_kw)
    scores = np.where(np.isnan(above_kw), np.nan, endless)
    return np.divide(above_kw, scale_kw, out=scores, where=scale_kw > 0)


class Verdict(Enum):
    """What to do about a deviation alert; the value is the code of why."""

    STAY = "no-change"
    OPEN = "outside-band"
    """For long enough, on one side."""
    CLOSE = "inside-band"
    """Well inside it again."""


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Opens after a run of loud scores, closes after calm ones."""

    n: int = RUN
    """So many in a row, on one side, open."""
    k: float = WIDTH
    """A score is loud beyond this, and calm within half of it."""

    def judge(self, z: FloatArray, *, is_open: bool) -> Verdict:
        """Decide from the newest scores.

        Parameters
        ----------
        z : array, shape (m,)
            Scores of `z_scores`, newest last; NaN proves nothing: it neither counts
            nor breaks a run.
        is_open : bool
            Whether the alert is open now.

        Examples
        --------
        >>> Hysteresis(n=3, k=6.0).judge(np.array([1.0, -7, -8, -9]), is_open=False)
        <Verdict.OPEN: 'outside-band'>

        """
        known = z[~np.isnan(z)]
        if is_open:
            calm = known[-CALM_RUN:]
            closes = calm.size == CALM_RUN and bool((np.abs(calm) < self.k / 2).all())
            return Verdict.CLOSE if closes else Verdict.STAY
        newest = known[-self.n :]
        above, below = bool((newest > self.k).all()), bool((newest < -self.k).all())
        opens = newest.size == self.n and (above or below)
        return Verdict.OPEN if opens else Verdict.STAY


def _with_neighbours(history_kw: FloatArray) -> FloatArray:
    """Stack each slot with those beside it: shape (days, 96) to (3 days, 96)."""
    edge = np.full((history_kw.shape[0], 1), np.nan)
    before = np.hstack([edge, history_kw[:, :-1]])
    after = np.hstack([history_kw[:, 1:], edge])
    return np.vstack([before, history_kw, after])


def _median(values: FloatArray) -> FloatArray:
    """Median down the columns, NaN left out; NaN for a column without any value."""
    ordered = np.sort(values, axis=0)  # NaN goes last
    count = (~np.isnan(values)).sum(axis=0)
    some = np.flatnonzero(count)
    low = ordered[(count[some] - 1) // 2, some]
    high = ordered[count[some] // 2, some]
    median = np.full(values.shape[1], np.nan)
    median[some] = (low + high) / 2
    return median


def _peaks(history_kw: FloatArray) -> float:
    """Median of the daily peaks; NaN if no day has a value."""
    seen = history_kw[~np.isnan(history_kw).all(axis=1)]
    return float(np.median(np.nanmax(seen, axis=1))) if seen.size else np.nan
