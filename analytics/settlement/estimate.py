"""Single methods of estimating a gap: one function each. Pure.

Each returns an `Estimate`, or None where it does not apply.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from accounts.calendar import DayArray
from analytics.settlement.conditional import (
    AROUND,
    LONGEST,
    conditional,
    departures_covariance,
)
from analytics.settlement.method import Method
from analytics.settlement.reference import (
    THREE,
    LoadHistory,
    expected_days,
    like_days,
    mean_day,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_MEAN_OF_NORMAL = math.sqrt(2 / math.pi)
"""Mean absolute error of a standard deviation of 1."""
YEAR_DAYS = 364
"""52 weeks: the same weekday."""
_YEAR_AGO_CONFIDENCE = 0.7
"""A customer changes within a year. [U]"""
_MOST_TIMES = 10.0
_MEAN_CONFIDENCE = 0.95
"""docs/methods.md, Validation: like days miss by 5 % of the mean load."""
ZERO_CONFIDENCE = 0.95
"""An outage is entered by people, or told by a meter, to the minute."""
_LINEAR_ERROR = (0.0193, 0.0357)
"""docs/methods.md, Validation: mean error of a line over 1 and over 8 quarter-hours."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Estimate:
    """What a gap is taken to have been."""

    kwh: FloatArray
    """shape (m,)"""
    method: Method
    confidence: float
    """1 minus the mean error that is to be expected, as a share of the load; 0 to 1."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What it was made from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gap:
    """m intervals to estimate, and what is known around them.

    Arrays have shape (n,): the gap and the intervals beside it, each following the
    other.
    """

    asked: BoolArray
    """The gap: m of n."""
    kwh: FloatArray
    """NaN = not known, or not to be trusted."""
    end_point: BoolArray
    """May be an end of a line: measured, and no power failure."""
    local_day: DayArray
    slot: IntArray
    kind: IntArray
    """Of its day."""
    check_kwh: FloatArray | None = None
    """By the check meter."""
    out: BoolArray | None = None
    """Known to have been without supply."""
    length_min: int = 15

    @property
    def size(self) -> int:
        """Count the intervals asked for."""
        return int(self.asked.sum())


def by_check_meter(gap: Gap) -> Estimate | None:
    """Take what the check meter of the same supply counted."""
    if gap.check_kwh is None or np.isnan(gap.check_kwh[gap.asked]).any():
        return None
    both = ~np.isnan(gap.check_kwh) & ~np.isnan(gap.kwh) & ~gap.asked
    main, check = gap.kwh[both].sum(), gap.check_kwh[both].sum()
    off = abs(check - main) / main if main > 0 else 0.02
    return Estimate(
        kwh=gap.check_kwh[gap.asked],
        method=Method.CHECK,
        confidence=max(0.0, 1.0 - off),
        figures={"main_kwh": float(main), "check_kwh": float(check)},
    )


def by_zero(gap: Gap) -> Estimate | None:
    """Take nothing for intervals that were all without supply."""
    if gap.out is None or not gap.out[gap.asked].all():
        return None
    nothing = np.zeros(gap.size)
    return Estimate(kwh=nothing, method=Method.ZERO, confidence=ZERO_CONFIDENCE)


def by_line(gap: Gap, up_to_min: float) -> Estimate | None:
    """Draw a line between the intervals beside a short gap.

    Two hours or less; an interval with a power failure is no end point
    (docs/methods.md, Validation).
    """
    rows = np.flatnonzero(gap.asked)
    before, after = int(rows[0]) - 1, int(rows[-1]) + 1
    if gap.size * gap.length_min > up_to_min or before < 0 or after >= gap.kwh.size:
        return None
    ends = gap.kwh[[before, after]]
    if not gap.end_point[[before, after]].all() or np.isnan(ends).any():
        return None
    share = np.arange(1, gap.size + 1) / (gap.size + 1)
    short, long = _LINEAR_ERROR
    slots = gap.size * gap.length_min / 15
    return Estimate(
        kwh=ends[0] + (ends[1] - ends[0]) * share,
        method=Method.LINEAR,
        confidence=1.0 - min(short + (long - short) * (slots - 1) / 7, 1.0),
        figures={"before_kwh": float(ends[0]), "after_kwh": float(ends[1])},
    )


def by_like_days(
    gap: Gap, history: LoadHistory, total_kwh: float | None
) -> Estimate | None:
    """Take what like days and the intervals around the gap let expect (ours)."""
    asked = _expected(gap, history)
    if asked is None or np.isnan(asked[gap.asked]).any():
        return None
    expected = np.where(np.isnan(asked), gap.kwh, asked)
    rows = np.flatnonzero(gap.asked)
    near = slice(max(int(rows[0]) - AROUND, 0), int(rows[-1]) + 1 + AROUND)
    if gap.size > LONGEST:
        return _scaled(expected[gap.asked], total_kwh, gap, history)
    middle = history.row(gap.local_day[rows[rows.size // 2]])
    covariance = departures_covariance(history, middle, near.stop - near.start)
    if not covariance[0] > 0:
        return _scaled(expected[gap.asked], total_kwh, gap, history)
    level = _level(expected[gap.asked], total_kwh)
    found = conditional(
        level * expected[near], gap.kwh[near], gap.asked[near], covariance, total_kwh
    )
    mean_kwh = max(abs(float(found.kwh.mean())), 1e-12)
    error = _MEAN_OF_NORMAL * float(found.sigma_kwh.mean()) / mean_kwh
    return _kept_positive(
        Estimate(
            kwh=found.kwh,
            method=Method.AVERAGE_LIKE_DAY if total_kwh is None else Method.SCALED,
            confidence=max(0.0, 1.0 - error),
            figures=dict(_like_figures(gap, history)) | {"factor": level},
        ),
        total_kwh,
    )


def _level(expected_kwh: FloatArray, total_kwh: float | None) -> float:
    """Return by how much the register says that all of the time was above like days.

    A batch plant draws ten times as much on one day as on another: its days have the
    same shape at another height, and only what is left departs by so many kWh.
    """
    whole = float(expected_kwh.sum())
    if total_kwh is None or whole <= 0:
        return 1.0
    return min(max(total_kwh / whole, 1 / _MOST_TIMES), _MOST_TIMES)


def by_three_days(
    gap: Gap, history: LoadHistory, total_kwh: float | None
) -> Estimate | None:
    """Take the mean of the three nearest like days, to the sum (Itron)."""
    kwh = np.full(gap.size, np.nan)
    rows = np.flatnonzero(gap.asked)
    for day in np.unique(gap.local_day[rows]):
        of_day = gap.local_day[rows] == day
        kind = int(gap.kind[rows][of_day][0])
        days = like_days(history, history.row(day), kind, count=THREE)
        if days.size:
            kwh[of_day] = _filled(mean_day(history, days))[gap.slot[rows][of_day]]
    return None if np.isnan(kwh).any() else _scaled(kwh, total_kwh, gap, history)


def by_previous_year(gap: Gap, history: LoadHistory) -> Estimate | None:
    """Take the like days nearest to 52 weeks before."""
    kwh = np.full(gap.size, np.nan)
    rows = np.flatnonzero(gap.asked)
    for day in np.unique(gap.local_day[rows]):
        of_day = gap.local_day[rows] == day
        row = history.row(day) - YEAR_DAYS
        kind = int(gap.kind[rows][of_day][0])
        days = like_days(history, row, kind, count=THREE)
        days = days[np.abs(days - row) <= 14]  # noqa: PLR2004 - a fortnight either way
        if history.usable[row : row + 1].any() and row >= 0:
            days = np.append(days, row)
        if days.size:
            kwh[of_day] = _filled(mean_day(history, days))[gap.slot[rows][of_day]]
    if np.isnan(kwh).any():
        return None
    return Estimate(
        kwh=kwh, method=Method.PREVIOUS_YEAR, confidence=_YEAR_AGO_CONFIDENCE
    )


def by_agreement(gap: Gap, agreed_kw: float | None) -> Estimate | None:
    """Take the load that was agreed with the customer for such a case."""
    if agreed_kw is None:
        return None
    kwh = agreed_kw * gap.length_min / 60
    return Estimate(
        kwh=np.full(gap.size, kwh),
        method=Method.AGREED,
        confidence=0.5,
        figures={"agreed_kw": agreed_kw},
    )


def _expected(gap: Gap, history: LoadHistory) -> FloatArray | None:
    """Return what like days let expect of all n intervals; None without any day."""
    if not history.usable.any():
        return None
    days, first, of_day = np.unique(
        gap.local_day, return_index=True, return_inverse=True
    )
    rows = (days - history.days[0]).astype(np.int64)
    shapes = expected_days(history, rows, gap.kind[first])
    shapes = np.stack([_filled(shape) for shape in shapes])
    expected: FloatArray = shapes[of_day, gap.slot]
    return expected


def _filled(day: FloatArray) -> FloatArray:
    """Fill slots that no reference day has on its clock from those beside them."""
    known = np.flatnonzero(~np.isnan(day))
    if known.size in (0, day.size):
        return day
    return np.interp(np.arange(day.size), known, day[known], period=day.size)


def _scaled(
    kwh: FloatArray, total_kwh: float | None, gap: Gap, history: LoadHistory
) -> Estimate:
    figures = _like_figures(gap, history)
    if total_kwh is None:
        return Estimate(
            kwh=kwh,
            method=Method.AVERAGE_LIKE_DAY,
            confidence=_MEAN_CONFIDENCE,
            figures=figures,
        )
    whole = float(kwh.sum())
    factor = total_kwh / whole if whole > 0 else math.nan
    return Estimate(
        kwh=kwh * factor if whole > 0 else np.full(kwh.size, total_kwh / kwh.size),
        method=Method.SCALED,
        confidence=_MEAN_CONFIDENCE,
        figures=dict(figures) | {"factor": factor},
    )


def _like_figures(gap: Gap, history: LoadHistory) -> Mapping[str, float]:
    day = gap.local_day[gap.asked][0]
    row, kind = history.row(day), int(gap.kind[gap.asked][0])
    nearest = like_days(history, row, kind, count=THREE)
    away = float(np.abs(nearest - row).min()) if nearest.size else math.nan
    return {"like_days": float(nearest.size), "nearest_days_away": away}


def _kept_positive(estimate: Estimate, total_kwh: float | None) -> Estimate:
    """Let no estimate be negative, and keep its sum."""
    if (estimate.kwh >= 0).all():
        return estimate
    kwh = np.maximum(estimate.kwh, 0.0)
    if total_kwh is not None and kwh.sum() > 0:
        kwh = kwh * (total_kwh / kwh.sum())
    return replace(estimate, kwh=kwh)
